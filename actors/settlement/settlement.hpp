#pragma once

#include "actors/settlement/settlement.pb.h"
#include "runtime/decider/kind.hpp"

#include <string_view>
#include <vector>

namespace rahat {

/// Pays a vendor out of the system for what beneficiaries bought there. Owns no account: the
/// money moves at the vendor. Protocol and state table: docs/protocols/settlement.md.
struct settlement {
  static constexpr std::string_view name = "settlement";
  static constexpr std::uint32_t evolve_version = 3;
  using state = pb::SettlementState;
  using command = pb::SettlementCommand;
  using message = pb::SettlementMessage;
  using event = pb::SettlementEvent;
  using answer = pb::SettlementAnswer; // always empty: every answer is the view

  static result decide(const state& now, const command& ask, const context& ctx);
  static decision told(const state& now, const message& message, const context& ctx);
  static decision credited(const state& now, const wire::Credit& credit, const context& ctx);
  static void evolve(state& now, const event& happened);
  /// Not before project and vendor have said that they exist: nobody sees what may be refused.
  static bool exists(const state& now);

  static query_keys keys(const state& now);
  static std::vector<owned_total> totals(const state& now);

  static constexpr std::size_t max_note = 1000; // characters, also of a reason
};

/// "opening", "open", "requesting", ...; "none" before it is asked for and when that was refused.
std::string_view to_string(pb::SettlementStatus status);

} // namespace rahat
