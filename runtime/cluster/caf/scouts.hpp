#pragma once

#include "runtime/ports/part.hpp"
#include "runtime/ports/worker_thread.hpp"

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace rahat::cluster {

/// A few threads that try whether somebody listens at an address, before CAF dials it. An address
/// that swallows packets holds up one of them for the time of one try, and is tried by one at a
/// time. Thread-safe; callbacks come from these threads.
class scouts {
public:
  /// Nothing: somebody listens there; else why not. Blocks.
  using trial =
      std::function<std::optional<std::string>(const std::string& host, std::uint16_t port)>;
  using verdict = std::function<void(const std::string& host, std::uint16_t port,
                                     std::optional<std::string> why_not)>;

  static constexpr std::size_t threads = 4;
  /// Addresses that wait to be tried. Beyond: `ask` says false.
  static constexpr std::size_t waiting = 64;

  scouts(trial how, verdict told);
  ~scouts();

  /// One verdict follows, of this or of a try of the same address that has not come to its end.
  bool ask(const std::string& host, std::uint16_t port);

  void start();

  /// What waits is forgotten; returns when no try is under way. For good.
  void stop();

  /// The threads, for their owners, who may start them again after a death; `stop` is theirs.
  std::vector<part> parts(const std::function<void()>& stop);

private:
  using address = std::pair<std::string, std::uint16_t>;

  void work();
  void try_one(const address& at);

  const trial how_;
  const verdict told_;
  std::mutex mutex_; // guards the next four
  std::condition_variable changed_;
  std::deque<address> waiting_;
  std::set<address> known_; // waits, or is tried
  bool stopping_ = false;
  std::array<worker_thread, threads> threads_; // last: they use the rest
};

} // namespace rahat::cluster
