#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace rahat {

/// One place in the supervision tree, as operators see it.
struct tree_node {
  std::string path;  // e.g. "root/gateways/public-http"
  std::string state; // "running" | "backoff" | "stopped" | "failed"
  std::uint32_t restarts = 0;
  std::string last_reason; // why it went down last
  std::int64_t since_us = 0;
};

/// What `GET /internal/v1/actors` and `rahatctl actors` show. Written by supervisors, read by
/// gateways; thread-safe.
class supervision_tree {
public:
  void set(const std::string& path, const std::string& state, std::int64_t now_us,
           const std::string& reason = {});
  void restarted(const std::string& path);
  void forget(const std::string& path);
  std::vector<tree_node> nodes() const; // in order of path

private:
  mutable std::mutex mutex_;
  std::map<std::string, tree_node> nodes_;
};

} // namespace rahat
