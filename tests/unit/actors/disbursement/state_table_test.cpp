#include "tests/unit/actors/support/state_table.hpp"
#include "tests/unit/actors/disbursement/scenes.hpp"

#include <gtest/gtest.h>

namespace rahat::testing {

namespace {

using given_one = given<disbursement>;
using namespace scenes;

/// The first chunk that is decided and has not arrived, else the first of all.
int outstanding_chunk(const state& now) {
  for (int i = 0; i < static_cast<int>(now.next_chunk()); ++i)
    if (!now.chunks(i).applied())
      return i;
  return 0;
}

std::map<std::string, given_one> statuses() {
  std::map<std::string, given_one> out;
  auto add = [&](const std::string& name, const state& now) { out.emplace(name, given_one(now)); };
  add("none", {});
  add("opening", opening());
  add("draft", draft());
  add("locking", locking());
  add("locking:asked", asked());
  add("locking:answered", answered());
  add("locked", locked());
  add("approved", approved());
  add("reserving", reserving());
  add("paying", paying());
  add("paying:decided", arrived(decided(paying(), 2), 0));
  add("paused", after_command(arrived(decided(paying(), 1), 0), pause()));
  add("paused:decided", after_command(decided(paying(), 1), pause()));
  add("cancelling:batches", after_command(asked(), cancel()));
  add("cancelling:reserve", after_command(reserving(), cancel()));
  add("cancelling:chunks", after_command(decided(paying(), 1), cancel()));
  add("cancelled", after_command(locked(), cancel()));
  add("completed", arrived(arrived(decided(paying(), 2), 0), 1));
  return out;
}

std::map<std::string, std::function<outcome(given_one)>> inputs() {
  std::map<std::string, std::function<outcome(given_one)>> out;
  out["create"] = [](given_one g) { return g.when(create()); };
  out["lock"] = [](given_one g) { return g.when(lock()); };
  out["approve"] = [](given_one g) { return g.by("checker").when(approve(g.state())); };
  out["reject"] = [](given_one g) { return g.by("checker").when(scenes::reject()); };
  out["pay"] = [](given_one g) { return g.when(pay()); };
  out["pause"] = [](given_one g) { return g.when(scenes::pause()); };
  out["resume"] = [](given_one g) { return g.when(resume()); };
  out["cancel"] = [](given_one g) { return g.when(cancel()); };
  auto hears = [&](const std::string& name, const entity_ref& from, const message& told) {
    out[name] = [from, told](given_one g) { return g.from(from).told(told); };
  };
  hears("project active", project, project_fact(pb::PROJECT_ACTIVE, 2));
  hears("project suspended", project, project_fact(pb::PROJECT_SUSPENDED));
  hears("project closed", project, project_fact(pb::PROJECT_CLOSED));
  hears("no project", project, no_project());
  hears("project of another currency", project, project_in_dollars());
  hears("project news active", project, project_fact(pb::PROJECT_ACTIVE, 0, 0));
  hears("project news suspended", project, project_fact(pb::PROJECT_SUSPENDED, 0, 0));
  hears("batch locked", batch(1), batch_locked(1));
  hears("batch refused", batch(1), batch_refused(1));
  hears("reserve refused", project, reserve_refused());
  out["chunk applied"] = [](given_one g) {
    auto chunk = outstanding_chunk(g.state());
    return g.from(batch(chunk)).told(chunk_applied(chunk));
  };
  auto gets = [&](const std::string& name, const wire::Credit& credit) {
    out[name] = [credit](given_one g) { return g.from(project).credited(credit); };
  };
  gets("reserve credit", reserve_credit());
  gets("stray credit", scenes::stray_credit());
  gets("returned credit", returned_credit());
  out["work"] = [](given_one g) {
    auto made = g.feed({}).proceed();
    EXPECT_EQ(disbursement::has_work(made.before), !made.made.empty());
    return made;
  };
  return out;
}

} // namespace

TEST(disbursement_state_table, says_what_the_decider_does) {
  check_state_table<disbursement>(
      "docs/protocols/disbursement.md", "disbursement", statuses(), inputs(),
      [](const state& now) { return std::string(to_string(now.status())); });
}

} // namespace rahat::testing
