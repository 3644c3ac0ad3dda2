#pragma once

#include "gateways/http/server.hpp"

#include <gtest/gtest.h>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// A client that speaks raw bytes, so that tests can be as rude as the network, and a server on a
/// free port with a table of test routes.
namespace rahat::http::test {

/// How long a test waits for anything; reached only when the test fails.
inline constexpr std::chrono::seconds patience{20};

struct reply {
  unsigned status = 0;
  std::map<std::string, std::string> headers; // names in lower case
  std::string body;

  std::string header(const std::string& name) const {
    auto at = headers.find(name);
    return at == headers.end() ? "" : at->second;
  }
};

class client {
public:
  explicit client(std::uint16_t port);
  ~client();
  client(const client&) = delete;
  client& operator=(const client&) = delete;

  bool send(std::string_view bytes); // false when the connection did not take all of it

  /// Sends what the socket takes without waiting; returns how much that was.
  std::size_t send_some(std::string_view bytes);
  bool wait_writable(std::chrono::milliseconds limit);
  bool wait_readable(std::chrono::milliseconds limit);

  /// Sends a byte every 10 ms, as a slowloris does, until the server says something.
  bool trickle_until_answered();

  void shut_down_send();

  /// The next reply; status 0 when the connection ends or patience does.
  reply read(bool head_only = false);

  /// Exactly `n` bytes, for what follows an upgrade; empty when the connection ends.
  std::string take(std::size_t n);

  /// True once the server has closed the connection (bytes that come before are dropped).
  bool is_closed();

  /// True when the connection ends with an end of stream, not with a reset.
  bool ends_in_order();

private:
  bool more();

  int fd_;
  std::string buffer_;
};

/// "GET /path HTTP/1.1" with Host and a token, and `extra` header lines ("A: b\r\n").
std::string get(std::string_view path, std::string_view extra = {});

/// A POST with a JSON body, Content-Length included.
std::string post(std::string_view path, std::string_view body, std::string_view extra = {});

inline constexpr std::string_view auth = "Authorization: Bearer t-asha\r\n";

/// Counts what the server tells its probe.
class counting_probe : public silent_probe {
public:
  void limit_hit(limit what) override;
  void request_finished(std::string_view route, method verb, unsigned status, double) override;
  void request_started() override { ++started_; }
  void io_fault() override { ++faults_; }
  int hits(limit what);
  int started() const { return started_; }
  int faults() const { return faults_; }
  std::vector<std::string> finished();

private:
  std::mutex mutex_;
  std::map<limit, int> hits_;
  std::vector<std::string> finished_;
  std::atomic<int> started_{0};
  std::atomic<int> faults_{0};
};

/// Holds the responders of "/hold" until a test answers or drops them.
class parking_lot {
public:
  void park(request ask, responder done);
  bool wait_for(std::size_t count);
  void answer(std::size_t i, response r);
  void drop(std::size_t i);

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::unique_ptr<responder>> waiting_;
};

class edge_test : public ::testing::Test {
protected:
  edge_test();
  ~edge_test() override;

  std::uint16_t start();

  /// One request on a connection of its own.
  reply ask(std::string_view bytes, bool head_only = false);

  server_options options;
  router_options gates;
  route_table routes;
  counting_probe probe;
  parking_lot lot;
  std::unique_ptr<server> edge;
  std::uint16_t port = 0;
};

/// Waits until `condition` holds; false when patience ends.
bool eventually(const std::function<bool()>& condition);

} // namespace rahat::http::test
