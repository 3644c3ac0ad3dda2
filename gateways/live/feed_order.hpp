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
  /// Events of one shard that wait for an earlier one; beyond, the hole is fetched at once.
  static constexpr std::size_t max_waiting = 1'000;

  using emit = std::function<void(const live_event&)>;

  /// Puts a shard that has not started into the token, before any shard announces.
  void expect(shard_id shard, std::uint64_t position) {
    if (!shards_[shard].started)
      token_.positions[shard] = position;
  }

  /// Where the shard stands now; what is older is not announced.
  void start_at(shard_id shard, std::uint64_t position, const emit& out);
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

  void flush(state& s, const emit& out);

  std::array<state, shard_count> shards_;
  feed_token token_;
};

} // namespace rahat::live
