#include "supervision/tree.hpp"

namespace rahat {

void supervision_tree::set(const std::string& path, const std::string& state, std::int64_t now_us,
                           const std::string& reason) {
  std::unique_lock lock{mutex_};
  auto& node = nodes_[path];
  node.path = path;
  node.state = state;
  node.since_us = now_us;
  if (!reason.empty())
    node.last_reason = reason;
}

void supervision_tree::restarted(const std::string& path) {
  std::unique_lock lock{mutex_};
  ++nodes_[path].restarts;
}

void supervision_tree::forget(const std::string& path) {
  std::unique_lock lock{mutex_};
  nodes_.erase(path);
}

std::vector<tree_node> supervision_tree::nodes() const {
  std::unique_lock lock{mutex_};
  std::vector<tree_node> out;
  for (auto& [path, node] : nodes_)
    out.push_back(node);
  return out;
}

} // namespace rahat
