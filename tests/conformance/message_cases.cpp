#include "tests/conformance/suite.hpp"

#include "runtime/ports/clock.hpp"

#include <algorithm>

/// Outbox, timers, requests, snapshots, parked messages.
namespace rahat::conformance {

using namespace std::string_literals;

namespace {

constexpr std::int64_t past_us = 1'600'000'000'000'000;
constexpr std::int64_t year_2200_us = 7'258'118'400'000'000;

std::vector<entity_ref> only(std::vector<entity_ref> all, std::set<entity_ref> wanted) {
  std::erase_if(all, [&](auto& entity) { return !wanted.contains(entity); });
  return all;
}

} // namespace

TEST_P(store_conformance, outbox_rows_wait_in_order_until_acknowledged) {
  auto h = start(fresh());
  entity_ref a{"aaa", fresh_id()};
  entity_ref b{"bbb", fresh_id()};
  auto body = "\0\xff body"s;
  for (std::uint64_t n = 1; n <= 3; ++n) {
    auto c = next(h);
    c.outbox = {{b, n, body + std::to_string(n)}, {a, n, body}};
    land(h, c);
  }
  auto rows = load(h.entity, fresh_incarnation()).outbox;
  ASSERT_EQ(rows.size(), 6u);
  std::map<entity_ref, std::vector<std::uint64_t>> order;
  for (auto& row : rows)
    order[row.target].push_back(row.n);
  EXPECT_EQ(order[a], (std::vector<std::uint64_t>{1, 2, 3}));
  EXPECT_EQ(order[b], (std::vector<std::uint64_t>{1, 2, 3}));
  EXPECT_NE(rows[0].target, rows[5].target);
  EXPECT_EQ(rows[0].target, rows[2].target) << "rows of one target stand together";
  for (auto& row : rows)
    EXPECT_EQ(row.body, row.target == a ? body : body + std::to_string(row.n));

  store().acknowledged(h.entity, b, 2);
  EXPECT_TRUE(eventually([&] {
    auto left = load(h.entity, fresh_incarnation()).outbox;
    return std::count_if(left.begin(), left.end(), [&](auto& r) { return r.target == b; }) == 1;
  }));
  auto left = load(h.entity, fresh_incarnation()).outbox;
  EXPECT_EQ(left.size(), 4u) << "acknowledging one target must leave the other alone";
  store().acknowledged(h.entity, b, 1); // late, out of order: cumulative
  store().acknowledged(h.entity, a, 3);
  store().acknowledged(h.entity, b, 3);
  EXPECT_TRUE(eventually([&] { return load(h.entity, fresh_incarnation()).outbox.empty(); }));
}

TEST_P(store_conformance, unacknowledged_messages_survive_a_crash) {
  auto h = start(fresh());
  auto c = next(h);
  c.outbox = {{fresh("target"), 1, "one"}};
  land(h, c);
  under_test().reopen();
  auto rows = load(h.entity, fresh_incarnation()).outbox;
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].body, "one");
  EXPECT_EQ(only(pending(shard_of(h.entity)), {h.entity}).size(), 1u);
}

TEST_P(store_conformance, pending_names_entities_with_work_oldest_first) {
  constexpr shard_id shard = 20;
  std::vector<host> hosts;
  for (int i = 0; i < 5; ++i)
    hosts.push_back(start(fresh_in(shard)));
  auto with_timer = [&](host& h, std::int64_t due_us) {
    auto c = next(h);
    c.timers = {{"wake", due_us}};
    land(h, c);
  };
  with_timer(hosts[0], past_us + 50);
  with_timer(hosts[1], past_us + 10);
  with_timer(hosts[2], year_2200_us);
  with_timer(hosts[3], past_us + 30);
  land(hosts[4], next(hosts[4]));
  std::set<entity_ref> mine;
  for (auto& h : hosts)
    mine.insert(h.entity);
  std::vector<entity_ref> expected{hosts[1].entity, hosts[3].entity, hosts[0].entity};
  EXPECT_EQ(only(pending(shard), mine), expected);
  EXPECT_EQ(pending(shard, 2).size(), 2u);
  EXPECT_EQ(pending(shard, 2)[0], hosts[1].entity);
  EXPECT_TRUE(only(pending(shard + 1), mine).empty());
}

