#pragma once

#include "persistence/memory/hand_clock.hpp"
#include "runtime/cluster/transport/channels.hpp"
#include "tests/support/seeded_random.hpp"

#include <chrono>
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

/// The network between several processes of one test. Nothing moves but by `pump`, which delivers
/// what is due in an order that the seed decides: within a channel and a direction as it was sent,
/// across them in any order. Thread-safe; callbacks come from `pump`, without its lock.
class network_twin {
public:
  using ms = std::chrono::milliseconds;

  static constexpr std::uint16_t port = 7000; // of every process
  static constexpr ms dial_limit{1'000};      // after which a dial into a cut fails

  network_twin(const hand_clock& time, std::uint64_t seed);
  ~network_twin();

  /// The channels of the process at this host; made at the first call.
  cluster::channels& process(const std::string& host);

  /// The former process is gone, as after kill -9: the others see its channels close. The new one's
  /// channels.
  cluster::channels& restart(const std::string& host);

  // -- faults; they hold until they are healed ----------------------------------------

  /// Nothing passes from one to the other; what was sent stays on its way. Dials between them fail
  /// after their limit.
  void cut_one_way(const std::string& from, const std::string& to);
  void cut(const std::string& a, const std::string& b);
  void heal(const std::string& a, const std::string& b);
  /// A host that answers nothing and nobody: frozen, or behind a wall.
  void black_hole(const std::string& host);
  void heal_all();

  /// What is sent from now on takes as long as the seed says, between the two.
  void delay(const std::string& from, const std::string& to, ms least, ms most);

  // -- faults of a moment ---------------------------------------------------------------

  /// All channels between the two end, on both sides.
  void close(const std::string& a, const std::string& b, const std::string& why);

  /// The next message on its way vanishes.
  void lose_next(const std::string& from, const std::string& to);

  /// Puts a message into every channel between the two, as if `from` had sent it.
  void inject(const std::string& from, const std::string& to, const std::string& bytes);

  /// Sees every message when it is sent.
  std::function<void(const std::string& from, const std::string& to, const std::string& bytes)>
      watch;

  // -- the hand -------------------------------------------------------------------------

  /// Delivers what is due now, and what that leads to. How many.
  std::size_t pump();

  std::size_t channels_between(const std::string& a, const std::string& b) const;
  std::size_t dials_to(const std::string& host) const; // ever

private:
  class process_twin;
  struct item;
  struct direction;
  struct attempt;
  using pair = std::pair<std::string, std::string>;
  using time_point = std::chrono::steady_clock::time_point;

  bool cut_between(const std::string& from, const std::string& to) const;
  time_point due(const std::string& from, const std::string& to);
  void answer_dials(std::vector<std::function<void()>>& calls);
  std::function<void()> next_delivery();
  void end_side(cluster::channels::id id, const std::string& why);
  void end_process(process_twin& gone);

  const hand_clock& time_;
  seeded_random dice_;
  mutable std::mutex mutex_; // guards the rest
  std::map<std::string, std::shared_ptr<process_twin>> processes_;
  std::vector<std::shared_ptr<process_twin>> former_;
  std::map<cluster::channels::id, direction> inbound_; // by the receiving side's channel
  std::vector<attempt> attempts_;
  std::map<std::string, std::size_t> dials_;
  std::set<pair> cuts_;
  std::map<pair, std::pair<ms, ms>> delays_;
  std::set<pair> losing_;
  cluster::channels::id last_id_ = 0;
  std::uint64_t last_process_ = 0;
};

} // namespace rahat::test
