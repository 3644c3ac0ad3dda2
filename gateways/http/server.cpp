#include "gateways/http/server.hpp"

#include "gateways/http/io_loop.hpp"

#include <unistd.h>
#include <algorithm>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <optional>
#include <system_error>

namespace rahat::http {

namespace {

/// Connections beyond the bound that are told so at the same time; still more are just closed.
constexpr std::size_t max_refusing = 64;

using acceptor = asio::basic_socket_acceptor<asio::ip::tcp, executor>;

} // namespace

std::string_view to_string(limit what) {
  switch (what) {
    case limit::connections: return "connections";
    case limit::header_bytes: return "header_bytes";
    case limit::target_length: return "target_length";
    case limit::body_bytes: return "body_bytes";
    case limit::in_flight_keys: return "in_flight_keys";
    case limit::header_deadline: return "header_deadline";
    case limit::body_deadline: return "body_deadline";
    case limit::reply_deadline: return "reply_deadline";
    case limit::send_deadline: return "send_deadline";
  }
  return "unknown";
}

upgraded::~upgraded() {
  if (fd_ >= 0)
    ::close(fd_);
}

struct server::impl {
  impl(server_options options, router routes, authenticator who, probe& metrics)
      : shared{std::move(options), std::move(routes), std::move(who), metrics, nullptr} {
    shared.keys = std::make_shared<in_flight_table>(shared.options.max_in_flight_keys);
  }

  void listen();
  void accept();
  void accepted(boost::system::error_code ec);
  void retry_later();

  edge shared;
  std::vector<std::unique_ptr<io_loop>> loops;
  std::optional<acceptor> door;       // lives on the first loop
  std::optional<tcp_socket> arriving; // the connection being accepted
  std::size_t next = 0;               // loop that takes it
  std::optional<asio::basic_waitable_timer<monotonic, asio::wait_traits<monotonic>, executor>>
      pause;
  bool started = false;
  bool ended = false;
};

void server::impl::listen() {
  auto& o = shared.options;
  boost::system::error_code ec;
  auto address = asio::ip::make_address(o.address, ec);
  if (ec)
    throw std::system_error(ec, "the address '" + o.address + "' is not a numeric IP address");
  asio::ip::tcp::endpoint endpoint(address, o.port);
  auto& context = loops.front()->context();
  door.emplace(context);
  pause.emplace(context);
  door->open(endpoint.protocol(), ec);
  if (!ec)
    door->set_option(asio::socket_base::reuse_address(true), ec);
  if (!ec)
    door->bind(endpoint, ec);
  if (!ec)
    door->listen(asio::socket_base::max_listen_connections, ec);
  if (ec)
    throw std::system_error(ec, "cannot listen on " + o.address + ":" + std::to_string(o.port));
}

void server::impl::accept() {
  next = (next + 1) % loops.size();
  arriving.emplace(loops[next]->context());
  door->async_accept(*arriving, [this](boost::system::error_code ec) {
    try {
      accepted(ec);
    } catch (...) {
      shared.faults.happened("accept", std::current_exception(), monotonic::now());
      retry_later();
    }
  });
}

void server::impl::accepted(boost::system::error_code ec) {
  if (!door->is_open())
    return;
  if (ec) { // most likely out of descriptors: give it a moment
    retry_later();
    return;
  }
  auto others = shared.connections.load();
  if (others < shared.options.max_connections + max_refusing) {
    shared.connections.fetch_add(1);
    auto refused = others >= shared.options.max_connections;
    auto& loop = *loops[next];
    try {
      asio::dispatch(loop.context(), [&loop, refused, socket = std::move(*arriving)]() mutable {
        loop.adopt(std::move(socket), refused);
      });
    } catch (...) {
      shared.forget_connection();
      throw;
    }
  }
  accept();
}

void server::impl::retry_later() {
  pause->expires_after(std::chrono::milliseconds(100));
  pause->async_wait([this](boost::system::error_code ec) {
    if (!ec && door->is_open())
      accept();
  });
}

server::server(server_options options, router routes, authenticator who, probe& metrics)
    : impl_(
          std::make_unique<impl>(std::move(options), std::move(routes), std::move(who), metrics)) {}

server::~server() {
  drain(std::chrono::milliseconds(0));
}

std::uint16_t server::start() {
  auto& my = *impl_;
  auto threads = std::max(1u, my.shared.options.io_threads);
  for (unsigned i = 0; i < threads; ++i)
    my.loops.push_back(std::make_unique<io_loop>(my.shared));
  my.listen();
  auto port = my.door->local_endpoint().port();
  my.accept();
  for (auto& loop : my.loops)
    loop->start();
  my.started = true;
  return port;
}

bool server::drain(std::chrono::milliseconds deadline) {
  auto& my = *impl_;
  if (!my.started || my.ended)
    return true;
  my.ended = true;
  my.shared.draining = true;
  asio::post(my.loops.front()->context(), [&my] {
    boost::system::error_code ec;
    my.door->close(ec);
    my.pause->cancel();
  });
  for (auto& loop : my.loops)
    asio::post(loop->context(), [&loop] { loop->begin_drain(); });
  auto empty = [&my] { return my.shared.connections.load() == 0; };
  std::unique_lock lock(my.shared.mutex);
  auto clean = my.shared.emptied.wait_for(lock, deadline, empty);
  if (!clean) {
    for (auto& loop : my.loops)
      asio::post(loop->context(), [&loop] { loop->cut(); });
    my.shared.emptied.wait(lock, empty);
  }
  lock.unlock();
  for (auto& loop : my.loops)
    asio::post(loop->context(), [&loop] { loop->stop(); });
  for (auto& loop : my.loops)
    loop->join();
  my.arriving.reset();
  my.door.reset();
  my.pause.reset();
  return clean;
}

void server::watch(death_notice died) {
  impl_->shared.faults.watch(std::move(died));
}

bool server::broken() const {
  return impl_->shared.faults.broken();
}

std::size_t server::connections() const {
  return impl_->shared.connections.load();
}

} // namespace rahat::http
