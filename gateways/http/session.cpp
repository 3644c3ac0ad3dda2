#include "gateways/http/session.hpp"

#include "gateways/http/text.hpp"

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <cstring>

namespace rahat::http {

namespace {

constexpr std::size_t first_buffer_bytes = 4096;
constexpr std::size_t kept_buffer_bytes = 16384; // what an idle connection may keep
constexpr std::size_t max_lingering_bytes = 262144;
constexpr std::chrono::seconds linger_time{2};
constexpr std::chrono::milliseconds tick_slack{100}; // the loop's clock is that much behind
constexpr unsigned max_busy_turns = 16;     // pipelined requests served before others get a turn
constexpr unsigned status_unanswered = 499; // for metrics: the connection ended before the reply

} // namespace

thread_local session* handling = nullptr;

response internal_problem() {
  return problem({errc::internal, "something went wrong here; the log says more", {}});
}

struct session::resumer {
  virtual ~resumer() = default;
  virtual void go() = 0;
};

session::session(io_loop& loop, tcp_socket socket, bool refused)
    : loop_(loop), edge_(loop.shared()), socket_(std::move(socket)), refused_(refused) {
  loop_.enlist(*this);
  edge_.metrics.connection_opened();
  boost::system::error_code ec;
  socket_.non_blocking(true, ec);
  socket_.set_option(asio::ip::tcp::no_delay(true), ec);
  // Who connects is about to ask: until then the shorter of both deadlines.
  deadline_ = loop_.coarse_now() + tick_slack +
              std::min(edge_.options.header_timeout, edge_.options.idle_timeout);
}

session::~session() {
  close();
  if (being_answered_)
    edge_.metrics.request_finished(admitted_.label, admitted_.ask.verb, status_unanswered, 0);
  loop_.strike(*this);
  edge_.metrics.connection_closed();
  edge_.forget_connection();
}

void session::enter(phase next) {
  auto& o = edge_.options;
  phase_ = next;
  std::chrono::milliseconds allowed = o.idle_timeout;
  switch (next) {
    case phase::idle: break;
    case phase::header: allowed = o.header_timeout; break;
    case phase::body: allowed = o.body_timeout; break;
    case phase::working: allowed = o.reply_timeout; break;
    case phase::sending: allowed = o.send_timeout; break;
    case phase::lingering: allowed = linger_time; break;
  }
  deadline_ = loop_.coarse_now() + tick_slack + allowed;
}

void session::expire() {
  switch (phase_) {
    case phase::idle:
    case phase::lingering: close(); break;
    case phase::header:
    case phase::body: {
      expired_ = true;
      deadline_ = monotonic::time_point::max();
      boost::system::error_code ec;
      socket_.cancel(ec); // the pending read ends, the coroutine answers 408
      break;
    }
    case phase::working:
      edge_.metrics.limit_hit(limit::reply_deadline);
      deadline_ = monotonic::time_point::max();
      settle(problem({errc::timed_out,
                      "there was no answer in time; send the request again with the same "
                      "Idempotency-Key to learn what became of it",
                      {}}));
      break;
    case phase::sending:
      edge_.metrics.limit_hit(limit::send_deadline);
      close_after_ = true;
      close();
      break;
  }
}

void session::begin_drain() {
  if (phase_ == phase::idle)
    close();
}

void session::cut() {
  close_after_ = true;
  close();
  wake();
}

void session::close() {
  if (closed_)
    return;
  closed_ = true;
  boost::system::error_code ec;
  socket_.close(ec);
}

// -- the life of a connection

task<> session::run() {
  if (refused_) {
    edge_.metrics.limit_hit(limit::connections);
    refuse(problem({errc::overloaded, "too many connections: try again in a moment", {}}));
    start_reply();
    write_now(); // a few bytes into an empty buffer; a client that takes none gets none
    co_await linger();
    co_return;
  }
  while (!closed_ && !close_after_) {
    auto found = find_head();
    if (found == scan::partial) {
      auto next = begin_ == end_ ? phase::idle : phase::header;
      if (next != phase_ && !(next == phase::idle && edge_.draining))
        enter(next);
      else if (next == phase::idle && edge_.draining)
        break;
      make_room(edge_.options.max_header_bytes + first_buffer_bytes);
      auto [ec, n] = co_await socket_.async_read_some(
          asio::buffer(buffer_.get() + end_, capacity_ - end_), asio::as_tuple(awaiting));
      end_ += n;
      if (ec && !expired_)
        break;
      if (!expired_)
        continue;
    }
    read_head(found);
    if (closed_)
      co_return; // handed over
    if (needs_serving()) {
      co_await serve();
    } else if (!answered_) {
      call_handler();
      if (!answered_)
        co_await await_answer();
    }
    if (closed_)
      break;
    start_reply();
    if (!write_now())
      co_await write_rest();
    finish_request();
    if (++busy_turns_ % max_busy_turns == 0)
      co_await asio::post(loop_.context(), awaiting);
  }
  if (unread_ && !closed_)
    co_await linger();
  close();
}

/// True for those that take the slower road: a body to read, or a streaming handler.
bool session::needs_serving() const {
  if (!parser_)
    return false; // not HTTP: there is nothing to read on
  return !parser_->is_done() || (!answered_ && admitted_.to->body == body_kind::stream);
}

task<> session::serve() {
  if (answered_) { // refused by its head: read on only where that saves the connection
    auto length = parser_->content_length();
    if (!length || *length > max_discarded_bytes || parser_->expects_continue || close_after_) {
      close_after_ = true;
      unread_ = true;
      co_return;
    }
  }
  if (!answered_ && admitted_.to->body == body_kind::stream) {
    co_await stream_body();
    co_return;
  }
  co_await read_body();
  if (closed_ || answered_)
    co_return;
  check_body();
  if (!answered_)
    call_handler();
  if (!answered_)
    co_await await_answer();
}

session::scan session::find_head() {
  while (end_ - begin_ >= 2 && std::memcmp(&buffer_[begin_], "\r\n", 2) == 0) {
    begin_ += 2; // RFC 9112 2.2: empty lines before a request are skipped
    scanned_ = 0;
  }
  auto size = end_ - begin_;
  if (size == 0)
    return scan::partial;
  auto* start = &buffer_[begin_];
  auto from = scanned_ > 3 ? scanned_ - 3 : 0;
  auto* found = static_cast<char*>(memmem(start + from, size - from, "\r\n\r\n", 4));
  if (found != nullptr) {
    head_size_ = static_cast<std::size_t>(found - start) + 4;
    return head_size_ > edge_.options.max_header_bytes ? scan::too_large : scan::complete;
  }
  scanned_ = size;
  return size > edge_.options.max_header_bytes ? scan::too_large : scan::partial;
}

/// Sees to it that there is room to read into. A read that filled the buffer doubles it.
void session::make_room(std::size_t capacity_limit) {
  auto was_full = capacity_ > 0 && end_ == capacity_;
  if (begin_ == end_) {
    begin_ = end_ = 0;
    if (phase_ == phase::idle && capacity_ > kept_buffer_bytes) {
      capacity_ = 0; // what a long body needed is not kept by an idle connection
      was_full = false;
    }
  }
  if (capacity_ == 0) {
    capacity_ = first_buffer_bytes;
    buffer_ = std::make_unique_for_overwrite<char[]>(capacity_);
    return;
  }
  if (!was_full)
    return;
  if (capacity_ < capacity_limit) {
    auto bigger = std::min(capacity_ * 2, capacity_limit);
    auto room = std::make_unique_for_overwrite<char[]>(bigger);
    std::memcpy(room.get(), buffer_.get() + begin_, end_ - begin_);
    buffer_ = std::move(room);
    capacity_ = bigger;
  } else {
    std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
  }
  end_ -= begin_;
  begin_ = 0;
}

task<bool> session::fill() {
  make_room(body_buffer_bytes);
  auto [ec, n] = co_await socket_.async_read_some(
      asio::buffer(buffer_.get() + end_, capacity_ - end_), asio::as_tuple(awaiting));
  end_ += n;
  if (expired_) {
    edge_.metrics.limit_hit(limit::body_deadline);
    refuse(problem(edge_problem::request_timeout, "the body did not arrive in time"));
    co_return false;
  }
  if (!ec)
    co_return true;
  close_after_ = true;
  close();
  co_return false;
}

// -- one request

void session::read_head(scan found) {
  started_ = monotonic::now();
  next_ticket();
  answered_ = false;
  scanned_ = 0;
  parser_.reset();
  head_only_ = std::string_view(buffer_.get() + begin_, end_ - begin_).starts_with("HEAD ");
  edge_.metrics.request_started();
  being_answered_ = true;
  if (expired_) {
    edge_.metrics.limit_hit(limit::header_deadline);
    refuse(problem(edge_problem::request_timeout, "the header did not arrive in time"));
    return;
  }
  if (found == scan::too_large) {
    auto* start = &buffer_[begin_];
    auto* line = static_cast<char*>(memmem(start, end_ - begin_, "\r\n", 2));
    auto first = line == nullptr ? end_ - begin_ : static_cast<std::size_t>(line - start);
    auto target = first > edge_.options.max_target_bytes;
    edge_.metrics.limit_hit(target ? limit::target_length : limit::header_bytes);
    refuse(problem(target ? edge_problem::uri_too_long : edge_problem::header_too_large,
                   target ? "path and query are too long" : "the header fields are too long"));
    return;
  }
  parser_.emplace(edge_.options.max_target_bytes);
  if (!parser_->read_head({&buffer_[begin_], head_size_})) {
    if (parser_->fault.what == edge_problem::uri_too_long)
      edge_.metrics.limit_hit(limit::target_length);
    refuse(problem(parser_->fault.what, parser_->fault.detail));
    parser_.reset();
    return;
  }
  auto target = parser_->head.target;
  if (edge_.options.on_upgrade &&
      target.substr(0, target.find('?')) == edge_.options.upgrade_path) {
    if (wants_upgrade() && edge_.routes.ready()) {
      hand_over();
      return;
    }
    settle(edge_.routes.ready()
               ? problem(edge_problem::upgrade_required, "connect to this path with a WebSocket")
               : problem({errc::not_ready, "this node does not serve now: try again", {}}));
  }
  begin_ += head_size_;
  admit();
}

bool session::wants_upgrade() const {
  return parser_->upgrade() && parser_->is_done() && parser_->head.verb == "GET" &&
         has_token(parser_->upgrade_to, "websocket");
}

void session::hand_over() {
  edge_.metrics.request_finished(edge_.options.upgrade_path, method::get, 101, 0);
  being_answered_ = false;
  auto target = std::string(parser_->head.target);
  std::string bytes(&buffer_[begin_], end_ - begin_);
  boost::system::error_code ec;
  auto fd = socket_.release(ec);
  closed_ = true;
  if (!ec)
    edge_.options.on_upgrade({fd, std::move(bytes), std::move(target)});
}

void session::admit() {
  if (!parser_->keep_alive())
    close_after_ = true;
  if (answered_)
    return;
  parser_->head.has_body = !parser_->is_done();
  admitted_ = edge_.routes.admit(parser_->head, edge_.who);
  if (admitted_.refusal) {
    settle(std::move(*admitted_.refusal));
    return;
  }
  auto length = parser_->content_length();
  auto stream = admitted_.to->body == body_kind::stream;
  auto most = stream ? edge_.options.max_stream_bytes : edge_.options.max_body_bytes;
  if (length && *length > most) {
    edge_.metrics.limit_hit(limit::body_bytes);
    refuse(problem({errc::body_too_large,
                    "the body may have at most " + std::to_string(most) + " bytes",
                    {}}));
    return;
  }
  if (length && !stream)
    admitted_.ask.body.reserve(*length);
  take_key();
}

void session::take_key() {
  auto& ask = admitted_.ask;
  if (!admitted_.to->needs_idempotency_key)
    return;
  std::string name;
  for (auto part : {std::string_view(ask.who.user), to_string(ask.verb), std::string_view(ask.path),
                    std::string_view(ask.idempotency_key)}) {
    name += part;
    name += '\0';
  }
  switch (edge_.keys->take(name, key_)) {
    case in_flight_table::verdict::taken: return;
    case in_flight_table::verdict::running:
      settle(problem({errc::idempotency_key_in_flight,
                      "the first request with this Idempotency-Key is still running: ask again "
                      "in a second",
                      "Idempotency-Key"}));
      return;
    case in_flight_table::verdict::full:
      edge_.metrics.limit_hit(limit::in_flight_keys);
      settle(
          problem({errc::overloaded, "too many requests are running: try again in a moment", {}}));
  }
}

void session::call_handler() {
  enter(phase::working);
  admitted_.ask.deadline = started_ + edge_.options.reply_timeout;
  handling_scope scope(this);
  try {
    admitted_.to->handle(std::move(admitted_.ask), make_responder());
  } catch (...) {
    answered_ = false; // the dropped responder has answered 503; this is not for a retry
    settle(internal_problem());
  }
}

// -- words from handlers

responder session::make_responder() {
  return responder([mail = loop_.mail(), to = weak_from_this(), id = this,
                    ticket = next_ticket()](response answer) {
    mailbox::letter word{to, ticket, true, false, std::move(answer)};
    if (handling == id)
      id->receive(std::move(word));
    else
      mail->post(std::move(word));
  });
}

void session::receive(mailbox::letter word) {
  if (word.ticket != ticket_ || closed_)
    return;
  if (word.is_answer) {
    settle(std::move(word.answer));
    return;
  }
  may_go_on_ = true;
  go_on_ = word.go_on;
  wake();
}

void session::settle(response answer) {
  if (answered_)
    return;
  answered_ = true;
  answer_ = std::move(answer);
  wake();
}

void session::refuse(response answer) {
  close_after_ = true;
  unread_ = true;
  settle(std::move(answer));
}

void session::wake() {
  if (auto waiting = std::move(resume_))
    waiting->go();
}

/// Suspends until `wake`.
task<> session::signal() {
  auto keep = [this]<class Handler>(Handler handler) {
    struct of : resumer {
      explicit of(Handler h) : handler_(std::move(h)) {}
      void go() override {
        auto h = std::move(handler_); // may end the session: nothing of this is touched after
        std::move(h)();
      }
      Handler handler_;
    };
    resume_ = std::make_unique<of>(std::move(handler));
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<executor>, void()>(keep, awaiting);
}

task<> session::await_answer() {
  while (!answered_ && !closed_)
    co_await signal();
}

// -- the reply

void session::start_reply() {
  auto modern = !parser_ || parser_->modern;
  if (edge_.draining)
    close_after_ = true;
  head_.clear();
  append_reply_head(head_, answer_, {!modern, !close_after_}, loop_.date());
  content_size_ = head_only_ || !has_content(answer_.status) ? 0 : answer_.body.size();
  sent_ = 0;
  enter(phase::sending);
}

/// Writes as much as the kernel takes, head and body in one call. False: more is left.
bool session::write_now() {
  auto all = head_.size() + content_size_;
  while (sent_ < all) {
    auto of_head = std::min(sent_, head_.size());
    auto of_body = sent_ - of_head;
    std::array<asio::const_buffer, 2> left = {
        asio::buffer(head_.data() + of_head, head_.size() - of_head),
        asio::buffer(answer_.body.data() + of_body, content_size_ - of_body)};
    boost::system::error_code ec;
    sent_ += socket_.write_some(left, ec);
    if (ec == asio::error::would_block || ec == asio::error::try_again)
      return false;
    if (ec) {
      close_after_ = true;
      close();
      return true;
    }
  }
  return true;
}

task<> session::write_rest() {
  do {
    auto [ec] = co_await socket_.async_wait(tcp_socket::wait_write, asio::as_tuple(awaiting));
    if (ec || closed_) {
      close_after_ = true;
      close();
      co_return;
    }
  } while (!write_now());
}

void session::finish_request() {
  std::chrono::duration<double> took = monotonic::now() - started_;
  edge_.metrics.request_finished(admitted_.label, admitted_.ask.verb, answer_.status, took.count());
  being_answered_ = false;
  key_.release();
  admitted_ = {};
  answer_ = {};
}

/// Gives the client time to read a reply that came before its request was read: closing at once
/// would reset the connection and might destroy the reply on its way.
task<> session::linger() {
  boost::system::error_code ignored;
  socket_.shutdown(tcp_socket::shutdown_send, ignored);
  enter(phase::lingering);
  begin_ = end_ = 0;
  make_room(first_buffer_bytes);
  for (std::size_t dropped = 0; dropped < max_lingering_bytes && !closed_;) {
    auto [ec, n] = co_await socket_.async_read_some(asio::buffer(buffer_.get(), capacity_),
                                                    asio::as_tuple(awaiting));
    if (ec)
      break;
    dropped += n;
  }
  close();
}

} // namespace rahat::http
