#pragma once

#include "gateways/http/io_loop.hpp"
#include "gateways/live/gateway.hpp"

#include <algorithm>
#include <atomic>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <deque>
#include <memory>
#include <mutex>
#include <set>
#include <string>

namespace rahat::live {

namespace asio = boost::asio;
using http::task;
using http::tcp_socket;

/// What all sessions of a gateway share. Outlives them.
struct live_shared {
  live_shared(live_options o, http::authenticator a, hub& h)
      : options(std::move(o)),
        who(std::move(a)),
        events(h),
        probe(options.probe != nullptr ? *options.probe : no_probe) {}

  live_options options;
  http::authenticator who;
  hub& events;
  live_probe no_probe;
  live_probe& probe;
  asio::io_context context{1};
  std::atomic<std::size_t> connections{0};
  std::set<class session*> sessions; // loop thread
};

/// The bounded queue between the hub and one session. Replays get at most half of it, so that they
/// go at the client's pace and leave room for what happens now; they are let in once it has drained
/// to a quarter.
class outbox : public sink {
public:
  /// `probe` is not touched any more after `close`.
  outbox(std::size_t bound, std::function<void()> wake, live_probe& probe)
      : bound_(bound), wake_(std::move(wake)), probe_(probe) {}

  bool push(std::shared_ptr<const event> what) override;
  void reserve(std::size_t most, std::function<void(std::size_t places)> then) override;
  void give_back(std::size_t places) override;

  /// The next event, if there is one. After an overflow there is none.
  std::shared_ptr<const event> pop();

  bool overflowed() const;
  void close(); // the session has ended: `wake` is not called any more

private:
  struct waiter {
    std::size_t most;
    std::function<void(std::size_t)> then;
  };

  std::size_t for_replays() const { return std::max<std::size_t>(1, bound_ / 2); }
  void let_in();

  const std::size_t bound_;
  mutable std::mutex mutex_; // guards the rest
  std::function<void()> wake_;
  live_probe& probe_;
  std::deque<std::shared_ptr<const event>> queue_;
  std::deque<waiter> waiting_;
  std::size_t reserved_ = 0; // places that were granted and not given back
  bool overflowed_ = false;
  bool closed_ = false;
};

/// One WebSocket connection: a reading and a writing coroutine on the gateway's thread.
class session : public std::enable_shared_from_this<session> {
public:
  session(live_shared& shared, tcp_socket socket);
  ~session();

  static task<> run(std::shared_ptr<session> self, std::string bytes_read);
  void drain();
  void cut();

private:
  using request = boost::beast::http::request<boost::beast::http::empty_body>;

  std::optional<http::response> check(std::string_view bytes, request& handshake);
  task<> refuse(http::response answer);
  task<> read();
  static task<> write(std::shared_ptr<session> self);
  void on_wake();
  void arm_close_deadline();
  task<> send_close(boost::beast::websocket::close_reason why);
  void understand(std::string_view text);
  void subscribe(const std::string& topic, const std::optional<std::string>& after);
  void tell(const std::string& topic, std::string_view type, std::string_view data);
  void tell_error(const std::string& topic, const error& wrong);

  live_shared& shared_;
  boost::beast::websocket::stream<tcp_socket, false> stream_;
  asio::basic_waitable_timer<http::monotonic, asio::wait_traits<http::monotonic>, http::executor>
      signal_; // cancelled when there is something to write
  asio::basic_waitable_timer<http::monotonic, asio::wait_traits<http::monotonic>, http::executor>
      close_deadline_;
  std::shared_ptr<outbox> outbox_;
  http::caller caller_;
  std::set<std::string> topics_;
  std::shared_ptr<const event> last_; // written last, of those that have a token
  bool draining_ = false;
  bool reading_ended_ = false;
};

} // namespace rahat::live
