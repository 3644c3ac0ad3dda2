#pragma once

#include "runtime/decider/kind.hpp"
#include "runtime/entity/levels.hpp"
#include "runtime/entity/limits.hpp"
#include "runtime/entity/mail.hpp"
#include "runtime/entity/outbox.hpp"
#include "runtime/entity/probe.hpp"
#include "runtime/entity/request_ring.hpp"
#include "runtime/ports/clock.hpp"
#include "runtime/ports/live.hpp"
#include "runtime/ports/store.hpp"

#include <atomic>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace rahat {

/// What a host does to the world outside its store. Called on the host's thread.
class host_outlet {
public:
  virtual ~host_outlet() = default;

  /// Hands a message to the target's host. May be lost: the outbox sends it again.
  virtual void tell(const entity_ref& source, const entity_ref& target, std::uint64_t n,
                    const std::string& body) = 0;

  /// Tells the source that its messages up to n have been applied. May be lost.
  virtual void acknowledge(const entity_ref& source, const entity_ref& target, std::uint64_t n) = 0;

  /// Posts mail_tick to the entity at that time or later.
  virtual void wake_at(const entity_ref& self, std::chrono::steady_clock::time_point when) = 0;

  virtual void happened(const live_event& event) = 0;

  /// The host wants to leave memory. True: nothing is on its way to it and it has been forgotten;
  /// no mail will come any more.
  virtual bool retire(const entity_ref& self, std::uint64_t incarnation) = 0;

  /// The host has ended after a failure and takes no more mail. `guilty`: its own doing, counts
  /// towards parking.
  virtual void failed(const entity_ref& self, std::uint64_t incarnation, bool guilty,
                      const std::string& reason, const std::string& body) = 0;

  /// The host has ended, and takes no more mail, because of a commit or message of a newer build:
  /// nothing of it may be skipped, and this node must leave its entity to others.
  virtual void level_too_high(const entity_ref& self, std::uint64_t incarnation,
                              const std::string& reason) = 0;
};

/// Where the writer leaves outcomes of commits: one mail for many of them.
class commit_inbox final : public commit_listener {
public:
  explicit commit_inbox(poster post) : post_(std::move(post)) {}

  void committed(std::uint64_t seq, std::uint64_t position) override;
  void failed(std::uint64_t seq, const commit_refusal& why) override;

  struct outcomes {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> committed; // seq, position
    std::optional<commit_refusal> failure; // of the first commit that failed
    std::uint64_t failed_seq = 0;
  };
  outcomes take();

private:
  outcomes& waiting();
  void notify(std::unique_lock<std::mutex>& lock);

  poster post_;
  std::mutex mutex_;
  std::unique_ptr<outcomes> waiting_; // none: idle entities are many
  bool notified_ = false;
};

/// Runs one entity: takes its mail in order, lets the decider decide on the speculative state,
/// hands the commit to the store and goes on, and releases nothing that goes out (reply, refusal,
/// acknowledgement, read, live event, message) before the last event it could have seen has been
/// committed [R1]. Single-threaded: the shell (caf_host) gives it one mail at a time. Knows no CAF,
/// so that the simulator and tests drive it directly. Protocol: docs/protocols/host.md.
class host {
public:
  struct environment {
    store& db;
    const clock& time;
    host_outlet& out;
    entity_probe& probe;
    const host_limits& limits;
    const host_levels& levels;
  };

  host(environment env, const kind& k, entity_ref self, std::uint64_t incarnation, poster post);
  ~host();

  /// Asks the store for the entity; mail that comes meanwhile waits.
  void start();

  /// Never throws: what the entity throws ends the host as a failure of its own.
  void handle(mail m);

  /// True once the host has ended; the shell drops it.
  bool ended() const { return phase_ == phase::ended; }

private:
  enum class phase { loading, running, ended };

  struct cause; // what a decision answers to: a request, a message, a timer or own work

  /// Something that goes out once `seq` has committed, or fails with it.
  struct held {
    std::uint64_t seq = 0;
    std::function<void(std::uint64_t position, const error* failure)> go;
    bool reply = false; // of the very request that the commit was decided for
  };

  /// A commit whose outcome has not been heard of.
  struct under_way {
    std::uint64_t seq = 0;
    bool of_client = false; // decided for a client's request
    std::string body;       // the message it applies, for the operator; else empty
  };

