#include "supervision/tree.hpp"

#include <algorithm>

namespace rahat {

void supervision_tree::enter(const std::string& path, const std::string& kind,
                             std::function<std::string()> health) {
  std::lock_guard lock{mutex_};
  auto [at, fresh] = places_.try_emplace(path);
  if (fresh)
    at->second.entered = places_.size();
  at->second.node.path = path;
  at->second.node.kind = kind;
  at->second.health = std::move(health);
}

void supervision_tree::set(const std::string& path, const std::string& state, std::int64_t now_us,
                           const std::string& error) {
  std::lock_guard lock{mutex_};
  auto& node = places_[path].node;
  node.path = path;
  node.state = state;
  node.since_us = now_us;
  if (!error.empty())
    node.last_error = error;
}

void supervision_tree::restarted(const std::string& path) {
  std::lock_guard lock{mutex_};
  ++places_[path].node.restarts;
}

std::vector<tree_node> supervision_tree::nodes() const {
  std::lock_guard lock{mutex_};
  std::vector<const place*> in_order;
  for (auto& [path, p] : places_)
    in_order.push_back(&p);
  std::sort(in_order.begin(), in_order.end(),
            [](auto* a, auto* b) { return a->entered < b->entered; });
  std::vector<tree_node> out;
  for (auto* p : in_order) {
    auto& node = out.emplace_back(p->node);
    if (node.state == "running" && p->health)
      node.health = p->health();
  }
  return out;
}

} // namespace rahat
