#pragma once

#include "runtime/cluster/feature_level.hpp"

#include <atomic>

namespace rahat {

/// What the hosts of this node read and may write: the build's own level, and the level of the
/// cluster's view as it was last read. Any thread. Protocol: docs/protocols/upgrade.md.
class host_levels {
public:
  host_levels() = default;
  explicit host_levels(cluster::level reads) : build_{reads} {}

  /// The view says so; never goes back, as the view does not.
  void view_is_at(cluster::level view_level) {
    auto known = view_.load();
    while (known < view_level && !view_.compare_exchange_weak(known, view_level)) {
    }
  }

  cluster::level writes() const { return build_.writes(view_.load()); }

  /// `written`: as a commit or message carries it, where 0 stands for the first level.
  bool can_read(std::uint32_t written) const { return build_.can_read(level_of(written)); }
  std::string refusal(std::uint32_t written) const { return build_.refusal(level_of(written)); }

private:
  static cluster::level level_of(std::uint32_t written) {
    return written == 0 ? cluster::first_level : static_cast<cluster::level>(written);
  }

  const cluster::feature_levels build_;
  std::atomic<cluster::level> view_{cluster::first_level};
};

} // namespace rahat
