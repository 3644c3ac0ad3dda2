#include "gateways/live/session.hpp"

#include "gateways/http/json_body.hpp"
#include "gateways/http/problem.hpp"
#include "gateways/http/reply_head.hpp"
#include "gateways/http/text.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/websocket/rfc6455.hpp>

namespace rahat::live {

namespace {

namespace beast = boost::beast;
namespace ws = boost::beast::websocket;

constexpr std::string_view protocol = "rahat.v2";
constexpr std::string_view bearer_protocol = "bearer.";
constexpr std::size_t max_topic_bytes = 200;
constexpr std::size_t max_token_bytes = 8192; // a feed's token names a position for each shard
constexpr std::size_t max_reason_bytes = 123; // RFC 6455 5.5: what a close frame can carry

std::string_view plain(beast::string_view text) {
  return {text.data(), text.size()};
}

/// The token of a handshake: from Authorization, else from the subprotocols, else empty.
std::string token_of(std::string_view authorization, std::string_view protocols) {
  constexpr std::string_view scheme = "Bearer ";
  if (authorization.size() > scheme.size() &&
      http::iequals(authorization.substr(0, scheme.size()), scheme))
    return std::string(http::trim(authorization.substr(scheme.size())));
  while (!protocols.empty()) {
    auto comma = protocols.find(',');
    auto one = http::trim(protocols.substr(0, comma));
    protocols = comma == std::string_view::npos ? std::string_view{} : protocols.substr(comma + 1);
    if (one.starts_with(bearer_protocol))
      return std::string(one.substr(bearer_protocol.size()));
  }
  return {};
}

/// What a client that was too slow is told: where to resume, if that fits a close frame.
ws::close_reason too_slow(const event* last) {
  std::string reason;
  if (last != nullptr)
    reason = "too slow: resume " + last->topic + " after " + last->token;
  if (reason.empty() || reason.size() > max_reason_bytes)
    reason = "too slow: resume each topic after its last token";
  return {ws::close_code::try_again_later, reason};
}

} // namespace

// -- outbox

bool outbox::push(std::shared_ptr<const event> what) {
  std::deque<waiter> dropped; // what they hold goes after the lock
  std::lock_guard lock(mutex_);
  if (closed_ || overflowed_)
    return false;
  if (queue_.size() == bound_) {
    overflowed_ = true;
    dropped.swap(waiting_);
    probe_.slow_consumer();
    probe_.unqueued(queue_.size());
    queue_.clear();
  } else {
    queue_.push_back(std::move(what));
    probe_.queued();
  }
  if (overflowed_ || queue_.size() == 1)
    wake_();
  return !overflowed_;
}

std::shared_ptr<const event> outbox::pop() {
  std::shared_ptr<const event> next;
  {
    std::lock_guard lock(mutex_);
    if (queue_.empty())
      return nullptr;
    next = std::move(queue_.front());
    queue_.pop_front();
    probe_.unqueued(1);
    if (waiting_.empty())
      return next;
  }
  let_in();
  return next;
}

void outbox::reserve(std::size_t most, std::function<void(std::size_t places)> then) {
  {
    std::lock_guard lock(mutex_);
    if (closed_ || overflowed_)
      return;
    waiting_.push_back({most, std::move(then)});
  }
  let_in();
}

void outbox::give_back(std::size_t places) {
  {
    std::lock_guard lock(mutex_);
    reserved_ -= std::min(places, reserved_);
  }
  let_in();
}

/// Whoever has waited longest, as long as there is room. They are called without the lock: they
/// push, and ask again.
void outbox::let_in() {
  for (;;) {
    waiter next;
    std::size_t places = 0;
    {
      std::lock_guard lock(mutex_);
      const auto used = queue_.size() + reserved_;
      if (waiting_.empty() || used > for_replays() / 2)
        return;
      next = std::move(waiting_.front());
      waiting_.pop_front();
      places = std::min(next.most, for_replays() - used);
      reserved_ += places;
    }
    next.then(places);
  }
}

bool outbox::overflowed() const {
  std::lock_guard lock(mutex_);
  return overflowed_;
}

void outbox::close() {
  std::deque<waiter> dropped; // they may hold the hub's last word of us: they go after the lock
  std::lock_guard lock(mutex_);
  if (closed_)
    return;
  closed_ = true;
  dropped.swap(waiting_);
  wake_ = nullptr;
  probe_.unqueued(queue_.size());
  queue_.clear();
}

// -- session

session::session(live_shared& shared, tcp_socket socket)
    : shared_(shared),
      stream_(std::move(socket)),
      signal_(shared.context),
      close_deadline_(shared.context) {
  shared_.sessions.insert(this);
  signal_.expires_at(http::monotonic::time_point::max());
}

session::~session() {
  if (outbox_) {
    outbox_->close();
    shared_.events.leave(outbox_);
    shared_.probe.disconnected();
  }
  shared_.sessions.erase(this);
  --shared_.connections;
}

void session::drain() {
  draining_ = true;
  signal_.cancel();
}

void session::cut() {
  draining_ = true;
  signal_.cancel();
  boost::system::error_code ec;
  stream_.next_layer().close(ec);
}

/// Parses and judges the handshake; a response is a refusal.
std::optional<http::response> session::check(std::string_view bytes, request& handshake) {
  beast::http::request_parser<beast::http::empty_body> parser;
  parser.header_limit(UINT32_MAX); // bounded by the HTTP server that read it
  beast::error_code ec;
  auto used = parser.put(asio::buffer(bytes.data(), bytes.size()), ec);
  if (ec || !parser.is_done() || used != bytes.size() || !ws::is_upgrade(parser.get()))
    return http::problem(http::edge_problem::bad_request, "this is not a WebSocket handshake");
  handshake = parser.release();
  if (shared_.connections > shared_.options.max_connections)
    return http::problem({errc::overloaded, "too many live connections: try again", {}});
  auto token = token_of(plain(handshake[beast::http::field::authorization]),
                        plain(handshake[beast::http::field::sec_websocket_protocol]));
  auto known = token.empty() || !shared_.who ? std::nullopt : shared_.who(token);
  if (!known)
    return http::problem({errc::unauthenticated,
                          "send the header 'Authorization: Bearer <token>' or the subprotocols "
                          "rahat.v2 and bearer.<token>",
                          {}});
  caller_ = std::move(*known);
  return std::nullopt;
}

task<> session::refuse(http::response answer) {
  std::string bytes;
  http::append_reply_head(bytes, answer, {false, false}, {});
  bytes += answer.body;
  auto& socket = stream_.next_layer();
  co_await asio::async_write(socket, asio::buffer(bytes), asio::as_tuple(http::awaiting));
  boost::system::error_code ec;
  socket.shutdown(tcp_socket::shutdown_send, ec);
}

task<> session::run(std::shared_ptr<session> self, std::string bytes_read) {
  auto& stream = self->stream_;
  auto& options = self->shared_.options;
  request handshake;
  if (auto no = self->check(bytes_read, handshake)) {
    co_await self->refuse(std::move(*no));
    co_return;
  }
  auto offered = handshake[beast::http::field::sec_websocket_protocol];
  auto agreed = http::has_token(plain(offered), protocol);
  stream.set_option(ws::stream_base::decorator([agreed](ws::response_type& reply) {
    if (agreed)
      reply.set(beast::http::field::sec_websocket_protocol, {protocol.data(), protocol.size()});
  }));
  stream.set_option(ws::stream_base::timeout{options.close_timeout, options.idle_timeout, true});
  stream.read_message_max(options.max_message_bytes);
  auto [ec] = co_await stream.async_accept(handshake, asio::as_tuple(http::awaiting));
  if (ec)
    co_return;
  stream.text(true);
  stream.auto_fragment(false); // an event is one frame
  auto wake = [weak = self->weak_from_this(), context = &self->shared_.context] {
    asio::post(*context, [weak] {
      if (auto s = weak.lock())
        s->on_wake();
    });
  };
  self->outbox_ =
      std::make_shared<outbox>(options.max_queued_events, std::move(wake), self->shared_.probe);
  self->shared_.probe.connected();
  asio::co_spawn(self->shared_.context, write(self), asio::detached);
  co_await self->read();
  self->reading_ended_ = true;
  self->outbox_->close(); // nobody is left to hear
  self->signal_.cancel();
}

task<> session::read() {
  beast::flat_buffer buffer;
  for (;;) {
    auto [ec, n] = co_await stream_.async_read(buffer, asio::as_tuple(http::awaiting));
    if (ec)
      co_return; // closed by either side, cut, or no pong in time
    if (stream_.got_text()) {
      understand({static_cast<const char*>(buffer.data().data()), n});
    } else {
      tell_error("", {errc::malformed_body, "send text frames with JSON", {}});
    }
    buffer.consume(n);
  }
}

task<> session::write(std::shared_ptr<session> self) {
  auto& my = *self;
  while (!my.reading_ended_) {
    if (my.outbox_->overflowed()) {
      co_await my.send_close(too_slow(my.last_.get()));
      co_return;
    }
    if (my.draining_) {
      co_await my.send_close({ws::close_code::going_away, "this node is stopping: reconnect"});
      co_return;
    }
    auto next = my.outbox_->pop();
    if (!next) {
      co_await my.signal_.async_wait(asio::as_tuple(http::awaiting));
      continue;
    }
    auto [ec, n] =
        co_await my.stream_.async_write(asio::buffer(next->frame), asio::as_tuple(http::awaiting));
    if (ec)
      co_return;
    if (!next->token.empty())
      my.last_ = std::move(next);
  }
}

/// The hub has something for us, or had too much.
void session::on_wake() {
  if (outbox_->overflowed())
    arm_close_deadline(); // a write that the client does not take may stand in the way
  signal_.cancel();
}

void session::arm_close_deadline() {
  close_deadline_.expires_after(shared_.options.close_timeout);
  close_deadline_.async_wait([weak = weak_from_this()](boost::system::error_code ec) {
    if (auto s = ec ? nullptr : weak.lock())
      s->cut();
  });
}

task<> session::send_close(ws::close_reason why) {
  arm_close_deadline();
  co_await stream_.async_close(why, asio::as_tuple(http::awaiting));
  close_deadline_.cancel();
}

/// One message from the client: {"subscribe":[...],"after":{topic: token}}.
void session::understand(std::string_view text) {
  auto& options = shared_.options;
  http::json_reader in(text);
  auto topics = in.optional_strings("subscribe", options.max_topics, max_topic_bytes);
  auto after = in.optional_string_map("after", options.max_topics, max_token_bytes);
  if (auto wrong = in.finish()) {
    tell_error("", *wrong);
    return;
  }
  for (auto& topic : topics) {
    std::optional<std::string> from;
    for (auto& [name, token] : after)
      if (name == topic && !token.empty())
        from = token;
    subscribe(topic, from);
  }
}

void session::subscribe(const std::string& topic, const std::optional<std::string>& after) {
  if (topics_.contains(topic))
    return tell_error(topic, {errc::already_exists, "this topic is subscribed already", {}});
  if (topics_.size() == shared_.options.max_topics)
    return tell_error(topic, {errc::limit_exceeded,
                              "a connection follows at most " +
                                  std::to_string(shared_.options.max_topics) + " topics",
                              {}});
  // Events that were replayed may stand before it.
  auto placed = [to = outbox_, now = shared_.options.now, topic] {
    to->push(make_event(topic, "", "subscribed", now ? now() : std::string{}, "{}"));
  };
  if (auto wrong = shared_.events.subscribe(caller_, topic, after, outbox_, std::move(placed)))
    return tell_error(topic, *wrong);
  topics_.insert(topic);
  if (after)
    shared_.probe.resumed();
}

void session::tell(const std::string& topic, std::string_view type, std::string_view data) {
  auto at = shared_.options.now ? shared_.options.now() : std::string{};
  outbox_->push(make_event(topic, "", type, at, data));
}

void session::tell_error(const std::string& topic, const error& wrong) {
  tell(topic, "error", http::problem(wrong).body);
}

} // namespace rahat::live
