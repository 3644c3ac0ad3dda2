/// What a decider costs its host: decide, evolve, totals, keys and view of one commit, for the
/// biggest disbursement (1,000 chunks over 100 batches) and the biggest batch (10,000 members).
/// One line a measurement: microseconds a commit, mean and worst. No I/O.
///
///   build/release/bench/decider_bench

#include "actors/batch/batch.hpp"
#include "actors/disbursement/disbursement.hpp"
#include "gateways/rest/presenters.hpp"
#include "runtime/decider/account.hpp"
#include "runtime/decider/kind.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace rahat::bench {

namespace {

constexpr int batches = 100;
constexpr int chunks_per_batch = 10;
constexpr std::uint32_t chunk_lines = 1'000;
constexpr std::int64_t line_minor = 100;
constexpr std::uint64_t shuffle_seed = 7;

const entity_ref project_ref{"project", derive_id({"bench", "project"})};
const entity_ref payer{"disbursement", derive_id({"bench", "disbursement"})};

entity_ref batch_at(int i) {
  return {"batch", derive_id({"bench", "batch", std::to_string(i)})};
}

/// One entity and the time its commits took.
class subject {
public:
  subject(const kind& of, entity_ref self) : self_(std::move(self)), model_(of.create()) {}

  context ctx(const entity_ref& source = {}) const {
    context out;
    out.self = self_;
    out.who = {"asha", "maker"};
    out.source = source;
    out.now_us = 1'800'000'000'000'000;
    out.request_id = derive_id({"request", std::to_string(version_)});
    return out;
  }

  /// What a host does with one decision; the decision and its microseconds.
  std::pair<decision, double> commit(const std::function<decision(const model&)>& decide) {
    auto started = std::chrono::steady_clock::now();
    auto d = decide(*model_);
    for (auto& event : d.events())
      model_->evolve(event.bytes);
    auto totals = model_->totals();
    auto keys = model_->keys();
    view_ = model_->view(self_, ++version_);
    std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - started;
    return {std::move(d), took.count()};
  }

  std::pair<decision, double> ask(const google::protobuf::Message& command, std::string user) {
    return commit([&](const model& m) {
      auto with = ctx();
      with.who.user = std::move(user);
      auto made = m.decide(command.SerializeAsString(), with);
      if (auto* refused = std::get_if<error>(&made))
        throw std::runtime_error(refused->message);
      return std::get<decision>(std::move(made));
    });
  }

  std::pair<decision, double> tell(const entity_ref& from, const google::protobuf::Message& news) {
    return commit([&](const model& m) { return m.told(news.SerializeAsString(), ctx(from)); });
  }

  std::pair<decision, double> work(const wire::Feed* feed = nullptr) {
    return commit([&](const model& m) {
      auto with = ctx();
      with.feed = feed;
      return m.proceed(with);
    });
  }

