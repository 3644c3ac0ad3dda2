#pragma once

#include <cstddef>
#include <cstdint>

namespace rahat::pg {

/// What the Postgres store lets be measured: methods named after events. Called from writer,
/// reader and housekeeping threads at once; implementations must be thread-safe and quick. The
/// defaults count nothing.
class store_probe {
public:
  virtual ~store_probe() = default;

  /// A batch has landed: seconds in the database, commits and rows in it.
  virtual void commit_finished(double seconds, std::size_t commits, std::size_t rows) {
    (void)seconds, (void)commits, (void)rows;
  }
  /// A batch was refused for the rows of one entity and is tried again in halves.
  virtual void batch_split() {}
  /// Commits refused because their shard has another owner, epoch or generation.
  virtual void commit_fenced(std::size_t commits) { (void)commits; }
  /// Commits refused for their own rows.
  virtual void commit_rejected() {}
  /// Commits refused because an earlier one failed or their seq was not the next.
  virtual void commit_superseded() {}
  /// Commits given up because the server has refused them for a condition of its own for too long.
  virtual void commits_given_up(std::size_t commits) { (void)commits; }
  /// A batch is sent again: serialisation failure, deadlock, time-out, lost connection.
  virtual void commit_retried() {}
  /// A lost connection left a batch in doubt, and this is what had happened to it.
  virtual void unknown_outcome_resolved(bool committed) { (void)committed; }
  /// What a writer has in front of it, in flight included.
  virtual void writer_queue(unsigned writer, std::size_t commits, std::int64_t bytes) {
    (void)writer, (void)commits, (void)bytes;
  }
  /// A connection was made, by a writer or another thread.
  virtual void connected(bool by_writer) { (void)by_writer; }
  virtual void connect_failed() {}

  /// An entity was read: seconds from the barrier's end, journal rows behind the snapshot.
  virtual void load_finished(double seconds, std::size_t tail) { (void)seconds, (void)tail; }
  virtual void read_finished(double seconds) { (void)seconds; }
  virtual void read_failed() {}
  /// The queue of waiting reads was full.
  virtual void read_overloaded() {}
  virtual void reader_queue(std::size_t jobs) { (void)jobs; }

  /// Housekeeping that did not happen now: it is tried again or only costs space.
  virtual void housekeeping_failed() {}
  /// Housekeeping that was dropped at its bound.
  virtual void housekeeping_dropped() {}
  virtual void outbox_deleted(std::size_t rows) { (void)rows; }
};

} // namespace rahat::pg
