#pragma once

#include "persistence/postgres/options.hpp"
#include "runtime/ports/store.hpp"
#include "runtime/ports/worker_thread.hpp"

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

namespace pqxx {
class connection_base;
}

namespace rahat::pg {

/// What is written outside the fence because it cannot hurt: the deletion of acknowledged outbox
/// rows, snapshots, parked messages, the daily partitions of `request`, and the deletion of staged
/// rows that belong to nobody. A thread with its own connection; what fails is counted and tried
/// again at the next turn (partitions and staged rows: an hour later). Callable from any thread.
class housekeeping {
public:
  explicit housekeeping(const store_options& how);
  ~housekeeping(); // stops

  housekeeping(const housekeeping&) = delete;
  housekeeping& operator=(const housekeeping&) = delete;

  /// Makes the partitions of `request` (throws what a connection throws) and starts the thread.
  void start();

  /// The thread, for its owner, who may start it again after a death.
  part as_part();

  /// One last turn, then joins.
  void stop();

  void acknowledged(const entity_ref& source, const entity_ref& target, std::uint64_t n);
  void save(snapshot_row row);
  void park(parked_row row);

private:
  struct pair_hash {
    std::size_t operator()(const std::pair<entity_ref, entity_ref>& p) const noexcept {
      return std::hash<entity_ref>{}(p.first) * 31 ^ std::hash<entity_ref>{}(p.second);
    }
  };
  using ack_map = std::unordered_map<std::pair<entity_ref, entity_ref>, std::uint64_t, pair_hash>;
  using snapshot_map = std::unordered_map<entity_ref, snapshot_row>;

  void run();
  bool turn();
  void put_back(const std::deque<parked_row>& parked, const ack_map& acks);
  void make_request_days();
  void delete_staged();
  bool delete_acknowledged(ack_map& acks);
  bool write_snapshots(snapshot_map& rows);
  bool write_parked(std::deque<parked_row>& rows);
  template <class Work>
  bool attempt(Work work);

  const store_options& how_;
  std::mutex mutex_; // guards the next block
  std::condition_variable mail_;
  ack_map acks_;
  snapshot_map snapshots_;
  std::size_t snapshot_bytes_ = 0;
  std::deque<parked_row> parked_;
  bool stopping_ = false;

  std::shared_ptr<pqxx::connection_base> connection_; // the thread's own
  std::chrono::steady_clock::time_point next_days_;
  std::chrono::steady_clock::time_point next_staged_;
  worker_thread thread_; // last: it uses the rest
};

} // namespace rahat::pg
