#pragma once

#include "runtime/decider/id.hpp"
#include "runtime/ports/store.hpp"

#include <cstdint>
#include <string>
#include <string_view>

/// The hash chain of a shard: what every row of the journal is bound to. Writers, the in-memory
/// twin and the audit compute it with this code and no other; the layout is frozen, a change needs
/// a new label. Functions are pure and thread-safe.
namespace rahat::chain {

/// Starts every link, so that no other use of SHA-256 can be taken for one.
inline constexpr std::string_view label = "rahat-chain-1";

/// The head of a shard that has no row yet: 32 zero bytes.
inline constexpr digest genesis{};

/// What a link binds. Views must outlive the call.
struct link {
  shard_id shard = 0;
  std::uint64_t position = 0;
  std::uint64_t epoch = 0;
  std::string_view kind;
  uuid entity;
  std::uint64_t seq = 0;
  std::string_view type;
  std::int64_t at_us = 0;
  std::string_view principal;
  std::string_view payload; // serialised wire::Commit, as stored
};

/// hash = SHA-256( previous (32) ‖ "rahat-chain-1" ‖ shard (2) ‖ position (8) ‖ epoch (8)
///   ‖ len(kind) (4) ‖ kind ‖ entity (16) ‖ seq (8) ‖ len(type) (4) ‖ type ‖ at_us (8)
///   ‖ len(principal) (4) ‖ principal ‖ SHA-256(payload) (32) ‖ transfers_digest(payload) (32) )
/// All numbers are big endian; at_us is the two's complement of its sign.
digest next(const digest& previous, const link& row);

/// The link of a stored row.
digest next(const digest& previous, const journal_row& row);

/// The link of a commit at the place that its writer gave it.
digest next(const digest& previous, const commit& c, std::uint64_t position, std::uint64_t epoch);

/// SHA-256 over the TransferMarks of a serialised wire::Commit, in their order, each as
/// purpose (16) ‖ debit account (16) ‖ currency (3, zero-padded) ‖ first line (4) ‖ last line (4)
/// ‖ count (4) ‖ sum_minor (8) ‖ digest (32) ‖ len(kind) (4) ‖ kind ‖ id (16) of the credit owner.
/// Ids of another length than theirs count as zeros. No marks: SHA-256 of nothing. The scan ends
/// at the first byte that is not Protobuf; SHA-256(payload) covers what lies behind.
digest transfers_digest(std::string_view payload);

/// 32 raw bytes to a digest; any other length throws std::invalid_argument.
digest to_digest(std::string_view raw);

} // namespace rahat::chain
