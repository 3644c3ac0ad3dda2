#pragma once

#include "actors/batch/batch.pb.h"
#include "runtime/decider/kind.hpp"

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace rahat {

/// Up to 10,000 households of one project and their wallets. The single owner of all that money:
/// only it decides whether a member may spend at a vendor. Freezes its part of a pay list for a
/// disbursement and applies what was paid.
/// Protocols: docs/protocols/batch.md, redemption.md, credit.md.
struct batch {
  static constexpr std::string_view name = "batch";
  static constexpr std::uint32_t evolve_version = 2;

  using state = pb::BatchState;
  using command = pb::BatchCommand;
  using message = pb::BatchMessage;
  using event = pb::BatchEvent;
  using answer = pb::BatchAnswer;

  /// Households of a batch: what an upload enrols into one at most; more is a broken invariant.
  static constexpr std::uint32_t max_members = 10'000;
  /// Members enrolled or locked in one commit; also the size of a chunk of a pay list.
  static constexpr std::uint32_t chunk_members = 1'000;
  /// Pay lists that hold a lock at a time; one more is refused.
  static constexpr int max_locks = 16;
  /// Sum of a pay list's lines of this batch; a bigger one is refused.
  static constexpr std::int64_t max_list_minor = 9'000'000'000'000'000;
  /// Redemptions that wait for a vendor or the project; one more is refused as overloaded.
  static constexpr int max_waiting = 1'000;
  /// Members of one answer; more are refused.
  static constexpr std::uint32_t max_listed = 200;
  /// Redemptions of the batch's life; one more is refused. Their ids stand in the state (16 bytes
  /// each) and are searched one by one at each redemption: about 0.2 ms at the bound.
  static constexpr std::size_t max_redemptions = 200'000;
  /// Vendors whose status is remembered; beyond it the oldest is forgotten and asked again.
  static constexpr int max_vendors = 1'000;
  static constexpr std::uint32_t code_tries = 5;
  static constexpr std::int64_t code_lifetime_us = 600'000'000;
  /// How long something that another entity told is relied upon.
  static constexpr std::int64_t fact_holds_us = 300'000'000;
  static constexpr std::size_t max_reason = 500;
  static constexpr std::size_t max_client_id = 100;

  static result decide(const state& now, const command& ask, const context& ctx);
  static decision told(const state& now, const message& news, const context& ctx);
  static decision credited(const state& now, const wire::Credit& credit, const context& ctx);
  static void evolve(state& now, const event& happened);
  /// Not before its register is accepted, although it is enrolling members.
  static bool exists(const state& now);
  static query_keys keys(const state& now);
  static std::vector<owned_total> totals(const state& now);

  static bool has_work(const state& now);
  static std::optional<feed_request> feed_for(const state& now);
  static decision proceed(const state& now, const context& ctx);

  /// How many members stand in the batch; each has a wallet.
  static std::uint32_t members(const state& now);
};

/// "enrolling", "open", "frozen"; empty for a batch that does not exist.
std::string_view to_string(pb::BatchStatus status);

} // namespace rahat
