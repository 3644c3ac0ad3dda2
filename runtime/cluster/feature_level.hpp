#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

namespace rahat::cluster {

/// The level of the formats of journal and envelope. A release that adds an event kind or a field
/// that older builds would not understand raises it by one. Level 1 is what every build reads.
using level = std::int32_t;

inline constexpr level first_level = 1;

/// What this build can read.
inline constexpr level this_build_reads = 1;

/// A rolling upgrade in two steps: release n reads what n + 1 writes; n + 1 writes it only after
/// the view's level was raised, which an operator does when every member reads it. A value; no
/// thread.
struct feature_levels {
  level reads = this_build_reads; // R: the highest level that this build understands

  /// W: what this build writes in a cluster whose view says `view_level`. Never above R: a view
  /// ahead of this build is met by stopping (`may_join`), not by writing what it cannot.
  level writes(level view_level) const { return std::min(view_level, reads); }

  /// False for something written by a newer build: the entity is parked and the shard given up. An
  /// unknown event is an error, never skipped.
  bool can_read(level written) const { return written >= first_level && written <= reads; }

  /// A node may be a member only where it can read what the others write.
  bool may_join(level view_level) const { return can_read(view_level); }

  /// One sentence for logs and parked entities.
  std::string refusal(level written) const;
};

} // namespace rahat::cluster
