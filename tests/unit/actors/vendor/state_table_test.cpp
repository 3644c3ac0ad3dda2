#include "tests/unit/actors/support/state_table.hpp"
#include "tests/unit/actors/vendor/scenes.hpp"

#include <gtest/gtest.h>

namespace rahat::testing {

namespace {

using given_one = given<vendor>;
using namespace scenes;

std::map<std::string, given_one> statuses() {
  std::map<std::string, given_one> out;
  auto add = [&](const std::string& name, const state& now) { out.emplace(name, given_one(now)); };
  add("none", {});
  add("registered", registered());
  add("verified", verified());
  add("verified:quoted", quoted(verified()));
  add("suspended", suspended());
  add("suspended:quoted", after_command(quoted(verified()), suspend()));
  return out;
}

std::map<std::string, std::function<outcome(given_one)>> inputs() {
  std::map<std::string, std::function<outcome(given_one)>> out;
  auto asks = [&](const std::string& name, const command& ask) {
    out[name] = [ask](given_one g) { return g.by("checker").when(ask); };
  };
  asks("register", enter());
  asks("verify", verify());
  asks("suspend", suspend());
  asks("reactivate", reactivate());
  auto hears = [&](const std::string& name, const entity_ref& from, const message& told) {
    out[name] = [from, told](given_one g) { return g.from(from).told(told); };
  };
  entity_ref another{"batch", derive_id({"another batch"})};
  hears("ask", another, ask(another, "USD"));
  hears("check", settlement, check());
  hears("quote", settlement, quote());
  hears("pay", settlement, scenes::pay());
  hears("release", settlement, release());
  auto gets = [&](const std::string& name, const wire::Credit& credit) {
    out[name] = [credit](given_one g) { return g.from(batch).credited(credit); };
  };
  gets("redemption", redemption(2));
  gets("stray credit", scenes::stray_credit());
  gets("returned credit", returned_credit());
  return out;
}

} // namespace

TEST(vendor_state_table, says_what_the_decider_does) {
  check_state_table<vendor>("docs/protocols/vendor.md", "vendor", statuses(), inputs(),
                            [](const state& now) { return std::string(to_string(now.status())); });
}

} // namespace rahat::testing