  /// The rows of one step of own work.
  struct feeding {
    feed_request what;
    std::uint64_t wanted_at = 0; // the seq that first wanted them
    bool asked = false;
    std::optional<wire::Feed> rows;
  };

  // -- mail, in host.cpp ------------------------------------------------------
  void take(mail& m);
  void drain();
  void process(mail m);
  bool can_decide() const;
  void take_request(mail_request m);
  void look_up(mail_request m);
  void answer_repeated(const request_ring::mark& mark, mail_request m);
  void answer_from_store(const uuid& id, mail_request m);
  void answer_later(const uuid& id, mail_request m);
  void decide_request(mail_request m);
  void take_look(mail_look m);
  void take_told(mail_told m);
  void take_tick();
  void on_loaded(mail_loaded m);
  void on_found(mail_found m);
  void on_feed(mail_feed m);
  void on_commits();
  void go_on();
  void work();
  void schedule();
  void try_retire(bool at_once);
  void leave();
  bool idle() const;
  /// Answers whatever waits with `code`; but the request whose own commit was rejected hears
  /// `internal` and the fault.
  void end(errc code, const std::string& why, std::uint64_t rejected_seq = 0,
           const std::string& fault = {});
  void fail(bool guilty, const std::string& reason, const std::string& body);
  void leave_to_newer(const std::string& reason);

  // -- commits, in host_commit.cpp ----------------------------------------------
  void commit_decision(decision d, const cause& why);
  void make_commit(decision& d, const cause& why);
  void answer_unchanged(const decision& d, const cause& why);
  void number_messages(const decision& d, const cause& why, commit& c, wire::Commit& payload);
  void mark_timers(const decision& d, const cause& why, commit& c, wire::Commit& payload);
  void mark_money(decision& d, commit& c, wire::Commit& payload);
  void answer_request(const decision& d, const cause& why, commit& c, wire::Commit& payload);
  void answer_late(const decision& d, commit& c, wire::Commit& payload);
  void publish(const decision& d, commit& c);
  void hold_effects(const cause& why, const commit& c);
  void send_later(const commit& c);
  void maybe_snapshot(std::size_t journalled);
  wire::Reply make_reply(const std::optional<std::string>& answer,
                         const std::optional<error>& refusal, std::uint32_t http_status);

  void hold(std::function<void(std::uint64_t, const error*)> go);
  void release(std::uint64_t seq, std::uint64_t position);
  context make_context(const principal& who) const;
  std::shared_ptr<const std::string> view();
  std::uint64_t speculative() const { return seq_ - committed_; }
  void replay(const wire::Commit& payload);

  environment env_;
  const kind& kind_;
  entity_ref self_;
  shard_id shard_;
  std::uint64_t incarnation_;
  poster post_;
  std::shared_ptr<commit_inbox> inbox_;
  std::unique_ptr<model> model_;

  phase phase_ = phase::loading;
  std::uint64_t seq_ = 0;       // evolved
  std::uint64_t committed_ = 0; // committed
  std::uint64_t position_ = 0;  // of committed_
  std::list<mail> queue_;
  std::list<held> held_;
  std::shared_ptr<const std::string> view_; // of seq_; dropped when it moves on

  request_ring requests_;
  std::map<entity_ref, std::uint64_t> heard_; // last applied message a source
  outbox outbox_;
  std::map<std::string, std::int64_t> timers_;
  std::unordered_map<uuid, std::vector<entities::reply_callback>> waiting_; // for late answers
  std::unordered_map<uuid, std::shared_ptr<wire::Reply>> uncommitted_replies_;
  std::list<under_way> under_way_; // in order of seq

  std::unique_ptr<mail_request> looking_up_; // blocks the mailbox until the store has answered
  std::uint64_t asked_store_ = 0;            // lookups that do not block
  std::uint64_t late_answers_ = 0;           // that have committed
  std::uint64_t late_answers_before_ = 0;    // of those, when `looking_up_` asked
  bool draining_ = false;                    // the shard goes to another node: nothing new is begun
  bool work_due_ = false;
  bool work_posted_ = false;
  std::unique_ptr<feeding> feed_; // of the step that comes next, if it needs rows

  std::size_t snapshot_bytes_ = 0;
  std::size_t tail_bytes_ = 0;
  std::chrono::steady_clock::time_point started_;
  std::chrono::steady_clock::time_point last_used_;
  std::vector<std::chrono::steady_clock::time_point> armed_; // ticks that are on their way
};

} // namespace rahat
