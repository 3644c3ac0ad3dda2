#pragma once

#include "persistence/memory/hand_clock.hpp"
#include "runtime/ports/transport.hpp"
#include "tests/support/seeded_random.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace rahat::test {

/// Links between several nodes of one test, without what makes them: a test joins and parts peers.
/// Frames move by `pump` only: of one link in order, of several in an order that the seed decides.
/// They travel serialised. Thread-safe; callbacks come from `pump`, `join` and `part`.
class links_twin {
public:
  explicit links_twin(std::uint64_t seed) : dice_(seed) {}

  /// The links of this node; made at the first call.
  transport& node(const uuid& id);

  /// Both hear `link_up`.
  void join(const uuid& a, const uuid& b);

  /// What is on its way is lost; both hear `link_down`.
  void part(const uuid& a, const uuid& b);

  /// `send` from one to the other says false, as if the window were full; the link stays.
  void fill(const uuid& from, const uuid& to, bool full);

  /// Frames of this kind find no room from one to the other: one bound of several.
  void fill_for(const uuid& from, const uuid& to, wire::Frame::BodyCase what);

  /// What is sent stays on its way.
  void hold(const uuid& from, const uuid& to, bool held);

  /// Delivers until nothing moves. How many.
  std::size_t pump();

  /// Sees every frame that was sent.
  std::function<void(const uuid& from, const uuid& to, const wire::Frame& frame)> watch;

private:
  class node_twin;
  using pair = std::pair<uuid, uuid>;

  bool send(const uuid& from, const uuid& to, const wire::Frame& frame);
  transport::listener* listener_of(const uuid& id) const;

  seeded_random dice_;
  mutable std::mutex mutex_; // guards the rest
  std::map<uuid, std::shared_ptr<node_twin>> nodes_;
  std::set<pair> links_; // both directions
  std::set<pair> full_;
  std::set<std::pair<pair, wire::Frame::BodyCase>> full_for_;
  std::set<pair> held_;
  std::map<pair, std::deque<std::string>> on_their_way_;
};

} // namespace rahat::test
