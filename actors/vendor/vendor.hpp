#pragma once

#include "actors/vendor/vendor.pb.h"
#include "runtime/decider/kind.hpp"

#include <string_view>
#include <vector>

namespace rahat {

/// A shop that takes wallet money for goods. Owns one account per (project, currency), and says
/// which redemptions are settled when. Protocol and state table: docs/protocols/vendor.md.
struct vendor {
  static constexpr std::string_view name = "vendor";
  static constexpr std::uint32_t evolve_version = 1;
  using state = pb::VendorState;
  using command = pb::VendorCommand;
  using message = pb::VendorMessage;
  using event = pb::VendorEvent;
  using answer = pb::VendorAnswer; // of published receipts; clients get the view

  static result decide(const state& now, const command& ask, const context& ctx);
  static decision told(const state& now, const message& message, const context& ctx);
  static decision credited(const state& now, const wire::Credit& credit, const context& ctx);
  static void evolve(state& now, const event& happened);
  static bool exists(const state& now);

  static query_keys keys(const state& now);
  static std::vector<owned_total> totals(const state& now);

  /// The account that takes the redemptions of one project in one currency.
  static uuid account_for(const uuid& vendor, const uuid& project, std::string_view currency);

  static constexpr std::size_t max_name = 200; // characters, also of location and external_ref
  static constexpr std::size_t max_reason = 1000;
  static constexpr int max_askers = 20'000;
  static constexpr int max_accounts = 1'000;
};

/// "registered", "verified", "suspended"; "none" before it is registered.
std::string_view to_string(pb::VendorStatus status);

} // namespace rahat
