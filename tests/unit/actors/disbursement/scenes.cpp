#include "tests/unit/actors/disbursement/scenes.hpp"

#include <stdexcept>

namespace rahat::testing::scenes {

namespace {

constexpr int count_of[] = {3, 2};
constexpr std::int64_t each_minor = 100;

state must(const outcome& out) {
  if (out.refusal)
    throw std::runtime_error("a scene was refused: " + out.refusal->message);
  return out.after;
}

wire::Credit credit_of(std::int64_t amount_minor) {
  wire::Credit credit;
  credit.set_debit_account(budget_account().raw());
  credit.set_credit_account(reserve_account().raw());
  credit.set_amount_minor(amount_minor);
  credit.set_currency("NPR");
  assign(*credit.mutable_from(), project);
  return credit;
}

} // namespace

entity_ref batch(int i) {
  return {"batch", derive_id({"test", "batch", std::to_string(i)})};
}

uuid list(int round) {
  return derive_id({"pay list", self.id.raw(), std::to_string(round)});
}

uuid reserve_account() {
  return account_of(self, "reserve");
}

uuid budget_account() {
  return account_of(project, "budget", "NPR");
}

command create() {
  command ask;
  ask.mutable_create()->set_project(project.id.raw());
  ask.mutable_create()->set_name("Winter cash");
  ask.mutable_create()->set_currency("NPR");
  return ask;
}

command lock() {
  command ask;
  ask.mutable_lock();
  return ask;
}

command approve(const state& now) {
  command ask;
  ask.mutable_approve()->set_digest(now.digest());
  return ask;
}

command reject(const std::string& reason) {
  command ask;
  ask.mutable_reject()->set_reason(reason);
  return ask;
}

command pay() {
  command ask;
  ask.mutable_pay();
  return ask;
}

command pause(const std::string& reason) {
  command ask;
  ask.mutable_pause()->set_reason(reason);
  return ask;
}

command resume() {
  command ask;
  ask.mutable_resume();
  return ask;
}

command cancel() {
  command ask;
  ask.mutable_cancel()->set_reason("no longer needed");
  return ask;
}

message project_fact(pb::ProjectStatus status, int batches, int round) {
  message told;
  auto& fact = *told.mutable_project();
  fact.set_project(project.id.raw());
  fact.set_status(status);
  fact.set_currency("NPR");
  fact.set_budget_account(budget_account().raw());
  if (round != 0)
    fact.set_list(list(round).raw());
  for (int i = 0; i < batches; ++i) {
    auto& entry = *fact.add_batches();
    entry.set_id(batch(i).id.raw());
    entry.set_members(3);
  }
  return told;
}

message no_project() {
  message told;
  told.mutable_project()->set_project(project.id.raw());
  told.mutable_project()->set_list(list().raw());
  return told;
}

message project_in_dollars() {
  auto told = project_fact(pb::PROJECT_ACTIVE, 2);
  told.mutable_project()->set_currency("USD");
  return told;
}

message batch_locked(int i, int round) {
  message told;
  auto& answer = *told.mutable_batch_locked();
  auto count = static_cast<std::uint32_t>(count_of[i]);
  answer.set_batch(batch(i).id.raw());
  answer.set_list(list(round).raw());
  answer.set_count(count);
  answer.set_sum_minor(count * each_minor);
  auto& chunk = *answer.add_chunks();
  chunk.set_first(static_cast<std::uint32_t>(i) * 10'000);
  chunk.set_last(chunk.first() + count - 1);
  chunk.set_count(count);
  chunk.set_sum_minor(count * each_minor);
  chunk.set_digest(std::string(view(sha256("lines of batch " + std::to_string(i)))));
  return told;
}

message batch_refused(int i) {
  message told;
  auto& answer = *told.mutable_batch_locked();
  answer.set_batch(batch(i).id.raw());
  answer.set_list(list().raw());
  answer.set_refused("the batch is frozen");
  return told;
}

message reserve_refused() {
  message told;
  told.mutable_reserve()->set_list(list().raw());
  told.mutable_reserve()->set_refused("the budget is too small");
  return told;
}

message chunk_applied(int i) {
  message told;
  told.mutable_applied()->set_list(list().raw());
  told.mutable_applied()->set_batch(batch(i).id.raw());
  told.mutable_applied()->set_chunk(0);
  return told;
}

wire::Credit reserve_credit() {
  auto credit = credit_of(500);
  credit.set_purpose(purpose_of(project, "reserve", list().raw()).raw());
  credit.set_why("reserve");
  return credit;
}

wire::Credit stray_credit() {
  auto credit = credit_of(70);
  credit.set_purpose(purpose_of(project, "mistake", "1").raw());
  credit.set_why("mistake");
  return credit;
}

wire::Credit returned_credit() {
  auto credit = credit_of(30);
  credit.set_purpose(purpose_of(project, "return", "1").raw());
  credit.set_why("return");
  return credit;
}

state after_command(const state& before, const command& ask, const std::string& user) {
  return must(given<disbursement>(before).by(user).when(ask));
}

state after_message(const state& before, const message& told) {
  return must(given<disbursement>(before).from(project).told(told));
}

state opening() {
  return after_command({}, create());
}

state draft(const command& ask) {
  return after_message(after_command({}, ask), project_fact(pb::PROJECT_ACTIVE, 0, 0));
}

state locking() {
  return after_command(draft(), lock());
}

state asked() {
  return after_message(after_message(locking(), project_fact(pb::PROJECT_ACTIVE, 2)),
                       batch_locked(0));
}

state answered() {
  return after_message(asked(), batch_locked(1));
}

state locked() {
  return must(given<disbursement>(answered()).feed({}).proceed());
}

state approved() {
  return after_command(locked(), approve(locked()), "checker");
}

state reserving() {
  return after_command(approved(), pay());
}

state paying() {
  return must(given<disbursement>(reserving()).from(project).credited(reserve_credit()));
}

state decided(const state& before, int chunks) {
  auto now = before;
  for (int i = 0; i < chunks; ++i)
    now = must(given<disbursement>(now).proceed());
  return now;
}

state arrived(const state& before, int chunk) {
  return after_message(before, chunk_applied(chunk));
}

} // namespace rahat::testing::scenes
