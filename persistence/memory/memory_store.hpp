#pragma once

#include "persistence/memory/fault_plan.hpp"
#include "persistence/memory/memory_database.hpp"
#include "persistence/memory/statement.hpp"
#include "runtime/ports/clock.hpp"
#include "runtime/ports/queries.hpp"
#include "runtime/ports/shard_store.hpp"
#include "runtime/ports/store.hpp"

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <variant>
#include <vector>

namespace rahat {

/// How a twin of the store runs.
struct memory_options {
  enum class drive {
    threaded, // a thread of the twin's own calls back; joined by the destructor
    manual,   // nothing happens until `run_one` or `run_all`: the caller is the scheduler
  };
  drive mode = drive::threaded;

  /// writer = shard mod writers.
  std::uint16_t writers = 2;

  /// Commits of one batch at most.
  std::size_t batch_commits = 64;

  /// Batches and reads that meet no server are sent again this often, then given up.
  std::uint32_t attempts = 10;

  /// Connections that one batch may lose in a row before it is taken to be the reason: its commits
  /// then go one by one, and the one that loses as many alone is rejected.
  std::uint32_t losses = 3;

  /// Take every shard at the start; else `take_over` each.
  bool take_all_shards = true;

  /// For retention, due timers and nothing else; the system's if null. Outlives the twin.
  const clock* time = nullptr;
};

/// The twin of the Postgres store, in memory: same port, same rules, same failures, no server.
/// Contract: docs/protocols/store.md. Deterministic in manual mode: the same calls in the same
/// order give the same callbacks in the same order, hashes included.
///
/// Thread-safe. Callbacks are made without any lock held, so they may call the twin again.
class memory_store final : public store, public queries, public shard_store {
public:
  explicit memory_store(std::shared_ptr<memory_database> rows, memory_options options = {});

  /// Gives up what is queued: listeners and callbacks hear `unavailable`. After `crash` they hear
  /// nothing.
  ~memory_store() override;

  memory_store(const memory_store&) = delete;
  memory_store& operator=(const memory_store&) = delete;

  // Both ports name the same type.
  template <class T>
  using callback = std::function<void(outcome<T>)>;

  // -- the ports ----------------------------------------------------------------------------

  void write(commit c, std::shared_ptr<commit_listener> listener) override;
  std::int64_t writer_credit(shard_id shard) const override;
  void load(const entity_ref& entity, std::uint64_t incarnation, std::uint32_t evolve_version,
            callback<loaded_entity> done) override;
  void find_request(const entity_ref& entity, const uuid& request,
                    callback<std::optional<request_row>> done) override;
  void feed(const feed_request& what, callback<wire::Feed> done) override;
  void save_snapshot(snapshot_row row) override;
  void acknowledged(const entity_ref& source, const entity_ref& target, std::uint64_t n) override;
  void pending(shard_id shard, std::uint32_t limit,
               callback<std::vector<entity_ref>> done) override;
  void park(parked_row row) override;
  void parked(std::uint64_t after, std::uint32_t limit,
              callback<std::vector<parked_row>> done) override;
  void release(const entity_ref& entity, callback<std::uint64_t> done) override;
  void journal(shard_id shard, std::uint64_t after, std::uint32_t limit,
               callback<std::vector<journal_row>> done) override;
  void history(const entity_ref& entity, std::uint64_t after, std::uint32_t limit,
               callback<std::vector<journal_row>> done) override;
  void heads(callback<std::vector<shard_head>> done) override;
  void on_fenced(std::function<void(std::vector<shard_id>)> listener) override;

  void list(list_query q, callback<page> done) override;
  void document(std::string kind, uuid id, callback<std::string> done) override;
  void lines(uuid list, std::int64_t after, std::uint32_t limit,
             callback<std::vector<stored_line>> done) override;
  void rows(uuid upload, std::vector<std::uint32_t> ordinals,
            callback<std::vector<stored_row>> done) override;
  void upload_errors(uuid upload, std::int64_t after, std::uint32_t limit,
                     callback<std::vector<stored_error>> done) override;

  void adopt(const shard_grant& shard) override;
  void give_up(shard_id shard, std::int64_t epoch,
               std::function<void(std::variant<shard_grant, error>)> done) override;

  // -- for whoever drives it ----------------------------------------------------------------

  /// Takes the shard under a new epoch, also from another twin over the same rows. What is queued
  /// for it is refused as superseded; hosts load anew.
  void take_over(shard_id shard);

  /// Manual mode: makes one callback, or else one operation (a batch, a barrier, a read). False
  /// when there was nothing to do. Reads and writers take turns in order of arrival.
  bool run_one();

  /// Manual mode: until there is nothing to do; gives the number of steps.
  std::size_t run_all();

  /// Both modes: forgets everything that is not in the database, as kill -9 does. No callback is
  /// made any more, later calls are ignored.
  void crash();

  /// Both modes: true when nothing is queued, running or waiting to be called back.
  bool idle() const;

  fault_plan& faults() { return faults_; }
  memory_database& database() { return *rows_; }

  /// Snapshots that were not saved: of a seq that is not committed, or with the server down.
  std::uint64_t snapshot_failures() const;

  /// Bytes that may be queued at one writer before `writer_credit` says no.
  static constexpr std::int64_t writer_bytes = 8 << 20;

