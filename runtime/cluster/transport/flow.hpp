#pragma once

#include "runtime/cluster/transport/pieces.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

namespace rahat::cluster {

/// How a frame is treated when the way is full.
enum class frame_class {
  in_order, // no answer is expected: keeps its order among its like
  question, // may pass a larger one
  answer,   // the same; waits for room
  refusal,  // the same; there is more room for it
};

/// What may go out, and when: at most `window_bytes` are unconfirmed, answers wait, large frames go
/// in pieces. Not thread-safe: part of a link.
class outflow {
public:
  explicit outflow(const link_terms& terms) : terms_(terms), cut_(terms) {}

  /// False: no room now.
  bool push(frame_class what, std::string frame);

  /// The next thing that may go now; ask until there is none.
  std::optional<cut_part> next();

  /// The other side has taken in so much altogether. False: that much was never sent, or less than
  /// it said before.
  bool confirmed(std::uint64_t bytes, std::uint64_t pieces);

  std::size_t unconfirmed() const { return static_cast<std::size_t>(sent_ - confirmed_); }
  std::size_t waiting() const { return answer_bytes_ + cut_.bytes(); }

private:
  bool push_small(frame_class what, std::string frame);
  bool room_for(std::size_t bytes) const;
  bool may_wait(frame_class what, std::size_t bytes) const;
  bool piece_may_go() const;

  const link_terms& terms_;
  cutter cut_;
  std::deque<std::string> ready_;   // within the window already
  std::deque<std::string> answers_; // behind it
  std::size_t answer_bytes_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t confirmed_ = 0;
  std::uint64_t pieces_sent_ = 0;
  std::uint64_t pieces_confirmed_ = 0;
};

/// What has come in, and what of it the other side should hear. Not thread-safe: part of a link.
class inflow {
public:
  using time_point = std::chrono::steady_clock::time_point;

  explicit inflow(const link_terms& terms) : terms_(terms) {}

  /// False: more than the window without a confirmation.
  bool came(std::size_t bytes);
  void taken(std::size_t bytes, std::size_t pieces, time_point now);

  bool confirmation_due(time_point now) const;
  /// What a message says that goes out now.
  std::uint64_t bytes() const { return taken_; }
  std::uint64_t pieces() const { return pieces_; }
  void told();

private:
  const link_terms& terms_;
  std::uint64_t came_ = 0;
  std::uint64_t taken_ = 0;
  std::uint64_t pieces_ = 0;
  std::uint64_t told_ = 0;
  std::optional<time_point> untold_since_;
};

} // namespace rahat::cluster
