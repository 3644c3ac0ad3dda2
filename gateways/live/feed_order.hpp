#pragma once

#include "runtime/ports/live.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rahat::live {

/// A place in the feed: how far each shard has been seen. Opaque to clients.
struct feed_token {
  std::array<std::uint64_t, shard_count> positions{};

  std::string text() const;
  static std::optional<feed_token> parse(std::string_view text);
};

/// Brings committed events of each shard into the order of their positions: hosts of one shard
/// announce theirs in any order. Not thread-safe: the hub holds its lock.
class feed_order {
public:
  /// Events of one shard that wait for an earlier one. Beyond, the newest are forgotten: the
  /// journal has them, and the hub asks it when it compares heads.
  static constexpr std::size_t max_waiting = 1'000;

  using emit = std::function<void(const live_event&)>;

  /// Where the shard stands now; what is older is not announced, but for events that were added
  /// before: those are news since the feed was asked for. `flush` says them.
  void start_at(shard_id shard, std::uint64_t position);

  /// Says what is next in its shard.
  void flush(shard_id shard, const emit& out);

  bool started(shard_id shard) const { return shards_[shard].started; }

  void add(const live_event& event, const emit& out);

  std::uint64_t position(shard_id shard) const { return shards_[shard].last; }
  const feed_token& token() const { return token_; }

  /// True when events wait for one that has not come: the journal has to be asked.
  bool has_hole(shard_id shard) const { return !shards_[shard].waiting.empty(); }

private:
  struct state {
    bool started = false;
    std::uint64_t last = 0;
    std::map<std::uint64_t, live_event> waiting;
  };

  std::array<state, shard_count> shards_;
  feed_token token_;
};

} // namespace rahat::live
