#pragma once

#include "actors/disbursement/disbursement.pb.h"
#include "runtime/decider/kind.hpp"

#include <string_view>
#include <vector>

namespace rahat {

/// A sum of money promised to the members of batches, from draft to the last line paid. Owns the
/// account that its reserve sits in; wallets are owned by their batches.
/// Protocol and state table: docs/protocols/disbursement.md.
struct disbursement {
  static constexpr std::string_view name = "disbursement";
  static constexpr std::uint32_t evolve_version = 2;
  using state = pb::DisbursementState;
  using command = pb::DisbursementCommand;
  using message = pb::DisbursementMessage;
  using event = pb::DisbursementEvent;
  using answer = pb::DisbursementAnswer; // always empty: every answer is the view

  static result decide(const state& now, const command& ask, const context& ctx);
  static decision told(const state& now, const message& message, const context& ctx);
  static decision credited(const state& now, const wire::Credit& credit, const context& ctx);
  static void evolve(state& now, const event& happened);
  /// Not before its project has said that there is one: nobody sees what may yet be refused.
  static bool exists(const state& now);

  /// Work of its own: to look for duplicates once all batches are locked, to pay chunk after chunk.
  static bool has_work(const state& now);
  static std::optional<feed_request> feed_for(const state& now);
  static decision proceed(const state& now, const context& ctx);

  static query_keys keys(const state& now);
  static std::vector<owned_total> totals(const state& now);

  static constexpr int max_batches = 500;
  static constexpr std::uint32_t max_lines = 1'000'000;
  static constexpr std::uint32_t lines_per_batch = 10'000; // numbers kept free for each batch
  static constexpr std::int64_t max_amount_minor = 1'000'000'000'000; // of one line
  static constexpr std::int64_t max_batch_sum_minor = max_amount_minor * lines_per_batch;
  static constexpr std::uint32_t max_duplicates_read = 1'000; // all are counted
  static constexpr int duplicates_named = 10;
  static constexpr std::size_t max_name = 200;  // characters
  static constexpr std::size_t max_text = 1000; // characters of a reason or a note
};

/// "opening", "draft", "locking", ...; "none" before it is asked for and when that was refused.
std::string_view to_string(pb::DisbursementStatus status);

} // namespace rahat
