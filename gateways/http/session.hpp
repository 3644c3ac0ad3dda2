#pragma once

#include "gateways/http/head_parser.hpp"
#include "gateways/http/io_loop.hpp"
#include "gateways/http/reply_head.hpp"

#include <memory>
#include <optional>
#include <string>

namespace rahat::http {

inline constexpr std::size_t body_buffer_bytes = 65536; // a body is read in pieces up to this size
inline constexpr std::size_t max_discarded_bytes = 65536; // of a refused body: saves the connection

/// The session whose handler runs on this thread right now: its word need not go through the mail.
extern thread_local session* handling;

class handling_scope {
public:
  explicit handling_scope(session* s) { handling = s; }
  ~handling_scope() { handling = nullptr; }
  handling_scope(const handling_scope&) = delete;
  handling_scope& operator=(const handling_scope&) = delete;
};

/// What a client sees of an exception in a handler.
response internal_problem();

/// One connection: a coroutine on its loop's thread that reads a request, has it answered and
/// writes the reply, over and over. Buffers are kept from request to request. Owned by that
/// coroutine; responders hold it weakly.
class session : public std::enable_shared_from_this<session> {
public:
  session(io_loop& loop, tcp_socket socket, bool refused);
  ~session();

  session(const session&) = delete;
  session& operator=(const session&) = delete;

  /// The connection's life. Keep a shared_ptr to the session in the frame that awaits it.
  task<> run();

  /// Word from a handler. Loop thread only.
  void receive(mailbox::letter word);

  /// What the loop's timer calls when `deadline` has passed.
  void expire();

  void begin_drain();
  void cut();

  monotonic::time_point deadline() const { return deadline_; }

  std::size_t slot = 0; // place in the loop's list

private:
  /// What the connection is doing, hence which deadline runs and what its passing means.
  enum class phase { idle, header, body, working, sending, lingering };
  enum class scan { complete, partial, too_large };

  struct resumer; // the suspended coroutine, type erased

  void enter(phase next);
  scan find_head();
  void make_room(std::size_t capacity_limit);
  task<bool> fill(); // false: end of stream, error or deadline

  // One request, in this order.
  bool needs_serving() const;
  task<> serve();
  void read_head(scan found);
  void admit();
  bool wants_upgrade() const;
  void hand_over();
  task<> read_body();
  task<bool> read_some_body(std::string& into);
  task<> offer_continue();
  task<> stream_body();
  task<bool> pump(body_reader& reader);
  task<bool> hand_on(body_reader& reader, std::string_view piece);
  void check_body();
  void take_key();
  void call_handler();
  void start_reply();
  bool write_now();
  task<> write_rest();
  void finish_request();
  task<> linger();

  task<> await_answer();
  task<> signal();
  void wake();
  std::uint64_t next_ticket() { return ++ticket_; }
  responder make_responder();
  void settle(response answer);
  void refuse(response answer); // settles, and ends the connection after the reply
  void close();

  io_loop& loop_;
  edge& edge_;
  tcp_socket socket_;
  const bool refused_;
  phase phase_ = phase::idle;
  monotonic::time_point deadline_;
  bool closed_ = false;
  bool expired_ = false;     // the read deadline passed
  bool close_after_ = false; // no further request on this connection
  bool unread_ = false;      // the client may still be sending: linger before closing

  std::unique_ptr<char[]> buffer_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t scanned_ = 0; // bytes after begin_ that hold no end of header
  std::size_t head_size_ = 0;

  std::optional<head_parser> parser_;
  admission admitted_;
  bool head_only_ = false;      // a HEAD request: no reply to it has a body, whatever it says
  bool being_answered_ = false; // the probe has heard of its start, not of its end
  monotonic::time_point started_;
  in_flight_table::hold key_;

  std::uint64_t ticket_ = 0; // of the word that is waited for
  bool answered_ = false;
  bool may_go_on_ = false; // a body reader has said something,
  bool go_on_ = false;     // namely this
  response answer_;
  std::unique_ptr<resumer> resume_;

  std::string head_; // the reply's head
  std::size_t sent_ = 0;
  std::size_t content_size_ = 0; // bytes of the reply's body that are sent
  unsigned busy_turns_ = 0;      // requests served without giving way to other connections
};

} // namespace rahat::http
