#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace rahat {

/// One place in the supervision tree, as operators see it.
struct tree_node {
  std::string path;  // e.g. "root/gateways/public"
  std::string kind;  // "supervisor", "writer", "gateway", ...
  std::string state; // "running" | "backoff" | "stopped" | "failed"
  std::uint32_t restarts = 0;
  std::string last_error; // why it went down last
  std::int64_t since_us = 0;
  std::string health; // what it says of itself, while it runs
};

/// What `GET /internal/v1/actors` and `rahatctl actors` show. Written by supervisors, read by
/// gateways; thread-safe. Children stand in the order in which they are started, below their
/// supervisor.
class supervision_tree {
public:
  /// Enters a place, or says anew what stands there; its restarts stay. `health` is called by
  /// readers while the place is "running", so it must be cheap and must not call the tree.
  void enter(const std::string& path, const std::string& kind,
             std::function<std::string()> health = {});

  void set(const std::string& path, const std::string& state, std::int64_t now_us,
           const std::string& error = {});
  void restarted(const std::string& path);
  std::vector<tree_node> nodes() const;

private:
  struct place {
    tree_node node;
    std::function<std::string()> health;
    std::size_t entered = 0;
  };

  mutable std::mutex mutex_;
  std::map<std::string, place> places_;
};

} // namespace rahat
