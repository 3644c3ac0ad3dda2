#include "tests/unit/actors/support/state_table.hpp"

#include "actors/upload/upload.hpp"
#include "tests/unit/actors/upload/fixture.hpp"

namespace rahat::testing {
namespace {

using outcome = outcome_of<upload>;
using hand = std::function<outcome(upload_world)>;

upload_world received(pb::UploadMode mode, std::uint32_t rows) {
  auto now = receiving(mode);
  for (std::uint32_t first = 0; first < rows; first += 1'000)
    now = then(now.when(chunk(first / 1'000, std::min(1'000u, rows - first), first)));
  return now;
}

upload_world checking(const upload_world& now) {
  return then(now.when(close_after(now.state().chunks())));
}

upload_world with_bad_row() {
  pb::UploadCommand rows;
  rows.mutable_stage()->set_chunk(0);
  add_row(rows, 1, "a");
  add_error(rows, 2);
  return checking(then(receiving(pb::UPLOAD_ALL).when(rows)));
}

upload_world enrolling(std::uint32_t rows) {
  return then(placed(checking(received(pb::UPLOAD_ALL, rows))));
}

upload_world accepting(std::uint32_t rows) {
  auto now = enrolling(rows);
  for (std::uint32_t index = 0; index < (rows + 9'999) / 10'000; ++index)
    now = then(now.told(batch_enrolled(index, std::min(10'000u, rows - index * 10'000))));
  return now;
}

std::map<std::string, upload_world> statuses() {
  return {
      {"none", upload_world().as(upload_self)},
      {"opening", opening()},
      {"receiving", received(pb::UPLOAD_SKIP_BAD, 3)},
      {"checking (all)", checking(received(pb::UPLOAD_ALL, 3))},
      {"checking (skip-bad)", checking(received(pb::UPLOAD_SKIP_BAD, 3))},
      {"checking (bad row)", with_bad_row()},
      {"checking (no row)", checking(receiving())},
      {"checking (asked)", then(checking(received(pb::UPLOAD_ALL, 3)).feed({}).proceed())},
      {"enrolling", enrolling(3)},
      {"enrolling (two left)", enrolling(10'001)},
      {"accepting", accepting(3)},
      {"accepting (two left)", accepting(10'001)},
      {"accepting (one refused)", then(accepting(10'001).told(batch_joined(1, "it is full")))},
      {"failed", then(accepting(3).told(batch_joined(0, "it is full")))},
      {"accepted", then(accepting(3).told(batch_joined(0)))},
      {"rejected", then(with_bad_row().feed({}).proceed())},
      {"abandoned", then(receiving().when(abandon()))},
  };
}

hand command(const pb::UploadCommand& ask) {
  return [ask](upload_world now) { return now.when(ask); };
}

hand message(const pb::UploadMessage& news) {
  return [news](upload_world now) { return now.from(a_project).told(news); };
}

hand check(const wire::Feed& feed) {
  return [feed](upload_world now) { return now.feed(feed).proceed(); };
}

hand credit(std::string why) {
  wire::Credit c;
  c.set_purpose(derive_id({"credit"}).raw());
  c.set_debit_account(derive_id({"from"}).raw());
  c.set_credit_account(derive_id({"nowhere"}).raw());
  c.set_amount_minor(7);
  c.set_currency("NPR");
  assign(*c.mutable_from(), a_project);
  c.set_why(std::move(why));
  return [c](upload_world now) { return now.from(a_project).credited(c); };
}

TEST(upload_state_table, is_what_the_decider_does) {
  auto bad_row = chunk(1, 1);
  bad_row.mutable_stage()->mutable_rows(0)->set_amount_minor(-1);
  auto bad_digest = close_after(1);
  bad_digest.mutable_close()->set_content_digest("short");
  std::map<std::string, hand> inputs{
      {"open", command(open())},
      {"open (no project)", command(open(pb::UPLOAD_ALL, {}))},
      {"stage", command(chunk(1, 5, 3))},
      {"stage (another chunk)", command(chunk(2, 5))},
      {"stage (empty)", command(chunk(1, 0))},
      {"stage (too many)", command(chunk(1, 1'001))},
      {"stage (bad row)", command(bad_row)},
      {"close", command(close_after(1))},
      {"close (other chunks)", command(close_after(2))},
      {"close (bad digest)", command(bad_digest)},
      {"abandon", command(abandon())},
      {"project is draft", message(project_is(pb::PROJECT_DRAFT))},
      {"project is active", message(project_is(pb::PROJECT_ACTIVE))},
      {"project is suspended", message(project_is(pb::PROJECT_SUSPENDED))},
      {"project is closed", message(project_is(pb::PROJECT_CLOSED))},
      {"project does not exist", message(project_is(pb::PROJECT_NONE))},
      {"project is full", message(project_is_full())},
      {"places", message(places())},
      {"no places", message(places("the project has room for 0 more batches"))},
      {"batch joined", message(batch_joined(0))},
      {"batch turned away", message(batch_joined(0, "the project is full"))},
      {"batch enrolled", message(batch_enrolled(0, 3))},
      {"timer", [](upload_world now) { return now.fired(upload::abandon_timer); }},
      {"check", check({})},
      {"check (one repeated)", check(repeated(1))},
      {"check (too many repeated)", check(repeated(10'001))},
      {"credit", credit("x")},
      {"returned credit", credit("return")},
  };
  check_state_table<upload>("docs/protocols/upload.md", "upload", statuses(), inputs,
                            [](const pb::UploadState& now) {
                              auto name = to_string(now.status());
                              return name.empty() ? std::string("none") : std::string(name);
                            });
}

} // namespace
} // namespace rahat::testing