  /// Reads of the query side that may wait; more are answered with errc::overloaded.
  static constexpr std::size_t waiting_reads = 4096;

  /// Items of a page of a list at most; more (or none) is invalid_input.
  static constexpr std::uint32_t list_limit = 200;

  /// Days for which requests can be found after the day on which they came.
  static constexpr std::int64_t request_days = 7;

private:
  using delivery = std::function<void()>;

  struct queued_commit {
    commit what;
    std::shared_ptr<commit_listener> listener;
    std::int64_t bytes = 0;
  };

  /// A barrier or a read: runs against the rows; `failed` instead when there is no server.
  struct operation {
    std::function<delivery(memory::tables&)> run;
    std::function<delivery(const error&)> failed;
    std::uint32_t attempts = 0;
  };

  struct ticketed {
    std::uint64_t ticket = 0; // order of arrival over all queues
    std::variant<queued_commit, operation> what;
  };

  struct batch {
    std::vector<queued_commit> commits;
    std::uint64_t commit_id = 0; // 0: not sent yet
    std::uint32_t attempts = 0;
    std::uint32_t losses = 0; // connections that broke under it
    bool unknown = false;     // sent, outcome not heard
    std::map<shard_id, memory::head_move> heads;
  };

  struct writer {
    std::deque<ticketed> queue;
    std::deque<batch> sending; // parts of the batch that is out
    std::int64_t bytes = 0;
    bool reread_heads = false; // a batch was given up with its outcome unknown
  };

  /// What the writer knows of an entity since its last barrier.
  struct lane {
    shard_id shard = 0;
    std::uint64_t incarnation = 0;
    std::uint64_t queued_seq = 0; // the last that may land: the next one is the only one accepted
    bool failed = false;
  };

  struct held_shard {
    std::uint64_t epoch = 0;
    std::uint64_t position = 0;
    std::string hash;
  };

  // The writer; all under mutex_.
  std::uint16_t writer_of(shard_id shard) const { return shard % options_.writers; }
  void step_writer(writer& w);
  void form_batch(writer& w);
  std::optional<commit_refusal> refuse(const commit& c) const;
  void drop_superseded(writer& w, batch& b);
  void send(writer& w);
  void resolve(writer& w);
  void try_again(writer& w, std::string why);
  void abandon(writer& w, const std::string& why);
  memory::statement prepare(batch& b);
  bool execute(writer& w, fault_plan::batch_fault fault);
  void take_due_fences(const batch& b);
  void reread_heads(writer& w, memory::tables& db);
  void landed(writer& w);
  void fenced(writer& w, std::vector<shard_id> shards);
  void split(writer& w, const std::string& why, std::size_t parts);
  void settle(writer& w, queued_commit& q, std::optional<commit_refusal> refusal,
              std::uint64_t position = 0);
  outcome<loaded_entity> load_now(const memory::tables& db, const entity_ref& entity,
                                  std::uint64_t incarnation, std::uint32_t evolve_version);

  // Operations; under mutex_.
  template <class T>
  operation read_of(callback<T> done, std::function<outcome<T>(memory::tables&)> how);
  void enqueue(std::deque<ticketed>& queue, std::variant<queued_commit, operation> what);
  void enqueue_read(operation op);
  void enqueue_query(operation op);
  void deliver(delivery d);
  bool run_operation(operation& op);
  bool is_acknowledged(const memory::outbox_key& key) const;
  void sweep(memory::tables& db);

  // The drive.
  bool delayed(std::unique_lock<std::mutex>& guard);
  bool step(std::unique_lock<std::mutex>& guard);
  bool idle_locked() const;
  void work();
  void take_locked(shard_id shard);
  void hold(shard_id shard, held_shard as);
  std::variant<shard_grant, error> give_up_now(memory::tables& db, shard_id shard,
                                               std::uint64_t epoch);

  const std::shared_ptr<memory_database> rows_;
  const memory_options options_;
  const std::unique_ptr<clock> own_clock_;
  const clock& time_;
  fault_plan faults_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<writer> writers_;
  std::deque<ticketed> reads_;
  std::deque<delivery> deliveries_;
  std::map<entity_ref, lane> lanes_;
  std::map<shard_id, held_shard> held_;
  std::map<memory::pair_key, std::uint64_t> acknowledged_;
  std::function<void(std::vector<shard_id>)> on_fenced_;
  std::uint64_t next_ticket_ = 1;
  std::uint64_t owner_ = 0;
  std::uint64_t generation_ = 0;
  std::uint64_t snapshot_failures_ = 0;
  std::uint32_t steps_to_wait_ = 0;
  bool delay_served_ = false;
  bool sweep_queued_ = false;
  bool calling_ = false; // a callback is being made
  bool stopping_ = false;
  bool crashed_ = false;
  std::thread thread_;
};

template <class T>
memory_store::operation memory_store::read_of(callback<T> done,
                                              std::function<outcome<T>(memory::tables&)> how) {
  auto say = [done](outcome<T> o) -> delivery { return [done, o] { done(o); }; };
  return {[say, how](memory::tables& db) { return say(how(db)); },
          [say](const error& e) { return say(e); }};
}

} // namespace rahat
