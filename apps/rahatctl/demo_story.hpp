#pragma once

#include "apps/rahatctl/demo_register.hpp"

#include <cstdint>
#include <iosfwd>
#include <string>

namespace rahat::ctl {

struct context;
class demo_node;

/// What came of the demo. Amounts in minor units of `demo_currency`.
struct demo_figures {
  std::uint64_t households = 0;
  std::int64_t promised_minor = 0;
  std::uint64_t lines_paid = 0;
  std::int64_t paid_minor = 0;
  double seconds = 0; // from the order to pay until every line was in its wallet
  std::uint64_t shops = 0;
  std::uint64_t redemptions = 0;
  std::int64_t settled_minor = 0;
  bool books_complete = false;
  std::int64_t imbalance_minor = 0;
  bool chain_valid = false;
  std::int64_t journal_rows = 0;
  std::int64_t transfers = 0;

  double lines_per_second() const;
  /// Every line was paid, the books are known to be exact and the chain is valid.
  bool good() const;
};

inline constexpr const char* demo_currency = "GHS";

/// "GHS 12.05"
std::string demo_money(std::int64_t minor);

/// The whole story of the product, as its users would tell it over HTTP, each step told on `out`.
/// Throws std::runtime_error that says what went wrong or what was waited for in vain, and
/// `interrupted` soon after a signal (see `interrupt_guard`).
demo_figures tell_demo(context& ctx, const demo_node& node, const demo_register& homes,
                       std::ostream& out);

} // namespace rahat::ctl
