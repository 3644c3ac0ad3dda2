#pragma once

#include "runtime/decider/id.hpp"
#include "runtime/entity/limits.hpp"
#include "runtime/ports/store.hpp"
#include "runtime/wire/wire.pb.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace rahat {

/// The sender's side of the messages of one entity: numbers them densely per target, hands over at
/// most a window of committed ones, sends again what was not acknowledged. Owned by one host.
class outbox {
public:
  using time_point = std::chrono::steady_clock::time_point;
  using send = std::function<void(const entity_ref& target, std::uint64_t n, const std::string&)>;

  explicit outbox(const host_limits& limits) : limits_(limits) {}

  /// The number of the next message to the target; consumed at once.
  std::uint64_t next_number(const entity_ref& target);

  /// A message that has been committed; goes out when the target's window has room.
  void committed(const outbox_row& row, time_point now, const send& out);

  /// Returns whether anything new was acknowledged.
  bool acknowledged(const entity_ref& target, std::uint64_t n, time_point now, const send& out);

  /// Sends again whatever is overdue; returns how many messages.
  std::size_t resend(time_point now, const send& out);

  /// When `resend` should be called next.
  std::optional<time_point> next_resend() const;

  std::size_t unacknowledged() const { return unacknowledged_; }

  // -- recovery ---------------------------------------------------------------

  void number_was_given(const entity_ref& target, std::uint64_t n);
  void save(wire::Snapshot& out) const;
  void load(const wire::Snapshot& in);

private:
  struct target_state {
    std::uint64_t last_given = 0;
    std::list<std::pair<std::uint64_t, std::string>> waiting; // committed, not acknowledged
    std::uint64_t last_sent = 0;
    time_point resend_at{};
    std::chrono::milliseconds backoff{0};
  };

  void fill_window(const entity_ref& target, target_state& s, time_point now, const send& out);

  const host_limits& limits_;
  std::map<entity_ref, target_state> targets_;
  std::size_t unacknowledged_ = 0;
};

} // namespace rahat
