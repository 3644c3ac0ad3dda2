#pragma once

#include "runtime/decider/context.hpp"
#include "runtime/decider/decision.hpp"
#include "runtime/decider/id.hpp"
#include "runtime/decider/kind.hpp"
#include "runtime/wire/wire.pb.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

/// The port through which entities are written and read. Two implementations pass one conformance
/// suite (tests/conformance): persistence/postgres and the twin persistence/memory.
namespace rahat {

/// One message on its way to another entity; kept until the receiver has acknowledged it.
struct outbox_row {
  entity_ref target;
  std::uint64_t n = 0; // dense per (source, target), from 1
  std::string body;    // serialised wire::Told
};

struct timer_row {
  std::string name;
  std::int64_t due_us = 0; // 0 deletes
};

/// The stored answer of a client's request.
struct request_row {
  uuid id;
  std::uint64_t payload_hash = 0;
  std::string reply; // serialised wire::Reply; empty while the answer is pending
};

struct query_row {
  std::string kind;
  uuid id;
  query_keys keys;
  std::string doc; // JSON
};

/// What one entity changes in one commit. The writer adds position, epoch and hash.
struct commit {
  entity_ref entity;
  shard_id shard = 0;
  std::uint64_t incarnation = 0; // of the host: commits of a dead host are dropped together
  std::uint64_t seq = 0;         // from 1, dense per entity
  std::string type;              // "<kind>.<last event>"
  std::string payload;           // serialised wire::Commit
  std::string principal;         // user, or the source entity
  std::int64_t at_us = 0;
  std::optional<request_row> request; // insert; with an empty reply it is updated later
  std::vector<request_row> answered;  // replies of requests that were pending
  std::vector<transfer> transfers;    // of line 0 each
  std::vector<line_payment> payments; // at most one
  std::vector<line_rows> lines;
  std::vector<staged_rows> staged;
  std::vector<account_range> accounts;
  std::vector<outbox_row> outbox;
  std::vector<timer_row> timers;
  std::vector<query_row> queries;              // upserts of rows that belong to this entity
  std::vector<owned_total> totals;             // known balances after this commit; empty: unchanged
  std::optional<std::uint64_t> inbox_source_n; // bookkeeping for metrics only
  std::string traceparent;

  /// An estimate for the writer's byte credit.
  std::size_t bytes() const;
};

/// Why a commit did not land.
enum class commit_failure {
  fenced,      // the shard has another owner, epoch or generation: drop the shard
  rejected,    // this entity's rows alone are at fault: park
  superseded,  // an earlier commit of the same incarnation failed, or seq was not the next
  unavailable, // the store gave up within its bounds or is shutting down: retry later
};

struct commit_refusal {
  commit_failure why = commit_failure::unavailable;
  std::string message;
};

/// Where a host hears of its commits. Called from a writer thread, in order of seq; must not block.
class commit_listener {
public:
  virtual ~commit_listener() = default;
  virtual void committed(std::uint64_t seq, std::uint64_t position) = 0;
  virtual void failed(std::uint64_t seq, const commit_refusal& why) = 0;
};

/// One row of the journal.
struct journal_row {
  shard_id shard = 0;
  std::uint64_t position = 0;
  std::uint64_t epoch = 0;
  entity_ref entity;
  std::uint64_t seq = 0;
  std::string type;
  std::string payload;
  std::string principal;
  std::int64_t at_us = 0;
  std::string hash; // 32 bytes
};

/// Everything a host needs to start: read in one REPEATABLE READ transaction, after all commits
/// of former incarnations of the entity have been resolved.
struct loaded_entity {
  std::uint64_t snapshot_seq = 0;
  std::string snapshot;           // serialised wire::Snapshot; empty: none that fits
  std::vector<journal_row> tail;  // rows after the snapshot, in order of seq
  std::vector<outbox_row> outbox; // not yet acknowledged, in order of (target, n)
  std::uint64_t position = 0;     // of the last row
};

struct snapshot_row {
  entity_ref entity;
  std::uint64_t seq = 0; // committed
  std::uint32_t evolve_version = 0;
  std::string body;
};

struct shard_head {
  shard_id shard = 0;
  std::uint64_t epoch = 0;
  std::uint64_t position = 0;
  std::string hash;
};

/// A message or an entity that cannot go on without an operator.
struct parked_row {
  std::uint64_t id = 0; // given by the store
  entity_ref entity;
  std::string reason;
  std::string body; // the message at fault, serialised wire::Told or command; may be empty
  std::int64_t at_us = 0;
  std::uint32_t tries = 0;
};

template <class T>
using outcome = std::variant<T, error>;

template <class T>
using callback = std::function<void(outcome<T>)>;

/// Thread-safe. Nothing here blocks the caller; callbacks come once, from threads of the store.
/// Lives longer than every host.
class store {
public:
  virtual ~store() = default;

  /// Queues a commit for the writer of its shard. The listener hears its outcome exactly once.
  /// The caller has taken a writer credit (see `writer_credit`); the store does not refuse.
  virtual void write(commit c, std::shared_ptr<commit_listener> listener) = 0;

  /// Bytes that may still be queued at the writer of the shard; <= 0 means: answer 503.
  virtual std::int64_t writer_credit(shard_id shard) const = 0;

  /// The barrier and the read in one: waits in the writer's queue behind everything of the entity,
  /// forgets former incarnations (their later commits are refused as superseded), then reads.
  virtual void load(const entity_ref& entity, std::uint64_t incarnation,
                    std::uint32_t evolve_version, callback<loaded_entity> done) = 0;

  /// The stored reply of a request id, or nothing if the id was never committed.
  virtual void find_request(const entity_ref& entity, const uuid& request,
                            callback<std::optional<request_row>> done) = 0;

  virtual void feed(const feed_request& what, callback<wire::Feed> done) = 0;

  /// A cache outside the fence: upsert where newer; failures are only counted.
  virtual void save_snapshot(snapshot_row row) = 0;

  /// Messages of `source` to `target` up to n have been applied by the receiver. Deleted lazily, in
  /// bulk, outside the fence.
  virtual void acknowledged(const entity_ref& source, const entity_ref& target,
                            std::uint64_t n) = 0;

  /// Entities of the shard that own an outbox row or a due timer, oldest first, at most `limit`.
  virtual void pending(shard_id shard, std::uint32_t limit,
                       callback<std::vector<entity_ref>> done) = 0;

  virtual void park(parked_row row) = 0;

  /// Rows with id > after, in order of id, at most `limit`.
  virtual void parked(std::uint64_t after, std::uint32_t limit,
                      callback<std::vector<parked_row>> done) = 0;

  /// Forgets all rows of the entity at once; how many there were.
  virtual void release(const entity_ref& entity, callback<std::uint64_t> done) = 0;

  /// Committed journal rows of a shard with position > after, in order, at most `limit`.
  virtual void journal(shard_id shard, std::uint64_t after, std::uint32_t limit,
                       callback<std::vector<journal_row>> done) = 0;

  /// Committed rows of one entity with seq > after.
  virtual void history(const entity_ref& entity, std::uint64_t after, std::uint32_t limit,
                       callback<std::vector<journal_row>> done) = 0;

  virtual void heads(callback<std::vector<shard_head>> done) = 0;

  /// Called with the shards that were found fenced; set once, before the first write.
  virtual void on_fenced(std::function<void(std::vector<shard_id>)> listener) = 0;
};

} // namespace rahat
