#pragma once

#include "gateways/http/faults.hpp"
#include "gateways/http/in_flight.hpp"
#include "gateways/http/server.hpp"

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace rahat::http {

class io_loop;
class session;

namespace asio = boost::asio;

/// The concrete executor: it spares every operation the type erasure of any_io_executor.
using executor = asio::io_context::executor_type;
using tcp_socket = asio::basic_stream_socket<asio::ip::tcp, executor>;
using monotonic = std::chrono::steady_clock;
template <class T = void>
using task = asio::awaitable<T, executor>;
inline constexpr asio::use_awaitable_t<executor> awaiting{};

/// What all connections of a server share. Outlives them.
struct edge {
  server_options options;
  router routes;
  authenticator who;
  probe& metrics;
  std::shared_ptr<in_flight_table> keys;
  std::atomic<std::size_t> connections{0}; // refused ones included
  std::atomic<bool> draining{false};
  std::mutex mutex{}; // with `emptied`: for drain()
  std::condition_variable emptied{};
  fault_watch faults{metrics};

  /// A connection that was counted is gone.
  void forget_connection();
};

/// How word from handlers, which may live on any thread, reaches a connection on its io thread.
/// Word that comes while other word waits costs no system call. Outlives the loop: after `close`
/// word is dropped.
class mailbox {
public:
  struct letter {
    std::weak_ptr<session> to;
    std::uint64_t ticket = 0; // a connection ignores word for a request that is over
    bool is_answer = false;   // else: "go on" of a body reader
    bool go_on = false;
    response answer;
  };

  explicit mailbox(io_loop& loop) : loop_(&loop) {}

  void post(letter word);
  std::vector<letter> take();
  void close();

private:
  std::mutex mutex_;
  io_loop* loop_; // nullptr once closed
  std::vector<letter> letters_;
};

/// One io thread: its io_context, the connections that live on it, and the coarse timer that serves
/// all their deadlines (nothing is armed per request). All but `start`, `post` and `join` belongs
/// to that thread. An exception that reaches it ends one connection, not the thread (fault_watch).
class io_loop {
public:
  explicit io_loop(edge& shared);
  ~io_loop();

  void start(); // spawns the thread
  void join();  // ends once the last connection is gone and `stop` ran

  /// Takes over an accepted connection; `refused` ones are told 503 and closed.
  void adopt(tcp_socket socket, bool refused);

  void begin_drain(); // closes idle connections
  void cut();         // closes all connections
  void stop();

  void enlist(session& s);
  void strike(session& s);

  asio::io_context& context() { return context_; }
  edge& shared() { return edge_; }
  const std::shared_ptr<mailbox>& mail() { return mail_; }
  std::string_view date() const { return date_; }

  /// Now, at most one tick old.
  monotonic::time_point coarse_now() const { return now_; }

private:
  friend class mailbox;

  void run();
  void deliver();
  void fault(std::string_view where);
  void end(session& s);
  void expire(session& s);
  void arm();
  void tick();

  edge& edge_;
  asio::io_context context_{1};
  asio::executor_work_guard<executor> work_;
  asio::basic_waitable_timer<monotonic, asio::wait_traits<monotonic>, executor> timer_;
  std::shared_ptr<mailbox> mail_;
  std::vector<session*> sessions_;
  monotonic::time_point now_;
  std::int64_t date_second_ = -1;
  std::string date_;
  bool stopped_ = false;
  std::thread thread_;
};

} // namespace rahat::http
