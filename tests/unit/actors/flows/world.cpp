#include "tests/unit/actors/flows/world.hpp"

#include <gtest/gtest.h>

namespace rahat::testing {

namespace {

constexpr const char* maker = "maker";
constexpr const char* checker = "checker";
constexpr const char* currency = "NPR";

} // namespace

world::world(std::uint64_t seed) : play_(seed), random_(seed * 7919 + 1) {
  play_.add_kind<rahat::project>();
  play_.add_kind<upload>();
  play_.add_kind<batch>();
  play_.add_kind<disbursement>();
  play_.add_kind<vendor>();
  play_.add_kind<settlement>();
  project_ = fresh("project");
  pb::ProjectCommand create;
  create.mutable_create()->set_name("Winter cash");
  create.mutable_create()->set_currency(currency);
  EXPECT_TRUE(ask(project_, create, maker).ok());
}

entity_ref world::fresh(const std::string& kind) {
  return {kind, derive_id({"world", kind, std::to_string(++made_)})};
}

reply world::ask(const entity_ref& to, const google::protobuf::Message& command,
                 const std::string& user) {
  return play_.ask(to, command, {user, user});
}

reply world::ask_and_wait(const entity_ref& to, const google::protobuf::Message& command,
                          const std::string& user) {
  auto told = ask(to, command, user);
  auto request = play_.last_request();
  while (told.pending && play_.step())
    told = play_.reply_to(to, request);
  return told;
}

void world::stir(std::uint64_t most) {
  for (auto left = draw(most + 1); left > 0 && play_.step(); --left) {
  }
}

// ---- the project -----------------------------------------------------------------------------

void world::activate() {
  pb::ProjectCommand c;
  c.mutable_activate();
  ask(project_, c, maker);
}

void world::suspend() {
  pb::ProjectCommand c;
  c.mutable_suspend()->set_reason("floods");
  ask(project_, c, maker);
}

reply world::close() {
  pb::ProjectCommand c;
  c.mutable_close();
  return ask(project_, c, maker);
}

void world::fund(std::int64_t amount_minor) {
  pb::ProjectCommand c;
  c.mutable_fund()->set_amount_minor(amount_minor);
  c.mutable_fund()->set_currency(currency);
  if (ask(project_, c, maker).ok())
    funded_minor_ += amount_minor;
}

entity_ref world::upload_register(std::uint32_t rows, std::int64_t amount_minor,
                                  std::uint64_t first_person) {
  auto upload = fresh("upload");
  pb::UploadCommand open;
  open.mutable_open()->set_project(project_.id.raw());
  ask(upload, open, maker);
  play_.run(); // a client stages once its upload is open
  std::uint32_t chunks = 0;
  for (std::uint32_t row = 0; row < rows;) {
    pb::UploadCommand stage;
    stage.mutable_stage()->set_chunk(chunks++);
    for (int i = 0; i < 1'000 && row < rows; ++i, ++row) {
      auto& staged = *stage.mutable_stage()->add_rows();
      staged.set_row(row + 1);
      staged.set_person(derive_id({"person", std::to_string(first_person + row)}).raw());
      staged.set_amount_minor(amount_minor);
    }
    EXPECT_TRUE(ask(upload, stage, maker).ok());
  }
  pb::UploadCommand close;
  close.mutable_close()->set_chunks(chunks);
  close.mutable_close()->set_content_digest(std::string(view(sha256("register"))));
  EXPECT_TRUE(ask(upload, close, maker).ok());
  return upload;
}

std::vector<entity_ref> world::batches() const {
  std::vector<entity_ref> out;
  auto at = play_.state_of<rahat::project>(project_.id);
  for (auto& entry : at.batches())
    out.push_back({"batch", uuid::from_raw(entry.id())});
  return out;
}

// ---- disbursements ---------------------------------------------------------------------------

entity_ref world::create_disbursement(std::int64_t amount_each_minor) {
  auto d = fresh("disbursement");
  pb::DisbursementCommand c;
  c.mutable_create()->set_project(project_.id.raw());
  c.mutable_create()->set_name("Round");
  c.mutable_create()->set_amount_each_minor(amount_each_minor);
  EXPECT_EQ(ask_and_wait(d, c, maker).status, 201u);
  disbursements_.push_back(d);
  return d;
}

reply world::lock(const entity_ref& d) {
  pb::DisbursementCommand c;
  c.mutable_lock();
  return ask(d, c, maker);
}

reply world::approve(const entity_ref& d) {
  pb::DisbursementCommand c;
  c.mutable_approve()->set_digest(disbursement_state(d).digest());
  return ask(d, c, checker);
}

reply world::reject(const entity_ref& d) {
  pb::DisbursementCommand c;
  c.mutable_reject()->set_reason("wrong amounts");
  return ask(d, c, checker);
}

reply world::pay(const entity_ref& d) {
  pb::DisbursementCommand c;
  c.mutable_pay();
  return ask(d, c, maker);
}

reply world::pause(const entity_ref& d) {
  pb::DisbursementCommand c;
  c.mutable_pause();
  return ask(d, c, maker);
}

reply world::resume(const entity_ref& d) {
  pb::DisbursementCommand c;
  c.mutable_resume();
  return ask(d, c, maker);
}

reply world::cancel(const entity_ref& d) {
  pb::DisbursementCommand c;
  c.mutable_cancel();
  return ask(d, c, maker);
}

pb::DisbursementState world::disbursement_state(const entity_ref& d) const {
  return play_.state_of<disbursement>(d.id);
}

// ---- vendors and wallets ---------------------------------------------------------------------

entity_ref world::register_vendor() {
  auto v = fresh("vendor");
  pb::VendorCommand c;
  c.mutable_register_()->set_name("Shop");
  EXPECT_TRUE(ask(v, c, maker).ok());
  vendors_.push_back(v);
  return v;
}

reply world::verify(const entity_ref& v) {
  pb::VendorCommand c;
  c.mutable_verify();
  return ask(v, c, checker);
}

reply world::suspend(const entity_ref& v) {
  pb::VendorCommand c;
  c.mutable_suspend()->set_reason("complaints");
  return ask(v, c, checker);
}

reply world::reactivate(const entity_ref& v) {
  pb::VendorCommand c;
  c.mutable_reactivate();
  return ask(v, c, checker);
}

reply world::redeem(const entity_ref& b, std::uint32_t member, const entity_ref& v,
                    std::int64_t amount_minor) {
  auto wallet = wallet_of(b.id, member).raw();
  auto code = std::string(view(sha256("code " + std::to_string(draw(1'000'000)))));
  pb::BatchCommand issue;
  issue.mutable_issue_code()->set_member(wallet);
  issue.mutable_issue_code()->set_code_hash(code);
  ask(b, issue, maker);
  pb::BatchCommand c;
  auto& redeem = *c.mutable_redeem();
  redeem.set_member(wallet);
  redeem.set_vendor(v.id.raw());
  redeem.set_amount_minor(amount_minor);
  redeem.set_currency(currency);
  redeem.set_code_hash(code);
  return ask(b, c, maker);
}

reply world::freeze(const entity_ref& b) {
  pb::BatchCommand c;
  c.mutable_freeze()->set_reason("fraud suspected");
  return ask(b, c, checker);
}

reply world::thaw(const entity_ref& b) {
  pb::BatchCommand c;
  c.mutable_thaw();
  return ask(b, c, checker);
}

// ---- settlements -----------------------------------------------------------------------------

entity_ref world::open_settlement(const entity_ref& v) {
  auto s = fresh("settlement");
  pb::SettlementCommand c;
  c.mutable_open()->set_vendor(v.id.raw());
  c.mutable_open()->set_project(project_.id.raw());
  EXPECT_EQ(ask_and_wait(s, c, maker).status, 201u);
  return s;
}

reply world::request(const entity_ref& s) {
  pb::SettlementCommand c;
  c.mutable_request();
  return ask(s, c, maker);
}

reply world::approve_settlement(const entity_ref& s) {
  pb::SettlementCommand c;
  c.mutable_approve();
  return ask(s, c, checker);
}

reply world::pay_settlement(const entity_ref& s) {
  pb::SettlementCommand c;
  c.mutable_pay();
  return ask(s, c, maker);
}

reply world::withdraw(const entity_ref& s) {
  pb::SettlementCommand c;
  c.mutable_withdraw()->set_reason("a receipt is disputed");
  return ask(s, c, maker);
}

pb::SettlementState world::settlement_state(const entity_ref& s) const {
  return play_.state_of<settlement>(s.id);
}

// ---- the books -------------------------------------------------------------------------------

std::int64_t world::outside_minor() const {
  return play_.balance(account_of(project_, "outside", currency));
}

std::int64_t world::budget_minor() const {
  return play_.balance(account_of(project_, "budget", currency));
}

std::int64_t world::wallets_minor() const {
  std::int64_t sum = 0;
  for (auto& b : batches()) {
    auto members = batch::members(play_.state_of<batch>(b.id));
    for (std::uint32_t i = 0; i < members; ++i)
      sum += play_.balance(wallet_of(b.id, i));
  }
  return sum;
}

std::int64_t world::vendors_minor() const {
  std::int64_t sum = 0;
  for (auto& v : vendors_)
    sum += play_.balance(vendor::account_for(v.id, project_.id, currency));
  return sum;
}

void world::check_at_rest() {
  ASSERT_EQ(play_.mail_on_its_way(), 0u);
  std::int64_t reserves = 0;
  std::int64_t paid = 0;
  for (auto& d : disbursements_) {
    auto now = disbursement_state(d);
    reserves += play_.balance(uuid::from_raw(now.reserve_account()));
    paid += now.paid_minor();
    EXPECT_EQ(now.paid_minor(), now.decided_minor()) << "every chunk has arrived";
    EXPECT_EQ(now.reserve_minor(), play_.balance(uuid::from_raw(now.reserve_account())));
    if (now.status() == pb::DISBURSEMENT_COMPLETED) {
      EXPECT_EQ(now.lines_paid(), now.lines());
    }
  }
  std::int64_t redeemed = 0;
  for (auto& b : batches())
    redeemed += play_.state_of<batch>(b.id).redeemed_minor();
  auto at = play_.state_of<rahat::project>(project_.id);
  EXPECT_EQ(at.outside_minor(), outside_minor());
  EXPECT_EQ(at.budget_minor(), budget_minor());
  EXPECT_EQ(wallets_minor(), paid - redeemed) << "what was paid and not spent is in the wallets";
  EXPECT_EQ(vendors_minor(), redeemed - at.paid_out_minor());
  EXPECT_EQ(outside_minor() + budget_minor() + reserves + wallets_minor() + vendors_minor(), 0);
  EXPECT_EQ(at.funded_minor(), funded_minor_);
  play_.check_replay();
}

} // namespace rahat::testing
