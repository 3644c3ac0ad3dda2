#pragma once

#include "runtime/ports/queries.hpp"
#include "runtime/ports/store.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

/// The rows of the twin: the tables of persistence/migrations/0001_core.sql as ordered maps from
/// primary key to row.
namespace rahat::memory {

struct shard_row {
  std::uint64_t owner = 0; // the session that took it; 0: somebody else
  std::uint64_t generation = 1;
  std::uint64_t epoch = 0;
  std::uint64_t head_position = 0;
  std::string head_hash = std::string(32, '\0');
  std::uint64_t commit_id = 0; // of the last batch that moved the head
};

struct transfer_row {
  uuid debit;
  uuid credit;
  std::int64_t amount_minor = 0;
  std::string currency;
  shard_id shard = 0;
  std::uint64_t position = 0;
};

struct account_row {
  account_range range;
  entity_ref owner;
};

struct total_row {
  std::uint64_t seq = 0;
  std::int64_t amount_minor = 0;
};

struct waiting_message {
  shard_id shard = 0; // of the source
  std::int64_t at_us = 0;
  std::string body;
};

struct waiting_timer {
  shard_id shard = 0;
  std::int64_t due_us = 0;
};

struct answered_request {
  entity_ref entity;
  std::uint64_t payload_hash = 0;
  std::string reply;
};

struct listed {
  query_keys keys;
  std::string doc;
};

using pair_key = std::pair<entity_ref, entity_ref>;                   // source, target
using outbox_key = std::tuple<entity_ref, entity_ref, std::uint64_t>; // source, target, n
using line_key = std::pair<uuid, std::uint32_t>;                      // list, no
using row_key = std::pair<uuid, std::uint32_t>;                       // upload, ordinal
using error_key = std::tuple<uuid, std::uint32_t, std::uint64_t>;     // upload, row, n
using request_key = std::pair<uuid, std::int64_t>;                    // id, day since 1970

struct tables {
  std::map<shard_id, shard_row> shards;
  std::map<std::pair<entity_ref, std::uint64_t>, journal_row> journal; // (entity, seq)
  std::map<std::pair<shard_id, std::uint64_t>, std::pair<entity_ref, std::uint64_t>> positions;
  std::map<entity_ref, snapshot_row> snapshots;
  std::map<uuid, account_row> accounts;       // by first
  std::map<line_key, transfer_row> transfers; // (purpose, line)
  std::map<std::pair<entity_ref, std::string>, total_row> totals;
  std::map<line_key, stored_line> lines;
  std::map<row_key, stored_row> rows;
  std::map<error_key, stored_error> errors;
  std::map<outbox_key, waiting_message> outbox;
  std::map<std::pair<entity_ref, std::string>, waiting_timer> timers;
  std::map<request_key, answered_request> requests;
  std::map<std::pair<std::string, uuid>, listed> queries; // (kind, id)
  std::map<std::uint64_t, parked_row> parked;
  std::uint64_t last_error = 0;
  std::uint64_t last_parked = 0;
  std::uint64_t last_commit_id = 0;
  std::uint64_t last_owner = 0;
};

} // namespace rahat::memory
