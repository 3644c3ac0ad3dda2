#pragma once

#include "runtime/decider/kind.hpp"
#include "tests/unit/entity/ledger_probe.pb.h"

namespace rahat {

/// The test-only kind. Its answers to every question are in ledger_probe.proto.
struct ledger_probe {
  static constexpr std::string_view name = "probe";
  static constexpr std::uint32_t evolve_version = 1;
  using state = probe::State;
  using command = probe::Command;
  using message = probe::Message;
  using event = probe::Event;
  using answer = probe::Answer;

  static result decide(const state& now, const command& ask, const context& ctx);
  static decision told(const state& now, const message& what, const context& ctx);
  static decision credited(const state& now, const wire::Credit& credit, const context& ctx);
  static decision fired(const state& now, std::string_view timer, const context& ctx);
  static bool has_work(const state& now);
  static std::optional<feed_request> feed_for(const state& now);
  static decision proceed(const state& now, const context& ctx);
  static void evolve(state& now, const event& happened);
  static query_keys keys(const state& now);
  static std::vector<owned_total> totals(const state& now);
};

/// The same under another evolve version: its snapshots are not the other's.
struct newer_ledger_probe : ledger_probe {
  static constexpr std::uint32_t evolve_version = 2;
};

entity_ref probe_ref(int number);

std::unique_ptr<kind> probe_kind();
std::unique_ptr<kind> newer_probe_kind();

} // namespace rahat
