#pragma once

#include "tests/cluster/history.hpp"
#include "tests/support/cluster/cluster_process.hpp"
#include "tests/support/http_client.hpp"

#include <atomic>
#include <boost/json.hpp>
#include <memory>
#include <random>
#include <thread>

namespace rahat::test {

/// What a load balancer does: asks every node for its readiness and sends requests to those that
/// say yes. One thread of its own; `has` and `pick` from any.
class rotation {
public:
  explicit rotation(const cluster_process& cluster);
  ~rotation();

  bool has(std::size_t i) const { return ready_[i]; }

private:
  const cluster_process& cluster_;
  std::unique_ptr<std::atomic<bool>[]> ready_;
  std::atomic<bool> ended_{false};
  std::thread looking_;
};

/// How a client behaves.
struct manners {
  const rotation* through = nullptr;            // null: any node, whatever it says of itself
  std::chrono::milliseconds answer_limit{4000}; // then it hangs up and tries another node
  bool hasty = false;                           // sometimes it hangs up at once
};

/// Somebody who sends the same request with the same key to one node after another until it is
/// answered. One thread.
class client {
public:
  client(const cluster_process& cluster, std::string token, history& book, std::uint64_t seed,
         manners how = {});

  /// Until there is an answer that says neither 503 nor 504 nor that the key is in flight, or for
  /// `limit`. Kept in the history either way.
  request post(const std::string& path, const boost::json::value& body,
               std::chrono::seconds limit = std::chrono::seconds{60},
               std::int64_t amount_minor = 0);
  request post(request ask, std::chrono::seconds limit);

  /// The same, and its answer; throws when it was not accepted.
  boost::json::value must(const std::string& path, const boost::json::value& body);
  boost::json::value must(request ask, std::chrono::seconds limit);

  /// At a random node; after an answer that says to come back, or none, at another one, up to so
  /// many tries.
  http_reply get(const std::string& path, unsigned tries = 1);

  std::mt19937_64& dice() { return dice_; }
  const std::string& token() const { return token_; }

  /// One more try of a request at a random node, not in the history; 503 and the like are tried
  /// again for `limit`.
  http_reply repeat(const request& ask, std::chrono::seconds limit);

private:
  std::size_t pick(std::size_t but);
  http_reply send(const request& ask, std::size_t node, std::chrono::milliseconds limit);

  const cluster_process& cluster_;
  std::string token_;
  history& book_;
  std::mt19937_64 dice_;
  manners how_;
};

/// True when the same request should be sent again.
bool worth_a_retry(const http_reply& reply);

} // namespace rahat::test
