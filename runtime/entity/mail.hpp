#pragma once

#include "runtime/entity/probe.hpp"
#include "runtime/ports/entities.hpp"
#include "runtime/ports/store.hpp"

#include <atomic>
#include <functional>
#include <optional>
#include <utility>
#include <variant>

namespace rahat {

/// Inbox credits of one entity that are in use, shared by its region entry and its mail.
struct admission {
  std::atomic<std::uint32_t> in_flight{0};
};

/// One inbox credit. Whoever lets go of the mail that holds it gives it back, wherever that is: in
/// its host, in the mailbox of a host that has ended, in a shell that is shutting down.
class inbox_credit {
public:
  inbox_credit() = default;

  /// `probe` and `kind` outlive the credit.
  inbox_credit(std::shared_ptr<admission> from, entity_probe& probe, std::string_view kind)
      : from_(std::move(from)), probe_(&probe), kind_(kind) {
    ++from_->in_flight;
    probe_->mail_posted(kind_);
  }

  inbox_credit(inbox_credit&& other) noexcept = default;
  inbox_credit& operator=(inbox_credit&& other) noexcept {
    give_back();
    from_ = std::move(other.from_);
    probe_ = other.probe_;
    kind_ = other.kind_;
    return *this;
  }
  ~inbox_credit() { give_back(); }

  void give_back() {
    if (auto from = std::exchange(from_, nullptr)) {
      --from->in_flight;
      probe_->mail_taken(kind_);
    }
  }

private:
  std::shared_ptr<admission> from_;
  entity_probe* probe_ = nullptr;
  std::string_view kind_;
};

/// A client's callback, made exactly once: mail that is let go without an answer (its host has
/// ended, the shell drops its mailbox) is answered as retryable.
template <class Callback>
class answer_slot {
public:
  answer_slot() = default;
  answer_slot(Callback done) : done_(std::move(done)) {}
  answer_slot(answer_slot&& other) noexcept : done_(other.take()) {}
  answer_slot& operator=(answer_slot&& other) noexcept {
    std::swap(done_, other.done_); // the other answers what was here
    return *this;
  }
  ~answer_slot() {
    if (done_)
      take()(error{errc::unavailable, "the entity has just been restarted: try again", {}});
  }

  template <class T>
  void operator()(T&& answer) {
    take()(std::forward<T>(answer));
  }

  explicit operator bool() const { return static_cast<bool>(done_); }

  /// The callback itself; whoever has it owes the answer.
  Callback take() { return std::exchange(done_, nullptr); }

private:
  Callback done_;
};

// What reaches an entity's host. `request`, `look` and `told` hold an inbox credit until decided.

struct mail_request {
  request ask;
  answer_slot<entities::reply_callback> done;
  inbox_credit credit = {};
};

struct mail_look {
  std::chrono::steady_clock::time_point deadline;
  answer_slot<entities::view_callback> done;
  inbox_credit credit = {};
};

struct mail_told {
  entity_ref source;
  std::uint64_t n = 0;
  std::string body; // serialised wire::Told
  inbox_credit credit = {};
};

/// The target has applied our messages up to n.
struct mail_acknowledged {
  entity_ref target;
  std::uint64_t n = 0;
};

struct mail_tick {};      // a time that the host asked to be woken at has come
struct mail_work {};      // go on with the entity's own work
struct mail_wake {};      // be in memory; nothing else
struct mail_make_room {}; // memory is short: leave it now if you are idle

/// Outcomes of commits wait in the host's commit_inbox.
struct mail_commits {};

struct mail_loaded {
  outcome<loaded_entity> what;
};

struct mail_feed {
  feed_request asked;
  outcome<wire::Feed> rows;
};

struct mail_found {
  uuid request;
  outcome<std::optional<request_row>> row;
};

/// The shard is no longer ours, or the node stops: answer everything as retryable and end.
struct mail_stop {
  error why;
};

/// The shard is being handed over: finish the mail that is here, start nothing new, end.
struct mail_drain {};

using mail = std::variant<mail_request, mail_look, mail_told, mail_acknowledged, mail_tick,
                          mail_work, mail_wake, mail_make_room, mail_commits, mail_loaded,
                          mail_feed, mail_found, mail_stop, mail_drain>;

/// Puts mail into a host's mailbox, from any thread.
using poster = std::function<void(mail)>;

} // namespace rahat
