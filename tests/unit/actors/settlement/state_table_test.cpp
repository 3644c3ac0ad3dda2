#include "tests/unit/actors/support/state_table.hpp"
#include "tests/unit/actors/settlement/scenes.hpp"

#include <gtest/gtest.h>

namespace rahat::testing {

namespace {

using given_one = given<settlement>;

std::map<std::string, given_one> statuses() {
  std::map<std::string, given_one> out;
  auto add = [&](const std::string& name, const scenes::state& now) {
    out.emplace(name, given_one(now));
  };
  add("none", {});
  add("opening", scenes::opening());
  add("opening:vendor", scenes::opening_vendor());
  add("open", scenes::opened());
  add("requesting", scenes::requesting());
  add("requested", scenes::requested());
  add("approved", scenes::approved());
  add("paying", scenes::paying());
  add("paid", scenes::all_paid());
  return out;
}

std::map<std::string, std::function<scenes::outcome(given_one)>> inputs() {
  std::map<std::string, std::function<scenes::outcome(given_one)>> out;
  auto asks = [&](const std::string& name, const scenes::command& ask) {
    out[name] = [ask](given_one g) { return g.by("checker").when(ask); };
  };
  asks("open", scenes::open());
  asks("request", scenes::request());
  asks("approve", scenes::approve());
  asks("pay", scenes::pay());
  asks("withdraw", scenes::withdraw());
  auto hears = [&](const std::string& name, const entity_ref& from, const scenes::message& told) {
    out[name] = [from, told](given_one g) { return g.from(from).told(told); };
  };
  hears("project", scenes::project, scenes::project_fact());
  hears("no project", scenes::project, scenes::project_fact(pb::PROJECT_NONE));
  hears("project closed", scenes::project, scenes::project_fact(pb::PROJECT_CLOSED));
  hears("project of another currency", scenes::project, scenes::project_in_dollars());
  hears("vendor", scenes::shop, scenes::vendor_fact());
  hears("no vendor", scenes::shop, scenes::vendor_fact(pb::VENDOR_NONE));
  hears("quote", scenes::shop, scenes::quote());
  hears("quote refused", scenes::shop, scenes::quote("there is nothing to settle"));
  hears("paid", scenes::shop, scenes::paid());
  hears("paid refused", scenes::shop, scenes::paid("the vendor is suspended"));
  auto gets = [&](const std::string& name, const wire::Credit& credit) {
    out[name] = [credit](given_one g) { return g.from(scenes::project).credited(credit); };
  };
  gets("stray credit", scenes::credit("mistake"));
  gets("returned credit", scenes::credit("return"));
  return out;
}

} // namespace

TEST(settlement_state_table, says_what_the_decider_does) {
  check_state_table<settlement>(
      "docs/protocols/settlement.md", "settlement", statuses(), inputs(),
      [](const auto& now) { return std::string(to_string(now.status())); });
}

} // namespace rahat::testing
