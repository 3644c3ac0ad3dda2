#include "tests/unit/actors/support/state_table.hpp"

#include "actors/batch/batch.hpp"
#include "tests/unit/actors/batch/fixture.hpp"

#include "actors/disbursement/disbursement.pb.h"

namespace rahat::testing {
namespace {

using outcome = outcome_of<batch>;
using hand = std::function<outcome(batch_world)>;

const entity_ref another_vendor{"vendor", derive_id({"another vendor"})};

batch_world locking() {
  return then(ready().told(lock()));
}

batch_world locked() {
  return then(locking().proceed());
}

batch_world waiting() {
  return then(ready()
                  .request(derive_id({"the one who waits"}))
                  .when(redeem(400, "4711", "till 2", member(0), another_vendor)));
}

std::map<std::string, batch_world> statuses() {
  return {
      {"none", batch_world().as(batch_self)},
      {"enrolling", then(batch_world().as(batch_self).told(enroll()))},
      {"enrolling (done)", enrolled(3)},
      {"open", ready()},
      {"open (locking)", locking()},
      {"open (locked)", locked()},
      {"open (waiting)", waiting()},
      {"open (heard)", then(waiting().told(vendor_is(pb::VENDOR_VERIFIED, another_vendor)))},
      {"frozen", then(ready().when(freeze()))},
      {"frozen (locked)", then(locked().when(freeze()))},
  };
}

/// What the disbursement was told about the only chunk of the list.
pb::ChunkDigest the_chunk() {
  auto out = locking().proceed();
  pb::DisbursementMessage news;
  EXPECT_TRUE(news.ParseFromString(out.made.told().at(0).bytes));
  return news.batch_locked().chunks(0);
}

hand command(const pb::BatchCommand& ask) {
  return [ask](batch_world now) { return now.when(ask); };
}

hand message(const pb::BatchMessage& news) {
  return [news](batch_world now) { return now.from(its_disbursement).told(news); };
}

hand credit(const wire::Credit& news) {
  return [news](batch_world now) { return now.from(its_disbursement).credited(news); };
}

TEST(batch_state_table, is_what_the_decider_does) {
  auto other_lines = the_chunk();
  other_lines.set_digest(hash_of("other lines"));
  auto no_such_chunk = the_chunk();
  no_such_chunk.set_chunk(1);
  auto bad_hash = issue();
  bad_hash.mutable_issue_code()->set_code_hash("4711");
  auto nowhere = derive_id({"nowhere"});
  std::map<std::string, hand> inputs{
      {"enroll", message(enroll())},
      {"enroll (nobody)", message(enroll(0, 1, {0, 1}))},
      {"enroll (too many)", message(enroll(0, 10'000))},
      {"accept", message(accept())},
      {"drop", message(drop())},
      {"go on", [](batch_world now) { return now.feed(staged(0, 2)).proceed(); }},
      {"lock", message(lock())},
      {"lock (another list)", message(lock(derive_id({"another list"}), 50))},
      {"lock (too much)", message(lock(derive_id({"another list"}), batch::max_list_minor))},
      {"unlock", message(unlock())},
      {"pay", message(pay(the_chunk()))},
      {"pay (other lines)", message(pay(other_lines))},
      {"pay (no such chunk)", message(pay(no_such_chunk))},
      {"project news", message(project_is(pb::PROJECT_SUSPENDED))},
      {"vendor news", message(vendor_is(pb::VENDOR_SUSPENDED))},
      {"issue code", command(issue())},
      {"issue code (no such member)", command(issue(member(3)))},
      {"issue code (bad hash)", command(bad_hash)},
      {"freeze", command(freeze())},
      {"freeze (no reason)", command(freeze(""))},
      {"thaw", command(thaw())},
      {"thaw (long reason)", command(thaw(std::string(501, 'x')))},
      {"list members", command(list_members())},
      {"list members (none)", command(list_members(0, 0))},
      {"list members (too many)", command(list_members(0, 201))},
      {"credit to a wallet", credit(credit_to(member(2), 5))},
      {"credit to no member", credit(credit_to(member(3), 5))},
      {"credit to an unknown account", credit(credit_to(nowhere, 5))},
      {"credit in another currency", credit(credit_to(member(2), 5, "USD"))},
      {"returned credit to no member", credit(credit_to(member(3), 5, "NPR", "return"))},
      {"returned credit in another currency", credit(credit_to(member(2), 5, "USD", "return"))},
  };
  check_state_table<batch>("docs/protocols/batch.md", "batch", statuses(), inputs,
                           [](const pb::BatchState& now) {
                             auto name = to_string(now.status());
                             return name.empty() ? std::string("none") : std::string(name);
                           });
}

} // namespace
} // namespace rahat::testing
