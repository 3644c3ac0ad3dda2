#pragma once

#include "actors/project/project.pb.h"
#include "runtime/decider/kind.hpp"

#include <cstdint>
#include <string_view>
#include <vector>

namespace rahat {

/// The frame in which aid is given: its money's currency, from whom it came, who may spend it.
/// Owns the accounts `outside` (the donors' side) and `budget`; grants reserves to disbursements
/// and tells its status to everybody who asked. Protocol: docs/protocols/project.md.
struct project {
  static constexpr std::string_view name = "project";
  static constexpr std::uint32_t evolve_version = 2;

  using state = pb::ProjectState;
  using command = pb::ProjectCommand;
  using message = pb::ProjectMessage;
  using event = pb::ProjectEvent;
  using answer = pb::ProjectAnswer;

  /// Characters of a name, a type, a reference, a reason and a description.
  static constexpr std::size_t max_name = 200;
  static constexpr std::size_t max_type = 100;
  static constexpr std::size_t max_reference = 200;
  static constexpr std::size_t max_reason = 500;
  static constexpr std::size_t max_description = 5'000;
  /// Money given to one project over its life: stays exact in a JSON number (below 2^53).
  static constexpr std::int64_t max_funded_minor = 9'000'000'000'000'000;
  /// Beyond it an asker is answered, but not told of later changes unless it holds a reserve.
  static constexpr int max_askers = 10'000;
  /// Beyond it a reserve is refused.
  static constexpr int max_reservations = 1'000;
  /// Those that have joined and those that have a place. An upload that needs more is refused
  /// before its first batch is made. A fact that lists all of them stays below 256 KiB.
  static constexpr int max_batches = 5'000;

  static result decide(const state& now, const command& ask, const context& ctx);
  static decision told(const state& now, const message& news, const context& ctx);
  static decision credited(const state& now, const wire::Credit& credit, const context& ctx);
  static void evolve(state& now, const event& happened);
  static bool exists(const state& now);
  static query_keys keys(const state& now);
  static std::vector<owned_total> totals(const state& now);
};

/// "draft", "active", "suspended", "closed"; empty for a project that does not exist.
std::string_view to_string(pb::ProjectStatus status);

} // namespace rahat
