#pragma once

#include "runtime/ports/queries.hpp"
#include "runtime/ports/store.hpp"

#include <optional>
#include <vector>

namespace pqxx {
class connection_base;
}

/// The reads of the store: each runs on a connection that `prepare_reads` has seen and throws what
/// pqxx throws.
namespace rahat::pg {

/// Names the statements; they are sent at their first use.
void prepare_reads(pqxx::connection_base& c);

/// Snapshot, tail and outbox in one REPEATABLE READ transaction; `last_seq` is the entity's.
struct load_result {
  loaded_entity entity;
  std::uint64_t last_seq = 0;
};
load_result read_entity(pqxx::connection_base& c, const entity_ref& entity,
                        std::uint32_t evolve_version);

std::optional<request_row> read_request(pqxx::connection_base& c, const entity_ref& entity,
                                        const uuid& id);
wire::Feed read_feed(pqxx::connection_base& c, const feed_request& what);
std::vector<entity_ref> read_pending(pqxx::connection_base& c, shard_id shard, std::int64_t now_us,
                                     std::uint32_t limit);
std::vector<journal_row> read_journal(pqxx::connection_base& c, shard_id shard, std::uint64_t after,
                                      std::uint32_t limit);
std::vector<journal_row> read_history(pqxx::connection_base& c, const entity_ref& entity,
                                      std::uint64_t after, std::uint32_t limit);
std::vector<shard_head> read_heads(pqxx::connection_base& c);
std::vector<parked_row> read_parked(pqxx::connection_base& c, std::uint64_t after,
                                    std::uint32_t limit);

/// Deletes the entity's rows; how many there were.
std::uint64_t release_parked(pqxx::connection_base& c, const entity_ref& entity);

outcome<page> read_list(pqxx::connection_base& c, const list_query& q);
outcome<std::string> read_document(pqxx::connection_base& c, const std::string& kind,
                                   const uuid& id);
std::vector<stored_line> read_lines(pqxx::connection_base& c, const uuid& list, std::int64_t after,
                                    std::uint32_t limit);
std::vector<stored_row> read_rows(pqxx::connection_base& c, const uuid& upload,
                                  const std::vector<std::uint32_t>& ordinals);
std::vector<stored_error> read_upload_errors(pqxx::connection_base& c, const uuid& upload,
                                             std::int64_t after, std::uint32_t limit);

} // namespace rahat::pg
