#pragma once

#include "persistence/postgres/options.hpp"
#include "runtime/ports/part.hpp"
#include "runtime/ports/queries.hpp"
#include "runtime/ports/shard_store.hpp"
#include "runtime/ports/store.hpp"

#include <map>
#include <memory>
#include <vector>

namespace rahat {

/// The store port on Postgres: writer threads that commit in groups, reader threads, housekeeping.
/// docs/protocols/commit.md says how a commit travels and what happens when things break.
///
///   pg_store store{options};
///   store.on_fenced(...);
///   store.start(owned);      // throws when the database cannot be used
///   ...
///   store.stop();            // after the hosts; the destructor does it otherwise
///
/// Callbacks and listeners come from the store's threads. Before `start` only `on_fenced` may be
/// called; after `stop` writes fail as unavailable and reads with errc::unavailable.
class pg_store final : public store, public queries, public shard_store {
public:
  explicit pg_store(pg::store_options how);
  ~pg_store() override;

  pg_store(const pg_store&) = delete;
  pg_store& operator=(const pg_store&) = delete;

  /// Connects every writer and starts all threads. Throws pg::unsafe_server, pg::other_generation,
  /// generation_error and pqxx's errors; the message says what to do.
  void start(const std::vector<pg::owned_shard>& shards);

  /// The store's threads, for their owners: housekeeping, readers, writers. After `start`. What a
  /// writer does after a death is told in docs/protocols/supervision.md.
  std::vector<part> parts();

  /// Lands what is queued for at most `stop_patience`, fails the rest, joins all threads.
  void stop();

  /// Takes shards (again) under a new epoch. In order with the writes that follow it.
  void adopt(const std::vector<pg::owned_shard>& shards);

  /// How each writer fares, in order.
  std::vector<pg::writer_report> writers() const;

  /// Why the server, as it runs now, could lose commits that it has acknowledged, with what to set
  /// (R8); empty: it could not. `errc::not_ready` with the sentence when that is why no session is
  /// opened.
  void look_at_durability(rahat::callback<std::string> done);

  /// The server's settings have become unsafe under open sessions: nothing more is written over
  /// them, and new ones wait until it is safe again.
  void distrust();

  // -- shard_store --------------------------------------------------------------------------
  void adopt(const shard_grant& shard) override;
  void give_up(shard_id shard, std::int64_t epoch,
               std::function<void(std::variant<shard_grant, error>)> done) override;

  // -- store --------------------------------------------------------------------------------
  void write(commit c, std::shared_ptr<commit_listener> listener) override;
  std::int64_t writer_credit(shard_id shard) const override;
  void load(const entity_ref& entity, std::uint64_t incarnation, std::uint32_t evolve_version,
            rahat::callback<loaded_entity> done) override;
  void find_request(const entity_ref& entity, const uuid& request,
                    rahat::callback<std::optional<request_row>> done) override;
  void feed(const feed_request& what, rahat::callback<wire::Feed> done) override;
  void save_snapshot(snapshot_row row) override;
  void acknowledged(const entity_ref& source, const entity_ref& target, std::uint64_t n) override;
  void pending(shard_id shard, std::uint32_t limit,
               rahat::callback<std::vector<entity_ref>> done) override;
  void park(parked_row row) override;
  void parked(std::uint64_t after, std::uint32_t limit,
              rahat::callback<std::vector<parked_row>> done) override;
  void release(const entity_ref& entity, rahat::callback<std::uint64_t> done) override;
  void journal(shard_id shard, std::uint64_t after, std::uint32_t limit,
               rahat::callback<std::vector<journal_row>> done) override;
  void history(const entity_ref& entity, std::uint64_t after, std::uint32_t limit,
               rahat::callback<std::vector<journal_row>> done) override;
  void heads(rahat::callback<std::vector<shard_head>> done) override;
  void on_fenced(std::function<void(std::vector<shard_id>)> listener) override;

  /// The same with the epoch that each was held under; one of the two is set.
  void on_lost(std::function<void(const std::map<shard_id, std::int64_t>&)> listener);

  // -- queries ------------------------------------------------------------------------------
  void list(list_query q, rahat::callback<page> done) override;
  void document(std::string kind, uuid id, rahat::callback<std::string> done) override;
  void lines(uuid list, std::int64_t after, std::uint32_t limit,
             rahat::callback<std::vector<stored_line>> done) override;
  void rows(uuid upload, std::vector<std::uint32_t> ordinals,
            rahat::callback<std::vector<stored_row>> done) override;
  void upload_errors(uuid upload, std::int64_t after, std::uint32_t limit,
                     rahat::callback<std::vector<stored_error>> done) override;

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace rahat
