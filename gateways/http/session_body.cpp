// How a session reads bodies: whole ones for JSON routes, piece by piece for streaming ones.
#include "gateways/http/session.hpp"

#include "gateways/http/text.hpp"

#include <boost/asio/buffer.hpp>

namespace rahat::http {

namespace {

constexpr std::size_t max_bytes_no_body = 1024; // of "{}" sent to a route that takes no body

} // namespace

task<> session::offer_continue() {
  if (!parser_->expects_continue || begin_ != end_ || answered_)
    co_return;
  constexpr std::string_view go = "HTTP/1.1 100 Continue\r\n\r\n";
  boost::system::error_code ec;
  socket_.write_some(asio::buffer(go.data(), go.size()), ec); // fits: nothing was sent before it
}

/// Reads a whole body. One that belongs to a refused request is read and dropped.
task<> session::read_body() {
  co_await offer_continue();
  enter(phase::body);
  auto refused = answered_;
  auto& body = admitted_.ask.body;
  auto most = refused                                 ? max_discarded_bytes
              : admitted_.to->body == body_kind::none ? max_bytes_no_body
                                                      : edge_.options.max_body_bytes;
  while (!parser_->is_done()) {
    if (!co_await read_some_body(body))
      co_return;
    if (body.size() <= most)
      continue;
    edge_.metrics.limit_hit(limit::body_bytes);
    refuse(problem({errc::body_too_large,
                    "the body may have at most " + std::to_string(most) + " bytes",
                    {}}));
    co_return;
  }
}

/// One step of reading: parses what is there or waits for more. False: it is over.
task<bool> session::read_some_body(std::string& into) {
  if (begin_ != end_) {
    bool failed = false;
    auto used = parser_->read_body({&buffer_[begin_], end_ - begin_}, into, failed);
    begin_ += used;
    if (failed || (used == 0 && end_ - begin_ >= body_buffer_bytes)) {
      refuse(problem(edge_problem::bad_request, "the body's framing is broken"));
      co_return false;
    }
    if (used > 0)
      co_return true;
  }
  co_return co_await fill();
}

void session::check_body() {
  auto& body = admitted_.ask.body;
  if (admitted_.to->body == body_kind::none) {
    std::erase_if(body, [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; });
    if (!body.empty() && body != "{}") {
      settle(problem({errc::malformed_body, "this path takes no body: send none, or {}", {}}));
      return;
    }
    body.clear();
  }
  if (!is_utf8(body))
    settle(problem({errc::malformed_body, "the body is not UTF-8: save it as UTF-8", {}}));
}

// -- streams

task<> session::stream_body() {
  co_await offer_continue();
  std::unique_ptr<body_reader> reader;
  admitted_.ask.deadline = monotonic::time_point::max(); // each step has its own deadline
  try {
    handling_scope scope(this);
    reader = admitted_.to->handle_stream(std::move(admitted_.ask));
  } catch (...) {
    reader.reset();
  }
  if (!reader) {
    refuse(internal_problem());
    co_return;
  }
  auto whole = co_await pump(*reader);
  if (!whole && !answered_ && !closed_) { // the reader has had enough
    close_after_ = true;
    unread_ = true;
  }
  auto asked = !answered_ && !closed_;
  if (asked)
    enter(phase::working);
  try {
    handling_scope scope(this);
    reader->finish(whole, asked ? make_responder() : responder([](response) {}));
  } catch (...) {
    answered_ = answered_ && !asked;
    settle(internal_problem());
  }
  co_await await_answer();
}

/// Reads the body to its end, piece by piece. False: broken off by either side.
task<bool> session::pump(body_reader& reader) {
  constexpr std::size_t progress_bytes = 16384; // what a client has to send each body_timeout
  std::uint64_t total = 0;
  std::size_t progress = 0;
  std::string piece;
  enter(phase::body);
  while (!parser_->is_done()) {
    piece.clear();
    if (!co_await read_some_body(piece))
      co_return false;
    if (piece.empty())
      continue;
    total += piece.size();
    if (total > edge_.options.max_stream_bytes) {
      edge_.metrics.limit_hit(limit::body_bytes);
      refuse(problem(
          {errc::body_too_large,
           "the body may have at most " + std::to_string(edge_.options.max_stream_bytes) + " bytes",
           {}}));
      co_return false;
    }
    auto left = deadline_ - loop_.coarse_now();
    if (!co_await hand_on(reader, piece))
      co_return false;
    enter(phase::body);
    progress += piece.size();
    if (progress < progress_bytes)
      deadline_ = loop_.coarse_now() + left; // the reader's time is not counted
    else
      progress = 0;
  }
  co_return true;
}

task<bool> session::hand_on(body_reader& reader, std::string_view piece) {
  enter(phase::working);
  may_go_on_ = false;
  auto proceed = [mail = loop_.mail(), to = weak_from_this(), id = this,
                  ticket = next_ticket()](bool go_on) {
    mailbox::letter word{to, ticket, false, go_on, {}};
    if (handling == id)
      id->receive(std::move(word));
    else
      mail->post(std::move(word));
  };
  try {
    handling_scope scope(this);
    reader.on_bytes(piece, std::move(proceed));
  } catch (...) {
    refuse(internal_problem());
  }
  while (!may_go_on_ && !answered_ && !closed_)
    co_await signal();
  if (answered_ || closed_) {
    close_after_ = true; // the deadline passed in the midst of a body
    unread_ = true;
    co_return false;
  }
  co_return go_on_;
}

} // namespace rahat::http