TEST_P(store_conformance, pending_names_an_entity_once) {
  auto h = start(fresh_in(21));
  auto c = next(h);
  c.outbox = {{fresh("target"), 1, "x"}, {fresh("target"), 1, "y"}};
  c.timers = {{"a", past_us}, {"b", past_us + 1}};
  land(h, c);
  EXPECT_EQ(only(pending(21), {h.entity}).size(), 1u);
}

TEST_P(store_conformance, timers_are_moved_and_deleted_by_name) {
  auto h = start(fresh_in(22));
  auto c = next(h);
  c.timers = {{"a", past_us}, {"b", past_us}};
  land(h, c);
  auto has_work = [&] { return !only(pending(22), {h.entity}).empty(); };
  EXPECT_TRUE(has_work());
  c = next(h);
  c.timers = {{"a", year_2200_us}};
  land(h, c);
  EXPECT_TRUE(has_work()) << "b is still due";
  c = next(h);
  c.timers = {{"b", 0}, {"never set", 0}};
  land(h, c);
  EXPECT_FALSE(has_work());
  c = next(h);
  c.timers = {{"a", past_us}};
  land(h, c);
  EXPECT_TRUE(has_work());
  c = next(h);
  c.timers = {{"a", 0}};
  land(h, c);
  EXPECT_FALSE(has_work());
}

TEST_P(store_conformance, requests_are_found_by_their_entity) {
  auto h = start(fresh());
  auto id = fresh_id();
  auto c = next(h);
  c.at_us = system_clock_port().now_us();
  c.request = request_row{id, 0xfedcba9876543210u, "\0reply\xff"s};
  land(h, c);
  auto found = request_of(h.entity, id);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->id, id);
  EXPECT_EQ(found->payload_hash, 0xfedcba9876543210u);
  EXPECT_EQ(found->reply, "\0reply\xff"s);
  EXPECT_FALSE(request_of(h.entity, fresh_id()));
  EXPECT_FALSE(request_of(fresh(), id)) << "another entity's reply was given away";
  under_test().reopen();
  EXPECT_TRUE(request_of(h.entity, id));
}

TEST_P(store_conformance, a_pending_request_is_answered_by_a_later_commit) {
  auto h = start(fresh());
  auto id = fresh_id();
  auto c = next(h);
  c.at_us = system_clock_port().now_us();
  c.request = request_row{id, 9, ""};
  land(h, c);
  auto found = request_of(h.entity, id);
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->reply.empty());
  c = next(h);
  c.at_us = system_clock_port().now_us();
  c.answered = {{id, 9, "done"}};
  land(h, c);
  found = request_of(h.entity, id);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->reply, "done");
  EXPECT_EQ(found->payload_hash, 9u);
}

TEST_P(store_retention, requests_are_kept_for_seven_days) {
  auto h = start(fresh());
  auto id = fresh_id();
  auto c = next(h);
  c.at_us = system_clock_port().now_us();
  c.request = request_row{id, 1, "reply"};
  land(h, c);
  under_test().advance_days(7);
  EXPECT_TRUE(request_of(h.entity, id));
  under_test().advance_days(2);
  EXPECT_FALSE(request_of(h.entity, id));
}

// ---- snapshots ------------------------------------------------------------------------------

TEST_P(store_conformance, a_snapshot_shortens_the_tail) {
  auto h = start(fresh());
  for (int n = 0; n < 4; ++n)
    land(h, next(h));
  auto body = "\0state\xff"s;
  store().save_snapshot({h.entity, 3, 5, body});
  EXPECT_TRUE(eventually([&] { return load(h.entity, fresh_incarnation(), 5).snapshot_seq == 3; }));
  auto loaded = load(h.entity, fresh_incarnation(), 5);
  EXPECT_EQ(loaded.snapshot, body);
  ASSERT_EQ(loaded.tail.size(), 1u);
  EXPECT_EQ(loaded.tail[0].seq, 4u);
  EXPECT_EQ(loaded.position, loaded.tail[0].position);

  store().save_snapshot({h.entity, 4, 5, "newer"});
  EXPECT_TRUE(eventually([&] { return load(h.entity, fresh_incarnation(), 5).snapshot_seq == 4; }));
  loaded = load(h.entity, fresh_incarnation(), 5);
  EXPECT_TRUE(loaded.tail.empty());
  EXPECT_EQ(loaded.position, h.ear->all().back().position) << "of the last row, tail or not";
  host behind{h.entity, fresh_incarnation(), h.ear, 4};
  load(h.entity, behind.incarnation, 5);
  land(behind, next(behind));
}

