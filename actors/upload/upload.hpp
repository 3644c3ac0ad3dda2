#pragma once

#include "actors/upload/upload.pb.h"
#include "runtime/decider/kind.hpp"

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace rahat {

/// A register of households on its way into batches: rows are staged sealed, checked whole, then
/// enrolled into batches; none of them shows members before all of them have theirs, and it is not
/// called accepted before all of them are open and known to the project.
/// Owns no account. Protocol: docs/protocols/upload.md.
struct upload {
  static constexpr std::string_view name = "upload";
  static constexpr std::uint32_t evolve_version = 2;

  using state = pb::UploadState;
  using command = pb::UploadCommand;
  using message = pb::UploadMessage;
  using event = pb::UploadEvent;
  using answer = pb::UploadAnswer;

  /// Rows and errors of one chunk together; a bigger chunk is refused.
  static constexpr int max_chunk_rows = 1'000;
  /// Good rows of one upload, and bad ones; more are refused.
  static constexpr std::uint32_t max_rows = 1'000'000;
  /// Households of one batch.
  static constexpr std::uint32_t batch_rows = 10'000;
  /// Rows whose household stands in an earlier row; with more the upload is rejected.
  static constexpr std::uint32_t max_duplicates = 10'000;
  /// Sum of the amounts given: stays exact in a JSON number (below 2^53).
  static constexpr std::int64_t max_amount_minor = 9'000'000'000'000'000;
  static constexpr std::size_t max_file_name = 255;
  static constexpr std::size_t max_content_type = 100;
  static constexpr std::size_t max_reason = 500;
  static constexpr std::size_t max_field = 100;
  static constexpr std::size_t max_message = 500;
  static constexpr std::size_t max_sealed_bytes = 8'192;
  static constexpr std::size_t max_wrapped_key_bytes = 256;
  /// An upload whose client has gone quiet for that long is abandoned.
  static constexpr std::int64_t abandon_after_us = 3'600'000'000;
  static constexpr std::string_view abandon_timer = "abandon";

  static result decide(const state& now, const command& ask, const context& ctx);
  static decision told(const state& now, const message& news, const context& ctx);
  static decision credited(const state& now, const wire::Credit& credit, const context& ctx);
  static void evolve(state& now, const event& happened);
  static bool exists(const state& now);
  static query_keys keys(const state& now);
  static std::vector<owned_total> totals(const state& now);

  static bool has_work(const state& now);
  static std::optional<feed_request> feed_for(const state& now);
  static decision proceed(const state& now, const context& ctx);
  static decision fired(const state& now, std::string_view timer, const context& ctx);

  /// The id of an upload's batch number `index`, from 0.
  static uuid batch_id(const uuid& upload, std::uint32_t index);
};

/// "opening", "receiving", "checking", "enrolling", "accepting", "accepted", "rejected",
/// "abandoned", "failed"; empty for an upload that does not exist.
std::string_view to_string(pb::UploadStatus status);

/// SHA-256 over staged rows and errors as the journal covers them, in order. A row: ordinal, row
/// (4 bytes BE each), person (16), amount_minor (8 BE), then sealed and wrapped key, each behind
/// its length (4 BE). An error: row (4 BE), then field and message, each behind its length.
digest digest_of(const staged_rows& staged);

} // namespace rahat
