#include "tests/unit/actors/vendor/scenes.hpp"

#include <stdexcept>

namespace rahat::testing::scenes {

namespace {

state must(const outcome& out) {
  if (out.refusal)
    throw std::runtime_error("a scene was refused: " + out.refusal->message);
  return out.after;
}

template <class Order>
void name(Order& order, const entity_ref& who) {
  assign(*order.mutable_settlement(), who);
  order.set_project(project.id.raw());
  order.set_currency("NPR");
}

} // namespace

uuid account(const std::string& currency) {
  return account_of(self, "vendor", project.id.raw() + currency);
}

uuid outside_account() {
  return account_of(project, "outside", "NPR");
}

command enter() {
  command ask;
  ask.mutable_register_()->set_name("Shyam's shop");
  return ask;
}

command verify() {
  command ask;
  ask.mutable_verify();
  return ask;
}

command suspend(const std::string& reason) {
  command ask;
  ask.mutable_suspend()->set_reason(reason);
  return ask;
}

command reactivate() {
  command ask;
  ask.mutable_reactivate();
  return ask;
}

message ask(const entity_ref& asker, const std::string& currency) {
  message told;
  assign(*told.mutable_ask()->mutable_asker(), asker);
  told.mutable_ask()->set_project(project.id.raw());
  told.mutable_ask()->set_currency(currency);
  return told;
}

message check() {
  message told;
  assign(*told.mutable_check()->mutable_settlement(), settlement);
  return told;
}

message quote(const entity_ref& who) {
  message told;
  name(*told.mutable_quote(), who);
  return told;
}

message pay(const entity_ref& who) {
  message told;
  name(*told.mutable_pay(), who);
  told.mutable_pay()->set_outside_account(outside_account().raw());
  return told;
}

message release(const entity_ref& who) {
  message told;
  name(*told.mutable_release(), who);
  return told;
}

wire::Credit redemption(int n, std::int64_t amount_minor) {
  wire::Credit credit;
  auto wallet = wallet_of(batch.id, static_cast<std::uint32_t>(n));
  credit.set_purpose(purpose_of(batch, "redemption", std::to_string(n)).raw());
  credit.set_debit_account(wallet.raw());
  credit.set_credit_account(account().raw());
  credit.set_amount_minor(amount_minor);
  credit.set_currency("NPR");
  assign(*credit.mutable_from(), batch);
  credit.set_why("redemption");
  credit.set_reference(wallet.str());
  return credit;
}

wire::Credit stray_credit() {
  auto credit = redemption(7);
  credit.set_why("mistake");
  return credit;
}

wire::Credit returned_credit() {
  auto credit = redemption(8, 30);
  credit.set_why("return");
  return credit;
}

state after_command(const state& before, const command& ask, const std::string& user) {
  return must(given<vendor>(before).by(user).when(ask));
}

state after_message(const state& before, const message& told) {
  return must(given<vendor>(before).from(batch).told(told));
}

state after_credit(const state& before, const wire::Credit& credit) {
  return must(given<vendor>(before).from(batch).credited(credit));
}

state registered() {
  return after_credit(after_message(after_command({}, enter()), ask()), redemption(1));
}

state verified() {
  return after_command(registered(), verify(), "checker");
}

state suspended() {
  return after_command(verified(), suspend());
}

state quoted(const state& before) {
  return after_message(before, quote());
}

} // namespace rahat::testing::scenes
