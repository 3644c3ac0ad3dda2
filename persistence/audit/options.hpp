#pragma once

#include "persistence/audit/probe.hpp"
#include "runtime/decider/id.hpp"
#include "runtime/ports/clock.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace rahat {

namespace audit_limits {
/// Journal rows read at once, by the check and by the follower.
inline constexpr std::uint32_t page_rows = 256;
/// Transfers of one page of a recount.
inline constexpr std::uint32_t recount_page = 50'000;
/// Signed heads compared at once.
inline constexpr std::size_t heads_at_once = 20'000;
/// Differences named in a report; the imbalance counts all of them.
inline constexpr std::uint32_t differences = 100;
/// Another auditor wrote at the same moment: how often a look at the books is tried again.
inline constexpr int tries = 5;
/// The longest line of the heads file; a longer one counts as damaged.
inline constexpr std::size_t heads_line_bytes = 64 << 10;
} // namespace audit_limits

/// How an auditor is built. `time` and `probe` must outlive it; nullptr takes the system's clock
/// and a probe that counts nothing.
struct audit_options {
  std::string conninfo; // of the service role, application_name included
  uuid node;            // stands in every signed line
  /// `heads.log` and `heads.pub` lie here; made where it is missing. Copy both to another place
  /// from time to time: that copy is what nobody with this machine in hand can rewrite.
  std::filesystem::path folder; // <data>/audit
  /// Ed25519, PEM, 0600; made at the first start.
  std::filesystem::path key; // <data>/secrets/audit_ed25519.pem
  std::chrono::milliseconds sign_interval{60'000};
  std::chrono::milliseconds fold_interval{5'000};
  /// Journal rows folded by one call of books(); beyond: `complete` is false, and the next call
  /// goes on.
  std::uint32_t fold_rows = 50'000;
  /// Hour of the day (UTC) of the nightly recount; -1: none.
  int recount_hour = 2;
  /// Transfers a second of the nightly recount; 0: as fast as it goes. One on demand never waits.
  std::uint32_t recount_rate = 200'000;
  /// `verify` objects when rows are unsigned and nothing was signed for this long; 0: never.
  std::chrono::milliseconds unsigned_limit{3'600'000};
  /// False: another node follows, and counts at night; asked before each pass, by the following
  /// thread, so it must not block. Empty: always.
  std::function<bool()> may_follow;
  const clock* time = nullptr;
  audit_probe* probe = nullptr;
};

} // namespace rahat
