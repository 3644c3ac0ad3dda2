#include "tests/unit/actors/support/state_table.hpp"

#include "actors/batch/batch.hpp"
#include "tests/unit/actors/batch/fixture.hpp"

namespace rahat::testing {
namespace {

using outcome = outcome_of<batch>;
using hand = std::function<outcome(batch_world)>;

batch_world with(const std::function<void(pb::BatchState&)>& change) {
  auto state = ready().state();
  change(state);
  return batch_world(state).as(batch_self);
}

batch_world failed(int times) {
  auto now = ready();
  for (int i = 0; i < times; ++i)
    now = then(now.when(redeem(400, "0000")));
  return now;
}

batch_world crowded() {
  return with([](pb::BatchState& now) {
    now.clear_vendors();
    for (int i = 0; i < batch::max_waiting; ++i)
      now.add_waiting()->set_request(derive_id({"waiting", std::to_string(i)}).raw());
  });
}

std::map<std::string, batch_world> statuses() {
  return {
      {"none", batch_world().as(batch_self)},
      {"enrolling", enrolled(3)},
      {"ready", ready()},
      {"last try", failed(4)},
      {"frozen", then(ready().when(freeze()))},
      {"project unknown", with([](auto& now) { now.clear_project(); })},
      {"vendor unknown", with([](auto& now) { now.clear_vendors(); })},
      {"vendor asked", with([](auto& now) {
         now.clear_vendors();
         now.add_vendors_asked(a_vendor.id.raw());
       })},
      {"both unknown", with([](auto& now) {
         now.clear_vendors();
         now.clear_project();
       })},
      {"both old", ready().at(test_now_us + batch::fact_holds_us + 1)},
      {"project suspended", then(ready().told(project_is(pb::PROJECT_SUSPENDED)))},
      {"project closed", then(ready().told(project_is(pb::PROJECT_CLOSED)))},
      {"vendor suspended", then(ready().told(vendor_is(pb::VENDOR_SUSPENDED)))},
      {"vendor not verified", then(ready().told(vendor_is(pb::VENDOR_REGISTERED)))},
      {"vendor not registered", then(ready().told(vendor_is(pb::VENDOR_NONE)))},
      {"no code", with([](auto& now) { now.clear_codes(); })},
      {"code old", with([](auto& now) { now.mutable_codes(0)->set_expires_us(test_now_us - 1); })},
      {"code exhausted", failed(5)},
      {"bought before", then(then(ready().when(redeem(100))).when(issue()))},
      {"too many waiting", crowded()},
      {"too many redemptions", with([](auto& now) {
         now.set_redemption_ids(std::string(16 * batch::max_redemptions, 'x'));
       })},
  };
}

hand changed(const std::function<void(pb::Redeem&)>& change) {
  auto ask = redeem();
  change(*ask.mutable_redeem());
  return [ask](batch_world now) { return now.when(ask); };
}

TEST(redemption_state_table, is_what_the_decider_does) {
  std::map<std::string, hand> inputs{
      {"redeem", changed([](auto&) {})},
      {"wrong code", changed([](auto& ask) { ask.set_code_hash(hash_of("0000")); })},
      {"beyond the balance", changed([](auto& ask) { ask.set_amount_minor(1'001); })},
      {"nothing", changed([](auto& ask) { ask.set_amount_minor(0); })},
      {"other currency", changed([](auto& ask) { ask.set_currency("USD"); })},
      {"no such member", changed([](auto& ask) { ask.set_member(member(3).raw()); })},
      {"no vendor", changed([](auto& ask) { ask.clear_vendor(); })},
      {"long id", changed([](auto& ask) { ask.set_client_id(std::string(101, 'x')); })},
  };
  check_state_table<batch>("docs/protocols/redemption.md", "redemption", statuses(), inputs,
                           [](const pb::BatchState& now) {
                             auto name = to_string(now.status());
                             return name.empty() ? std::string("none") : std::string(name);
                           });
}

} // namespace
} // namespace rahat::testing
