#include "gateways/http/io_loop.hpp"

#include "gateways/http/session.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

namespace rahat::http {

namespace {

/// How often deadlines are looked at: they are late by at most this much.
constexpr std::chrono::milliseconds tick_interval{100};

/// Keeps the session alive for as long as its coroutine runs.
task<> live(std::shared_ptr<session> connection) {
  co_await connection->run();
}

} // namespace

void edge::forget_connection() {
  if (connections.fetch_sub(1) != 1)
    return;
  std::lock_guard lock(mutex);
  emptied.notify_all();
}

void mailbox::post(letter word) {
  std::lock_guard lock(mutex_);
  if (loop_ == nullptr)
    return;
  letters_.push_back(std::move(word));
  if (letters_.size() == 1) // later ones are found by the delivery that is on its way
    asio::post(loop_->context_, [loop = loop_] { loop->deliver(); });
}

std::vector<mailbox::letter> mailbox::take() {
  std::lock_guard lock(mutex_);
  return std::exchange(letters_, {});
}

void mailbox::close() {
  std::lock_guard lock(mutex_);
  loop_ = nullptr;
}

io_loop::io_loop(edge& shared)
    : edge_(shared),
      work_(asio::make_work_guard(context_)),
      timer_(context_),
      mail_(std::make_shared<mailbox>(*this)),
      now_(monotonic::now()) {}

io_loop::~io_loop() {
  join();
}

void io_loop::start() {
  tick();
  arm();
  thread_ = std::thread([this] { run(); });
}

/// What threw is done with; the rest goes on.
void io_loop::run() {
  for (;;) {
    try {
      return void(context_.run());
    } catch (...) {
      fault("loop");
    }
  }
}

/// For a catch block: what is being handled.
void io_loop::fault(std::string_view where) {
  edge_.faults.happened(where, std::current_exception(), monotonic::now());
}

/// Closes the connection that a fault came from.
void io_loop::end(session& s) {
  try {
    s.cut();
  } catch (...) {
    fault("cut");
  }
}

void io_loop::join() {
  if (thread_.joinable())
    thread_.join();
}

void io_loop::adopt(tcp_socket socket, bool refused) {
  std::shared_ptr<session> connection;
  try {
    connection = std::make_shared<session>(*this, std::move(socket), refused);
    if (edge_.draining)
      connection->begin_drain();
    asio::co_spawn(context_, live(connection), [this](const std::exception_ptr& thrown) {
      if (thrown) // the session has gone with its coroutine
        edge_.faults.happened("session", thrown, monotonic::now());
    });
  } catch (...) {
    fault("adopt");
    if (!connection)
      edge_.forget_connection();
  }
}

void io_loop::begin_drain() {
  for (auto* s : sessions_)
    s->begin_drain();
}

void io_loop::cut() {
  auto all = sessions_; // a session that ends strikes itself off
  for (auto* s : all)
    if (std::find(sessions_.begin(), sessions_.end(), s) != sessions_.end())
      s->cut();
}

void io_loop::stop() {
  mail_->close();
  stopped_ = true; // a tick that is due already is not recalled by cancel
  timer_.cancel();
  work_.reset();
}

void io_loop::enlist(session& s) {
  s.slot = sessions_.size();
  sessions_.push_back(&s);
}

void io_loop::strike(session& s) {
  sessions_.back()->slot = s.slot;
  sessions_[s.slot] = sessions_.back();
  sessions_.pop_back();
}

void io_loop::deliver() {
  for (auto& word : mail_->take()) {
    auto s = word.to.lock();
    if (!s)
      continue;
    try {
      s->receive(std::move(word));
    } catch (...) {
      fault("receive");
      end(*s);
    }
  }
}

void io_loop::arm() {
  timer_.expires_after(tick_interval);
  timer_.async_wait([this](boost::system::error_code ec) {
    if (ec || stopped_)
      return;
    try {
      tick();
    } catch (...) {
      fault("tick");
    }
    arm(); // whatever happened: all deadlines hang on it
  });
}

void io_loop::tick() {
  now_ = monotonic::now();
  if (edge_.options.wall_clock_seconds) {
    auto second = edge_.options.wall_clock_seconds();
    if (second != date_second_) {
      date_second_ = second;
      date_ = http_date(second);
    }
  }
  for (std::size_t i = 0; i < sessions_.size();) {
    auto* s = sessions_[i];
    if (s->deadline() <= now_)
      expire(*s);
    if (i < sessions_.size() && sessions_[i] == s)
      ++i; // else it ended at once and another one took its place
  }
}

void io_loop::expire(session& s) {
  const auto stays = s.weak_from_this().lock();
  try {
    s.expire();
  } catch (...) {
    fault("expire");
    if (stays)
      end(s);
  }
}

} // namespace rahat::http
