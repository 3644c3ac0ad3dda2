#include "gateways/live/gateway.hpp"

#include "gateways/live/session.hpp"
#include "runtime/ports/worker_thread.hpp"

#include <sys/socket.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

namespace rahat::live {

namespace {

asio::ip::tcp family_of(int fd) {
  sockaddr_storage address{};
  socklen_t length = sizeof(address);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  return address.ss_family == AF_INET6 ? asio::ip::tcp::v6() : asio::ip::tcp::v4();
}

} // namespace

struct live_gateway::impl {
  impl(live_options options, http::authenticator who, hub& events)
      : shared(std::move(options), std::move(who), events),
        work(asio::make_work_guard(shared.context)) {}

  void adopt(http::upgraded connection) {
    auto bytes = std::move(connection.bytes_read);
    auto fd = connection.release();
    tcp_socket socket(shared.context);
    boost::system::error_code ec;
    socket.assign(family_of(fd), fd, ec);
    if (ec || ended) {
      if (ec)
        http::upgraded(fd, {}, {}); // closes it
      --shared.connections;
      return;
    }
    auto one = std::make_shared<session>(shared, std::move(socket));
    asio::co_spawn(shared.context, session::run(one, std::move(bytes)), asio::detached);
  }

  /// Waits for the connections to end, then cuts those that are left.
  task<> finish(std::chrono::milliseconds deadline) {
    constexpr std::chrono::milliseconds look_again{10};
    asio::basic_waitable_timer<http::monotonic, asio::wait_traits<http::monotonic>, http::executor>
        timer(shared.context);
    auto until = http::monotonic::now() + deadline;
    while (!shared.sessions.empty() && http::monotonic::now() < until) {
      timer.expires_after(look_again);
      co_await timer.async_wait(asio::as_tuple(http::awaiting));
    }
    for_each(&session::cut);
  }

  /// The thread has died: what it had left is done by whoever drains.
  void finish_here() {
    for (bool done = false; !done;) {
      try {
        shared.context.run();
        done = true;
      } catch (const std::exception&) {
        // The session in which it was thrown has gone with it.
      }
    }
  }

  void for_each(void (session::*what)()) {
    auto all = shared.sessions;
    for (auto* s : all)
      if (shared.sessions.contains(s))
        (s->*what)();
  }

  live_shared shared;
  asio::executor_work_guard<http::executor> work;
  std::atomic<bool> running{false};
  bool ended = false;   // loop thread
  worker_thread thread; // last: it uses the rest
};

live_gateway::live_gateway(live_options options, http::authenticator who, hub& events)
    : impl_(std::make_unique<impl>(std::move(options), std::move(who), events)) {}

live_gateway::~live_gateway() {
  drain(std::chrono::milliseconds(0));
}

void live_gateway::start() {
  impl_->running = true;
  impl_->thread.start([my = impl_.get()] { my->shared.context.run(); });
}

void live_gateway::take(http::upgraded connection) {
  if (!impl_->running)
    return; // closes it
  ++impl_->shared.connections;
  asio::post(impl_->shared.context,
             [my = impl_.get(), connection = std::move(connection)]() mutable {
               my->adopt(std::move(connection));
             });
}

void live_gateway::drain(std::chrono::milliseconds deadline) {
  auto& my = *impl_;
  if (!my.running.exchange(false))
    return;
  asio::post(my.shared.context, [&my, deadline] {
    my.ended = true;
    my.for_each(&session::drain);
    my.work.reset(); // the thread ends with the last connection
    asio::co_spawn(my.shared.context, my.finish(deadline), asio::detached);
  });
  my.thread.join();
  if (my.thread.death())
    my.finish_here();
}

bool live_gateway::running() const {
  return impl_->thread.running();
}

void live_gateway::watch(death_notice died) {
  impl_->thread.watch(std::move(died));
}

std::size_t live_gateway::connections() const {
  return impl_->shared.connections;
}

} // namespace rahat::live
