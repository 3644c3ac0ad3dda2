#include "tests/unit/actors/support/state_table.hpp"

#include "actors/project/project.hpp"
#include "tests/unit/actors/project/fixture.hpp"

namespace rahat::testing {
namespace {

using world = given<project>;
using outcome = outcome_of<project>;

world then(const outcome& out) {
  return world(out.after).as(project_self);
}

world draft() {
  return then(world().as(project_self).when(create()));
}

world active() {
  return then(then(draft().when(activate())).when(fund(1'000)));
}

world reserved() {
  return then(active().told(reserve(300)));
}

world asked() {
  auto now = active();
  for (auto& asker : {a_batch, an_upload, a_disbursement, a_settlement})
    now = then(now.told(ask_from(asker)));
  return now;
}

std::function<outcome(world)> command(const pb::ProjectCommand& ask) {
  return [ask](world now) { return now.when(ask); };
}

std::function<outcome(world)> message(const pb::ProjectMessage& news) {
  return [news](world now) { return now.from(a_disbursement).told(news); };
}

std::function<outcome(world)> credit(const wire::Credit& news) {
  return [news](world now) { return now.from(a_disbursement).credited(news); };
}

TEST(project_state_table, is_what_the_decider_does) {
  std::map<std::string, world> statuses{
      {"none", world().as(project_self)},
      {"draft", draft()},
      {"active", active()},
      {"active (reserved)", reserved()},
      {"active (asked)", asked()},
      {"suspended", then(active().when(suspend()))},
      {"closed", then(active().when(close()))},
  };
  auto nowhere = derive_id({"no such account"});
  std::map<std::string, std::function<outcome(world)>> inputs{
      {"create", command(create())},
      {"create (bad name)", command(create(""))},
      {"create (bad currency)", command(create("Floods", "npr"))},
      {"create (bad dates)", command(create("Floods", "NPR", "2026-07-02", "2026-07-01"))},
      {"activate", command(activate())},
      {"suspend", command(suspend())},
      {"suspend (no reason)", command(suspend(" "))},
      {"close", command(close())},
      {"fund", command(fund(500))},
      {"fund (nothing)", command(fund(0))},
      {"fund (too much)", command(fund(project::max_funded_minor + 1))},
      {"fund (other currency)", command(fund(500, "USD"))},
      {"ask", message(ask_from(a_batch))},
      {"ask (once)", message(ask_once({"disbursement", derive_id({"another one"})}))},
      {"reserve", message(reserve(200, "NPR", derive_id({"another list"})))},
      {"reserve (beyond the budget)", message(reserve(1'001))},
      {"reserve (other currency)", message(reserve(200, "USD"))},
      {"reserve (nothing)", message(reserve(0))},
      {"ask places", message(ask_places(3))},
      {"ask places (too many)", message(ask_places(project::max_batches + 1))},
      {"batch opened", message(batch_opened())},
      {"reservation ended", message(reservation_ended())},
      {"credit to outside", credit(credit_to(outside_account(), 50, "NPR", "settlement"))},
      {"credit to budget", credit(credit_to(budget_account(), 50))},
      {"credit to an unknown account", credit(credit_to(nowhere, 50))},
      {"credit in another currency", credit(credit_to(budget_account(), 50, "USD"))},
      {"returned credit to an unknown account", credit(credit_to(nowhere, 50, "NPR", "return"))},
  };
  check_state_table<project>("docs/protocols/project.md", "project", statuses, inputs,
                             [](const pb::ProjectState& now) {
                               auto name = to_string(now.status());
                               return name.empty() ? std::string("none") : std::string(name);
                             });
}

} // namespace
} // namespace rahat::testing