  const model& state() const { return *model_; }
  std::size_t view_bytes() const { return view_.size(); }

private:
  entity_ref self_;
  std::unique_ptr<model> model_;
  std::uint64_t version_ = 0;
  std::string view_;
};

class series {
public:
  explicit series(const char* name) : name_(name) {}
  void add(double us) { took_.push_back(us); }
  ~series() {
    double sum = 0;
    for (auto us : took_)
      sum += us;
    std::printf("%-44s %6zu commits  mean %8.2f us  worst %8.2f us\n", name_, took_.size(),
                sum / static_cast<double>(took_.size()),
                *std::max_element(took_.begin(), took_.end()));
  }

private:
  const char* name_;
  std::vector<double> took_;
};

pb::DisbursementMessage project_answer(const std::string& list) {
  pb::DisbursementMessage news;
  auto& fact = *news.mutable_project();
  fact.set_project(project_ref.id.raw());
  fact.set_status(pb::PROJECT_ACTIVE);
  fact.set_currency("NPR");
  fact.set_list(list);
  for (int i = 0; i < batches; ++i) {
    auto& entry = *fact.add_batches();
    entry.set_id(batch_at(i).id.raw());
    entry.set_members(chunks_per_batch * chunk_lines);
  }
  return news;
}

/// Every second line of each chunk is left out at its end, so that no two chunks' numbers adjoin.
pb::DisbursementMessage batch_answer(int i, const std::string& list) {
  pb::DisbursementMessage news;
  auto& answer = *news.mutable_batch_locked();
  answer.set_batch(batch_at(i).id.raw());
  answer.set_list(list);
  for (std::uint32_t c = 0; c < chunks_per_batch; ++c) {
    auto& chunk = *answer.add_chunks();
    chunk.set_chunk(c);
    chunk.set_first(static_cast<std::uint32_t>(i) * 10'000 + c * chunk_lines);
    chunk.set_last(chunk.first() + chunk_lines - 2);
    chunk.set_count(chunk_lines - 1);
    chunk.set_sum_minor(chunk.count() * line_minor);
    chunk.set_digest(std::string(view(sha256(std::to_string(i) + "/" + std::to_string(c)))));
    answer.set_count(answer.count() + chunk.count());
    answer.set_sum_minor(answer.sum_minor() + chunk.sum_minor());
  }
  return news;
}

std::string list_of(const subject& of) {
  pb::DisbursementState now;
  now.ParseFromString(of.state().save());
  return now.list();
}

wire::Credit reserve(const std::string& list) {
  wire::Credit credit;
  credit.set_purpose(purpose_of(project_ref, "reserve", list).raw());
  credit.set_credit_account(account_of(payer, "reserve").raw());
  credit.set_amount_minor(batches * chunks_per_batch * (chunk_lines - 1) * line_minor);
  credit.set_currency("NPR");
  assign(*credit.mutable_from(), project_ref);
  credit.set_why("reserve");
  return credit;
}

void lock(subject& d) {
  pb::DisbursementCommand ask;
  ask.mutable_create()->set_project(project_ref.id.raw());
  ask.mutable_create()->set_name("The biggest");
  d.ask(ask, "maker");
  ask.mutable_lock();
  d.ask(ask, "maker");
  auto list = list_of(d);
  series spread("disbursement: asks 100 batches");
  spread.add(d.tell(project_ref, project_answer(list)).second);
  series answers("disbursement: hears what a batch locked");
  for (int i = batches - 1; i >= 0; --i)
    answers.add(d.tell(batch_at(i), batch_answer(i, list)).second);
  wire::Feed no_duplicates;
  series locked("disbursement: locks a million lines");
  locked.add(d.work(&no_duplicates).second);
}

void pay(subject& d) {
  pb::DisbursementState now;
  now.ParseFromString(d.state().save());
  pb::DisbursementCommand ask;
  ask.mutable_approve()->set_digest(now.digest());
  d.ask(ask, "checker");
  ask.mutable_pay();
  d.ask(ask, "maker");
  auto credit = reserve(now.list());
  d.commit([&](const model& m) { return m.credited(credit, d.ctx(project_ref)); });
  {
    series decided("disbursement: pays a chunk");
    for (int i = 0; i < batches * chunks_per_batch; ++i)
      decided.add(d.work().second);
  }
  std::vector<int> order(batches * chunks_per_batch);
  for (std::size_t i = 0; i < order.size(); ++i)
    order[i] = static_cast<int>(i);
  std::shuffle(order.begin(), order.end(), std::mt19937_64(shuffle_seed));
  series arrived("disbursement: hears that a chunk arrived");
  std::size_t widest = 0;
  for (int i : order) {
    pb::DisbursementMessage news;
    news.mutable_applied()->set_list(now.list());
    news.mutable_applied()->set_batch(batch_at(i / chunks_per_batch).id.raw());
    news.mutable_applied()->set_chunk(static_cast<std::uint32_t>(i % chunks_per_batch));
    arrived.add(d.tell(batch_at(i / chunks_per_batch), news).second);
    widest = std::max(widest, d.view_bytes());
  }
  std::printf("%-44s %6zu bytes\n", "disbursement: widest view, chunks in any order", widest);
}

wire::Feed staged(std::uint32_t first, std::uint32_t last) {
  wire::Feed feed;
  for (auto i = first; i <= last; ++i) {
    auto& row = *feed.add_rows();
    row.set_ordinal(i);
    row.set_row(i + 1);
    row.set_person(derive_id({"person", std::to_string(i)}).raw());
    row.set_amount_minor(line_minor);
  }
  return feed;
}

void enrol(subject& b) {
  pb::BatchMessage news;
  auto& enroll = *news.mutable_enroll();
  enroll.set_upload(derive_id({"bench", "upload"}).raw());
  enroll.set_project(project_ref.id.raw());
  enroll.set_last(batch::max_members - 1);
  enroll.set_currency("NPR");
  b.tell({"upload", derive_id({"bench", "upload"})}, news);
  series enrolled("batch: enrols 1,000 members");
  for (std::uint32_t first = 0; first < batch::max_members; first += chunk_lines) {
    auto feed = staged(first, first + chunk_lines - 1);
    enrolled.add(b.work(&feed).second);
  }
  pb::BatchMessage accept;
  accept.mutable_accept();
  b.tell({"upload", derive_id({"bench", "upload"})}, accept);
}

void lock_and_pay(subject& b) {
  auto list = derive_id({"bench", "list"}).raw();
  pb::BatchMessage lock;
  lock.mutable_lock()->set_disbursement(payer.id.raw());
  lock.mutable_lock()->set_list(list);
  b.tell(payer, lock);
  decision last;
  {
    series locked("batch: locks 1,000 lines");
    for (int i = 0; i < chunks_per_batch; ++i) {
      auto [d, us] = b.work();
      locked.add(us);
      last = std::move(d);
    }
  }
  pb::DisbursementMessage answer;
  answer.ParseFromString(last.told().at(0).bytes);
  series paid("batch: puts 1,000 lines into wallets");
  for (auto& chunk : answer.batch_locked().chunks()) {
    pb::BatchMessage news;
    auto& pay = *news.mutable_pay();
    pay.set_disbursement(payer.id.raw());
    pay.set_list(list);
    pay.set_chunk(chunk.chunk());
    pay.set_count(chunk.count());
    pay.set_sum_minor(chunk.sum_minor());
    pay.set_digest(chunk.digest());
    paid.add(b.tell(payer, news).second);
  }
}

/// Codes and the last redemptions that the batch will ever make.
void spend(const kind& of, const subject& before) {
  pb::BatchState full;
  full.ParseFromString(before.state().save());
  std::string ids;
  for (std::size_t i = 0; i + 1'000 < batch::max_redemptions; ++i)
    ids += derive_id({"redemption", std::to_string(i)}).raw();
  full.set_redemption_ids(ids);
  auto vendor = derive_id({"bench", "vendor"});
  full.mutable_project()->set_status(pb::PROJECT_ACTIVE);
  full.mutable_project()->set_at_us(1'800'000'000'000'000);
  auto& fact = *full.add_vendors();
  fact.set_vendor(vendor.raw());
  fact.set_status(pb::VENDOR_VERIFIED);
  fact.set_at_us(1'800'000'000'000'000);
  auto self = batch_at(0);
  auto loaded = of.create();
  loaded->load(full.SerializeAsString());
  auto hash = std::string(view(sha256("4711")));
  series redeemed("batch: redeems at its bound of redemptions");
  for (std::uint32_t i = 0; i < 500; ++i) {
    context ctx;
    ctx.self = self;
    ctx.who = {"asha", "operator"};
    ctx.now_us = 1'800'000'000'000'000;
    ctx.request_id = derive_id({"code", std::to_string(i)});
    pb::BatchCommand code;
    code.mutable_issue_code()->set_member(wallet_of(self.id, i).raw());
    code.mutable_issue_code()->set_code_hash(hash);
    pb::BatchCommand redeem;
    auto& ask = *redeem.mutable_redeem();
    ask.set_member(wallet_of(self.id, i).raw());
    ask.set_vendor(vendor.raw());
    ask.set_amount_minor(1);
    ask.set_currency("NPR");
    ask.set_code_hash(hash);
    ask.set_client_id(std::to_string(i));
    auto issued = loaded->decide(code.SerializeAsString(), ctx);
    for (auto& event : std::get<decision>(issued).events())
      loaded->evolve(event.bytes);
    auto started = std::chrono::steady_clock::now();
    auto made = loaded->decide(redeem.SerializeAsString(), ctx);
    for (auto& event : std::get<decision>(made).events())
      loaded->evolve(event.bytes);
    auto totals = loaded->totals();
    auto shown = loaded->view(self, i);
    redeemed.add(
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - started)
            .count());
  }
}

void run() {
  kind_of<disbursement> disbursements(rest::present<disbursement>());
  subject d(disbursements, payer);
  lock(d);
  pay(d);
  kind_of<batch> all_batches(rest::present<batch>());
  subject b(all_batches, batch_at(0));
  enrol(b);
  lock_and_pay(b);
  spend(all_batches, b);
}

} // namespace

} // namespace rahat::bench

int main() {
  rahat::bench::run();
}
