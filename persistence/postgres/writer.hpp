#pragma once

#include "persistence/postgres/batch_encoder.hpp"
#include "persistence/postgres/commit_link.hpp"
#include "persistence/postgres/failure.hpp"
#include "persistence/postgres/options.hpp"
#include "persistence/postgres/seq_book.hpp"
#include "persistence/postgres/work_queue.hpp"
#include "runtime/ports/shard_store.hpp"
#include "runtime/ports/worker_thread.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace rahat::pg {

/// The single writer of its shards: a thread with a connection of its own. What queued up while the
/// last statement ran is the next one. Public functions may be called from any thread; listeners
/// and callbacks are called from the writer's. docs/protocols/commit.md tells the whole story.
class writer {
public:
  /// Called when the barrier of a load has been passed: reads the entity, calls `learned`, then the
  /// caller of the load.
  using load_reader = std::function<void(std::unique_ptr<queued_load>)>;
  /// Shards that were found fenced, each with the epoch that this writer held it under.
  using fenced_listener = std::function<void(std::map<shard_id, std::int64_t>)>;
  using grant_callback = std::function<void(std::variant<shard_grant, error>)>;

  writer(const store_options& how, unsigned index, load_reader read, fenced_listener fenced);
  ~writer(); // stops

  writer(const writer&) = delete;
  writer& operator=(const writer&) = delete;

  /// Connects (throws what open_session throws) and starts the thread.
  void start();

  /// The thread, for its owner, who may start it again after a death.
  part as_part();

  /// Lands what is queued for at most `stop_patience`, fails the rest as unavailable and joins.
  void stop();

  void adopt(const std::vector<owned_shard>& shards);

  /// Disowns the shard once nothing of it is queued; see shard_store.
  void give_up(shard_id shard, std::uint64_t epoch, grant_callback done);

  void push(commit c, std::shared_ptr<commit_listener> listener);
  void push(std::unique_ptr<queued_load> load);

  /// A load has read that the entity's last committed seq is this.
  void learned(const entity_ref& entity, std::uint64_t incarnation, std::uint64_t seq);

  /// Bytes that may still be queued.
  std::int64_t credit() const;

  writer_report report() const;

  /// The next batch goes over a new session, which looks at the server again.
  void distrust() { distrusted_ = true; }

private:
  using commit_ptr = std::unique_ptr<queued_commit>;
  using group = std::vector<commit_ptr>;

  struct lesson {
    entity_ref entity;
    std::uint64_t incarnation = 0;
    std::uint64_t seq = 0;
  };
  struct farewell { // a shard that is to be given up
    shard_id shard = 0;
    std::uint64_t epoch = 0;
    grant_callback done;
  };
  using letter =
      std::variant<commit_ptr, std::unique_ptr<queued_load>, owned_shard, lesson, farewell>;

  struct chain_head {
    bool owned = false;
    std::uint64_t epoch = 0;
    std::uint64_t position = 0;
    digest hash{};
  };

  /// Deadly: the server's process ended each time it was given the batch. Refused: the server has
  /// been refusing whatever it is given, for a condition of its own.
  enum class verdict { committed, fenced, guilty, deadly, refused, stopping };
  struct answer {
    verdict what = verdict::committed;
    std::string message;
    std::vector<shard_id> shards; // of `fenced`
  };

  /// A condition of the server, from the first batch that it refused to the next that it takes up.
  struct condition {
    std::chrono::steady_clock::time_point since;
    std::chrono::steady_clock::time_point last_try;
    std::string what; // "53100: could not extend file ..."
  };

  void live(bool again);
  void die();
  void recover();
  void adopt_what_came();
  void read_heads_again();
  void run();
  bool wait_for_mail();
  void file(letter& mail);
  void round();
  void refuse_everything();
  void post(letter mail);

  bool may_go(const queued_commit& c);
  commit_failure reason_not_to_go(const queued_commit& c) const;
  void deliver(group commits);
  void divide(group& commits, std::size_t parts, const std::string& why,
              std::vector<group>& waiting);
  void drop_lost(group& commits);
  void landed(group& commits);
  void refuse(commit_ptr c, commit_failure why, const std::string& message);
  void tell_refusal(commit_ptr c, commit_failure why, const std::string& message);

  answer attempt(group& commits);
  bool may_try();
  bool is_given_up(const failure& why);
  void condition_is_over();
  void refuse_all(group& commits, const std::string& state);
  void place(const group& commits);
  std::optional<answer> resolve(bool in_doubt);
  answer deadly(const group& commits, const std::string& message);
  answer fence_all(const std::string& message);
  void fence(const std::vector<shard_id>& shards);
  bool pause(unsigned tries);
  bool wait(std::chrono::milliseconds time);
  void gather();
  bool out_of_patience();
  void collect_mail();
  void give_up_what_is_done();
  std::string fault_of(const commit& c) const;

  const store_options& how_;
  const unsigned index_;
  const load_reader read_;
  const fenced_listener fenced_;
  const work_queue::bounds bounds_;

  mutable std::mutex condition_mutex_; // guards the next line; written by the thread only
  std::optional<condition> condition_;

  std::mutex mutex_; // guards the next five lines
  std::condition_variable mail_;
  std::vector<letter> inbox_;
  std::size_t wake_at_ = 1; // letters at which the thread wants to be told
  bool stopping_ = false;
  bool closed_ = false; // no thread takes mail: it is refused at once
  std::chrono::steady_clock::time_point stop_by_;

  std::atomic<std::int64_t> queued_bytes_{0};
  std::atomic<bool> distrusted_{false};

  // The thread's own.
  commit_link link_;
  work_queue queue_;
  std::vector<farewell> leaving_; // wait until nothing of their shard is queued
  seq_book book_;
  std::array<chain_head, shard_count> heads_;
  std::size_t last_round_ = 0; // commits in it, at most longest_wanted
  batch_encoder encoder_;
  std::vector<placed_commit> placed_;
  std::vector<head_move> moves_;
  std::int64_t batch_id_ = 0;

  worker_thread thread_; // last: it uses the rest
};

} // namespace rahat::pg