TEST_P(store_conformance, the_newer_snapshot_wins) {
  auto h = start(fresh());
  for (int n = 0; n < 3; ++n)
    land(h, next(h));
  store().save_snapshot({h.entity, 3, 1, "three"});
  EXPECT_TRUE(eventually([&] { return load(h.entity, fresh_incarnation()).snapshot_seq == 3; }));
  store().save_snapshot({h.entity, 2, 1, "two"});
  auto other = start(fresh()); // saved later: when it is there, the one before was handled
  land(other, next(other));
  store().save_snapshot({other.entity, 1, 1, "one"});
  EXPECT_TRUE(
      eventually([&] { return load(other.entity, fresh_incarnation()).snapshot_seq == 1; }));
  EXPECT_EQ(load(h.entity, fresh_incarnation()).snapshot, "three");
}

TEST_P(store_conformance, a_snapshot_of_another_evolve_version_is_not_used) {
  auto h = start(fresh());
  for (int n = 0; n < 3; ++n)
    land(h, next(h));
  store().save_snapshot({h.entity, 3, 1, "old"});
  EXPECT_TRUE(eventually([&] { return load(h.entity, fresh_incarnation()).snapshot_seq == 3; }));
  auto loaded = load(h.entity, fresh_incarnation(), 2);
  EXPECT_EQ(loaded.snapshot_seq, 0u);
  EXPECT_TRUE(loaded.snapshot.empty());
  EXPECT_EQ(loaded.tail.size(), 3u);
}

// ---- parked ---------------------------------------------------------------------------------

TEST_P(store_conformance, parked_messages_wait_for_an_operator) {
  auto entity = fresh();
  store().park({0, entity, "a row cannot be stored", "\0body\xff"s, 77, 3});
  store().park({0, entity, "second", "", 78, 1});
  EXPECT_TRUE(eventually([&] { return parked_of(entity).size() == 2; }));
  under_test().reopen();
  auto rows = parked_of(entity);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].reason, "a row cannot be stored");
  EXPECT_EQ(rows[0].body, "\0body\xff"s);
  EXPECT_EQ(rows[0].at_us, 77);
  EXPECT_EQ(rows[0].tries, 3u);
  EXPECT_NE(rows[0].id, rows[1].id);
  auto page = [&](std::uint64_t after, std::uint32_t limit) {
    return must(
        ask<std::vector<parked_row>>([&](auto done) { store().parked(after, limit, done); }));
  };
  EXPECT_EQ(page(0, 1).size(), 1u);
  ASSERT_EQ(page(rows[0].id, 1).size(), 1u);
  EXPECT_EQ(page(rows[0].id, 1)[0].id, rows[1].id) << "pages meet";
  EXPECT_TRUE(page(rows[1].id, 1).empty());
}

TEST_P(store_conformance, a_release_takes_what_is_parked_of_one_entity_however_long_the_list) {
  constexpr int others = 1'200; // more than a page of any reader
  const auto first = fresh();
  const auto last = fresh();
  for (int n = 0; n < others; ++n)
    store().park({0, first, "first", "", n, 1});
  store().park({0, last, "one", "", 1, 1});
  store().park({0, last, "two", "", 2, 1});
  EXPECT_TRUE(eventually([&] { return parked_of(last).size() == 2; }));
  auto release = [&](const entity_ref& entity) {
    return must(ask<std::uint64_t>([&](auto done) { store().release(entity, done); }));
  };
  EXPECT_EQ(release({"other", last.id}), 0u) << "another kind is another entity";
  EXPECT_EQ(release(last), 2u);
  EXPECT_EQ(release(last), 0u) << "the second time there is nothing";
  EXPECT_EQ(parked_of(first).size(), static_cast<std::size_t>(others)) << "others stay";
}

} // namespace rahat::conformance
