#pragma once

#include "runtime/cluster/transport/link_terms.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace rahat::cluster {

/// One part of a large frame, or a small frame that had to stay behind a large one.
struct cut_part {
  std::uint64_t frame = 0; // 0: a whole frame
  std::size_t total = 0;
  std::string bytes;
  bool last = true; // of its frame
};

/// Large frames on their way out, a piece at a time. Frames that keep their order go one after the
/// other; the others take turns with them, so that a small document does not wait for a large one.
/// Not thread-safe: part of a link.
class cutter {
public:
  explicit cutter(const link_terms& terms) : terms_(terms) {}

  /// False: no room. `in_order`: behind everything that was pushed so before.
  bool push(std::string frame, bool in_order);

  /// True if a frame that keeps its order has to go through here, whatever its size.
  bool holds_order() const { return !ordered_.empty(); }

  bool empty() const { return ordered_.empty() && free_.empty(); }
  std::size_t bytes() const { return bytes_; }

  /// How large the next part will be; 0 if there is none, or a frame of no bytes.
  std::size_t next_bytes() const;
  bool next_is_piece() const;
  cut_part next();

private:
  struct item {
    std::uint64_t number = 0; // 0: small
    std::string frame;
    std::size_t sent = 0;
  };

  std::deque<item>& turn();
  const std::deque<item>& turn() const { return const_cast<cutter*>(this)->turn(); }

  const link_terms& terms_;
  std::deque<item> ordered_;
  std::deque<item> free_;
  bool ordered_next_ = true;
  std::uint64_t last_number_ = 0;
  std::size_t large_ = 0;
  std::size_t bytes_ = 0; // of all frames here, what was sent of them included
};

/// Large frames on their way in. Not thread-safe: part of a link.
class assembler {
public:
  assembler(const link_terms& terms, std::size_t max_frame_bytes)
      : terms_(terms), max_frame_bytes_(max_frame_bytes) {}

  struct result {
    std::optional<std::string> frame;      // complete now
    std::optional<std::string_view> fault; // the sender does not keep to the rules: a sentence
  };

  result add(std::uint64_t frame, std::size_t total, std::string_view part);

  std::size_t frames() const { return open_.size(); }
  std::size_t bytes() const { return bytes_; } // that the frames here will have

private:
  struct unfinished {
    std::size_t total = 0;
    std::string so_far;
  };

  std::optional<std::string_view> begin(std::uint64_t frame, std::size_t total);

  const link_terms& terms_;
  std::size_t max_frame_bytes_;
  std::map<std::uint64_t, unfinished> open_;
  std::size_t bytes_ = 0;
};

} // namespace rahat::cluster
