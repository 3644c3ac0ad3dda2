#include "tests/conformance/suite.hpp"

#include "persistence/chain/chain.hpp"
#include "persistence/chain/marks.hpp"

#include <atomic>
#include <stdexcept>

namespace rahat::conformance {

namespace {

constexpr std::chrono::milliseconds slice{5};
constexpr std::int64_t long_ago_us = 1'700'000'000'000'000;

std::logic_error cannot(const char* what) {
  return std::logic_error(std::string("this subject cannot ") + what +
                          ": do not instantiate that suite for it");
}

} // namespace

void store_under_test::inject(fault, std::uint32_t) {
  throw cannot("make batches fail");
}

void store_under_test::deadly(const entity_ref&) {
  throw cannot("die of an entity's rows");
}

void store_under_test::server_away() {
  throw cannot("lose its server");
}

void store_under_test::server_back() {
  throw cannot("lose its server");
}

void store_under_test::advance_days(int) {
  throw cannot("move its clock");
}

void bell::ring() {
  {
    std::lock_guard guard(mutex_);
    ++count_;
  }
  rung_.notify_all();
}

void bell::wait(std::uint64_t seen) {
  std::unique_lock guard(mutex_);
  rung_.wait_for(guard, slice, [&] { return count_ != seen; });
}

std::uint64_t bell::count() const {
  std::lock_guard guard(mutex_);
  return count_;
}

void recorder::committed(std::uint64_t seq, std::uint64_t position) {
  {
    std::lock_guard guard(mutex_);
    heard_.push_back({seq, position, std::nullopt});
  }
  bell_->ring();
}

void recorder::failed(std::uint64_t seq, const commit_refusal& why) {
  {
    std::lock_guard guard(mutex_);
    heard_.push_back({seq, 0, why});
  }
  bell_->ring();
}

std::vector<recorder::heard> recorder::all() const {
  std::lock_guard guard(mutex_);
  return heard_;
}

std::size_t recorder::count() const {
  std::lock_guard guard(mutex_);
  return heard_.size();
}

void store_suite::SetUp() {
  under_test_ = GetParam().make([seen = fences_, ring = bell_](std::vector<shard_id> shards) {
    {
      std::lock_guard guard(seen->mutex);
      seen->shards.insert(seen->shards.end(), shards.begin(), shards.end());
    }
    ring->ring();
  });
}

std::vector<shard_id> store_suite::fenced_shards() const {
  std::lock_guard guard(fences_->mutex);
  return fences_->shards;
}

void store_suite::TearDown() {
  if (!under_test_)
    return;
  for (auto shard : touched_)
    check_chain(shard);
  under_test_.reset();
}

void store_suite::check_chain(shard_id shard) {
  constexpr std::uint32_t rows_a_page = 7; // small, so that paging is used as well
  digest hash = chain::genesis;
  std::uint64_t position = 0;
  while (true) {
    auto rows = must(ask<std::vector<journal_row>>(
        [&](auto done) { store().journal(shard, position, rows_a_page, done); }));
    for (auto& row : rows) {
      ASSERT_EQ(row.shard, shard);
      ASSERT_EQ(row.position, position + 1) << "the positions of shard " << shard << " have a hole";
      hash = chain::next(hash, row);
      ASSERT_EQ(row.hash, view(hash)) << "the chain of shard " << shard << " is broken";
      position = row.position;
    }
    if (rows.size() < rows_a_page)
      break;
  }
  auto head = head_of(shard);
  EXPECT_EQ(head.position, position);
  EXPECT_EQ(head.hash, view(hash));
}

uuid store_suite::fresh_id() {
  static std::atomic<std::uint64_t> last{0};
  return derive_id({"conformance", std::to_string(++last)});
}

entity_ref store_suite::fresh(const std::string& kind) {
  return {kind, fresh_id()};
}

entity_ref store_suite::fresh_in(shard_id shard, const std::string& kind) {
  auto entity = fresh(kind);
  while (shard_of(entity) != shard)
    entity = fresh(kind);
  return entity;
}

store_suite::host store_suite::start(const entity_ref& entity) {
  host h{entity, fresh_incarnation(), std::make_shared<recorder>(bell_), 0};
  auto loaded = load(entity, h.incarnation);
  h.seq = loaded.tail.empty() ? loaded.snapshot_seq : loaded.tail.back().seq;
  return h;
}

commit store_suite::next(host& h) {
  commit c;
  c.entity = h.entity;
  c.shard = shard_of(h.entity);
  c.incarnation = h.incarnation;
  c.seq = ++h.seq;
  c.type = h.entity.kind + ".noted";
  wire::Commit payload;
  payload.add_events("event " + std::to_string(c.seq) + " of " + h.entity.id.str());
  c.payload = payload.SerializeAsString();
  c.principal = "amina";
  c.at_us = long_ago_us + static_cast<std::int64_t>(c.seq);
  return c;
}

void store_suite::send(host& h, commit c) {
  if (!c.transfers.empty() || !c.payments.empty()) {
    wire::Commit marks;
    chain::add_marks(marks, c.transfers, c.payments);
    c.payload += marks.SerializeAsString(); // Protobuf messages merge when they are joined
  }
  touched_.insert(c.shard);
  store().write(std::move(c), h.ear);
}

bool store_suite::wait_heard(const host& h, std::size_t count) {
  return until([&] { return h.ear->count() >= count; });
}

recorder::heard store_suite::send_and_wait(host& h, commit c) {
  auto before = h.ear->count();
  auto seq = c.seq;
  send(h, std::move(c));
  if (!wait_heard(h, before + 1)) {
    ADD_FAILURE() << "the host never heard of seq " << seq;
    return {seq, 0, commit_refusal{commit_failure::unavailable, "nothing heard"}};
  }
  EXPECT_EQ(h.ear->all()[before].seq, seq);
  return h.ear->all()[before];
}

void store_suite::land(host& h, commit c) {
  auto heard = send_and_wait(h, std::move(c));
  EXPECT_FALSE(heard.refusal) << heard.refusal->message;
  EXPECT_GT(heard.position, 0u);
}

commit_failure store_suite::refusal_of(host& h, commit c) {
  auto heard = send_and_wait(h, std::move(c));
  EXPECT_TRUE(heard.refusal) << "the commit landed";
  return heard.refusal ? heard.refusal->why : commit_failure::unavailable;
}

loaded_entity store_suite::load(const entity_ref& entity, std::uint64_t incarnation,
                                std::uint32_t evolve_version) {
  return must(ask<loaded_entity>(
      [&](auto done) { store().load(entity, incarnation, evolve_version, done); }));
}

std::vector<journal_row> store_suite::history(const entity_ref& entity) {
  return must(
      ask<std::vector<journal_row>>([&](auto done) { store().history(entity, 0, 10'000, done); }));
}

std::optional<request_row> store_suite::request_of(const entity_ref& entity, const uuid& id) {
  return must(
      ask<std::optional<request_row>>([&](auto done) { store().find_request(entity, id, done); }));
}

std::vector<entity_ref> store_suite::pending(shard_id shard, std::uint32_t limit) {
  return must(
      ask<std::vector<entity_ref>>([&](auto done) { store().pending(shard, limit, done); }));
}

shard_head store_suite::head_of(shard_id shard) {
  auto heads = must(ask<std::vector<shard_head>>([&](auto done) { store().heads(done); }));
  for (auto& head : heads)
    if (head.shard == shard)
      return head;
  ADD_FAILURE() << "no head of shard " << shard;
  return {};
}

outcome<shard_grant> store_suite::give_up(shard_id shard, std::uint64_t epoch) {
  return ask<shard_grant>([&](auto done) {
    under_test().shards().give_up(shard, static_cast<std::int64_t>(epoch), done);
  });
}

outcome<page> store_suite::list(const list_query& q) {
  return ask<page>([&](auto done) { queries().list(q, done); });
}

std::vector<stored_line> store_suite::lines_of(const uuid& list) {
  return must(
      ask<std::vector<stored_line>>([&](auto done) { queries().lines(list, -1, 10'000, done); }));
}

wire::Feed store_suite::feed(const feed_request& what) {
  return must(ask<wire::Feed>([&](auto done) { store().feed(what, done); }));
}

std::vector<parked_row> store_suite::parked_of(const entity_ref& entity) {
  auto all =
      must(ask<std::vector<parked_row>>([&](auto done) { store().parked(0, 10'000, done); }));
  std::erase_if(all, [&](auto& row) { return row.entity != entity; });
  return all;
}

bool store_suite::until(const std::function<bool()>& condition) {
  auto deadline = std::chrono::steady_clock::now() + patience;
  while (true) {
    auto rings = bell_->count();
    if (condition())
      return true;
    if (std::chrono::steady_clock::now() > deadline)
      return false;
    switch (under_test_->drive()) {
      case store_under_test::progress::stepped: break;
      case store_under_test::progress::nothing_left: return condition();
      case store_under_test::progress::by_itself: bell_->wait(rings); break;
    }
  }
}

bool store_suite::eventually(const std::function<bool()>& read) {
  auto deadline = std::chrono::steady_clock::now() + patience;
  while (!read()) {
    if (std::chrono::steady_clock::now() > deadline)
      return false;
    bell_->wait(bell_->count());
  }
  return true;
}

} // namespace rahat::conformance
