#include "tests/conformance/suite.hpp"

/// Commits, seqs, positions, incarnations.
namespace rahat::conformance {

using namespace std::string_literals;

TEST_P(store_conformance, a_new_entity_has_nothing) {
  auto loaded = load(fresh(), fresh_incarnation());
  EXPECT_EQ(loaded.snapshot_seq, 0u);
  EXPECT_TRUE(loaded.snapshot.empty());
  EXPECT_TRUE(loaded.tail.empty());
  EXPECT_TRUE(loaded.outbox.empty());
  EXPECT_EQ(loaded.position, 0u);
}

TEST_P(store_conformance, commits_come_back_byte_for_byte) {
  auto h = start(fresh("प्रोब"));
  auto c = next(h);
  wire::Commit payload;
  payload.add_events("\0\1\0binary\xff\xfe\0"s);
  payload.add_events("");
  payload.add_events("नेपाल 🏠");
  payload.mutable_inbox()->mutable_source()->set_kind("other");
  payload.mutable_inbox()->set_n(7);
  c.payload = payload.SerializeAsString();
  c.type = "प्रोब.नोट";
  c.principal = "सीता 'quoted\" \\ back";
  c.at_us = -5;
  auto sent = c;
  auto heard = send_and_wait(h, c);
  ASSERT_FALSE(heard.refusal) << heard.refusal->message;

  under_test().reopen();
  auto loaded = load(h.entity, fresh_incarnation());
  ASSERT_EQ(loaded.tail.size(), 1u);
  auto& row = loaded.tail[0];
  EXPECT_EQ(row.entity, h.entity);
  EXPECT_EQ(row.seq, 1u);
  EXPECT_EQ(row.type, sent.type);
  EXPECT_EQ(row.payload, sent.payload);
  EXPECT_EQ(row.principal, sent.principal);
  EXPECT_EQ(row.at_us, sent.at_us);
  EXPECT_EQ(row.shard, sent.shard);
  EXPECT_EQ(row.position, heard.position);
  EXPECT_EQ(row.hash.size(), 32u);
  EXPECT_EQ(loaded.position, heard.position);
}

TEST_P(store_conformance, positions_are_dense_per_shard_under_many_entities) {
  constexpr std::size_t entities = 40;
  constexpr std::uint64_t commits = 5;
  std::vector<host> hosts;
  for (std::size_t i = 0; i < entities; ++i)
    hosts.push_back(start(fresh_in(static_cast<shard_id>(i % 4))));
  for (std::uint64_t n = 0; n < commits; ++n)
    for (auto& h : hosts)
      send(h, next(h));
  std::map<shard_id, std::set<std::uint64_t>> positions;
  for (auto& h : hosts) {
    ASSERT_TRUE(wait_heard(h, commits));
    for (auto& heard : h.ear->all()) {
      ASSERT_FALSE(heard.refusal) << heard.refusal->message;
      EXPECT_TRUE(positions[shard_of(h.entity)].insert(heard.position).second);
    }
  }
  for (auto& [shard, taken] : positions)
    EXPECT_EQ(*taken.rbegin() - *taken.begin() + 1, taken.size()) << "shard " << shard;
}

TEST_P(store_conformance, a_host_hears_of_each_commit_once_and_in_order) {
  constexpr std::uint64_t commits = 150;
  auto h = start(fresh());
  auto noise = start(fresh_in(shard_of(h.entity)));
  for (std::uint64_t n = 0; n < commits; ++n) {
    send(h, next(h));
    send(noise, next(noise));
  }
  ASSERT_TRUE(wait_heard(h, commits));
  ASSERT_TRUE(wait_heard(noise, commits));
  load(h.entity, fresh_incarnation()); // a callback too many would have come by now
  auto all = h.ear->all();
  ASSERT_EQ(all.size(), commits);
  for (std::uint64_t n = 0; n < commits; ++n) {
    EXPECT_EQ(all[n].seq, n + 1);
    EXPECT_FALSE(all[n].refusal);
    EXPECT_TRUE(n == 0 || all[n].position > all[n - 1].position);
  }
}

TEST_P(store_conformance, a_seq_with_a_gap_is_refused) {
  auto h = start(fresh());
  land(h, next(h));
  ++h.seq; // 2 is never written
  EXPECT_EQ(refusal_of(h, next(h)), commit_failure::superseded);
  EXPECT_EQ(history(h.entity).size(), 1u);
}

TEST_P(store_conformance, a_seq_that_was_committed_is_refused) {
  auto h = start(fresh());
  land(h, next(h));
  h.seq = 0;
  EXPECT_EQ(refusal_of(h, next(h)), commit_failure::superseded);
  EXPECT_EQ(history(h.entity).size(), 1u);
}

TEST_P(store_conformance, after_a_failed_commit_the_incarnation_writes_no_more) {
  auto h = start(fresh());
  land(h, next(h));
  auto bad = next(h);
  bad.principal = "U+0000 is \0 not text"s;
  send(h, bad);
  send(h, next(h)); // decided on the state that the bad one would have made
  ASSERT_TRUE(wait_heard(h, 3));
  auto all = h.ear->all();
  ASSERT_TRUE(all[1].refusal);
  EXPECT_EQ(all[1].refusal->why, commit_failure::rejected);
  ASSERT_TRUE(all[2].refusal);
  EXPECT_EQ(all[2].refusal->why, commit_failure::superseded);

  h.seq = 1; // also with the seq that would fit: the host has to load first
  EXPECT_EQ(refusal_of(h, next(h)), commit_failure::superseded);
  auto again = start(h.entity);
  EXPECT_EQ(again.seq, 1u);
  land(again, next(again));
}

TEST_P(store_conformance, a_load_is_a_barrier_against_the_former_incarnation) {
  auto first = start(fresh());
  land(first, next(first));
  auto second = start(first.entity);
  ASSERT_EQ(second.seq, 1u);
  EXPECT_EQ(refusal_of(first, next(first)), commit_failure::superseded);
  land(second, next(second));
  auto rows = history(first.entity);
  ASSERT_EQ(rows.size(), 2u);
}

TEST_P(store_conformance, a_load_waits_for_what_was_queued_before_it) {
  constexpr std::uint64_t commits = 30;
  auto h = start(fresh());
  for (std::uint64_t n = 0; n < commits; ++n)
    send(h, next(h));
  auto loaded = load(h.entity, fresh_incarnation());
  EXPECT_EQ(h.ear->count(), commits) << "a former commit is still on its way";
  EXPECT_EQ(loaded.tail.size(), commits);
  ASSERT_FALSE(loaded.tail.empty());
  EXPECT_EQ(loaded.position, loaded.tail.back().position);
}

TEST_P(store_conformance, history_and_journal_come_in_pages) {
  auto h = start(fresh());
  for (int n = 0; n < 5; ++n)
    land(h, next(h));
  auto rows = must(
      ask<std::vector<journal_row>>([&](auto done) { store().history(h.entity, 1, 2, done); }));
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].seq, 2u);
  EXPECT_EQ(rows[1].seq, 3u);

  auto last = h.ear->all().back().position;
  auto tail = must(ask<std::vector<journal_row>>(
      [&](auto done) { store().journal(shard_of(h.entity), last - 2, 1, done); }));
  ASSERT_EQ(tail.size(), 1u);
  EXPECT_EQ(tail[0].position, last - 1);
  EXPECT_TRUE(must(ask<std::vector<journal_row>>([&](auto done) {
                store().journal(shard_of(h.entity), last, 10, done);
              })).empty());
}

TEST_P(store_conformance, heads_name_every_shard_once) {
  auto heads = must(ask<std::vector<shard_head>>([&](auto done) { store().heads(done); }));
  ASSERT_EQ(heads.size(), shard_count);
  std::set<shard_id> shards;
  for (auto& head : heads) {
    EXPECT_TRUE(shards.insert(head.shard).second);
    EXPECT_GT(head.epoch, 0u);
    EXPECT_EQ(head.hash.size(), 32u);
  }
}

TEST_P(store_conformance, writer_credit_is_used_up_and_comes_back) {
  auto h = start(fresh());
  auto whole = store().writer_credit(shard_of(h.entity));
  EXPECT_GT(whole, 0);
  auto c = next(h);
  c.payload.append(wire::Commit{}.SerializeAsString());
  land(h, std::move(c));
  EXPECT_TRUE(until([&] { return store().writer_credit(shard_of(h.entity)) == whole; }));
}

TEST_P(store_conformance, one_poisoned_commit_is_rejected_alone) {
  constexpr std::size_t neighbours = 50;
  auto shard = shard_of(fresh());
  std::vector<host> good;
  for (std::size_t i = 0; i < neighbours; ++i)
    good.push_back(start(fresh_in(i % 2 == 0 ? shard : static_cast<shard_id>((shard + 1) % 256))));
  auto bad = start(fresh_in(shard));
  for (std::size_t i = 0; i < neighbours; ++i) {
    send(good[i], next(good[i]));
    if (i == neighbours / 2) {
      auto c = next(bad);
      c.principal = "\0"s;
      send(bad, c);
    }
    send(good[i], next(good[i]));
  }
  ASSERT_TRUE(wait_heard(bad, 1));
  ASSERT_TRUE(bad.ear->all()[0].refusal);
  EXPECT_EQ(bad.ear->all()[0].refusal->why, commit_failure::rejected);
  EXPECT_FALSE(bad.ear->all()[0].refusal->message.empty());
  for (auto& h : good) {
    ASSERT_TRUE(wait_heard(h, 2));
    for (auto& heard : h.ear->all())
      EXPECT_FALSE(heard.refusal) << heard.refusal->message;
  }
  EXPECT_TRUE(history(bad.entity).empty());
  EXPECT_TRUE(fenced_shards().empty());
}

TEST_P(store_conformance, nothing_of_a_rejected_commit_is_stored) {
  auto h = start(fresh());
  auto target = fresh("target");
  auto c = next(h);
  auto request = fresh_id();
  auto listed = fresh_id();
  c.request = request_row{request, 1, "reply"};
  c.outbox.push_back({target, 1, "body"});
  c.timers.push_back({"wake", 1});
  c.queries.push_back({"probe", listed, {}, R"({"n": 1})"});
  c.totals.push_back({"NPR", 5});
  c.principal = "\0"s;
  EXPECT_EQ(refusal_of(h, c), commit_failure::rejected);
  auto loaded = load(h.entity, fresh_incarnation());
  EXPECT_TRUE(loaded.tail.empty());
  EXPECT_TRUE(loaded.outbox.empty());
  EXPECT_FALSE(request_of(h.entity, request));
  for (auto& entity : pending(shard_of(h.entity)))
    EXPECT_NE(entity, h.entity);
  auto found = ask<std::string>([&](auto done) { queries().document("probe", listed, done); });
  ASSERT_TRUE(std::holds_alternative<error>(found));
  EXPECT_EQ(std::get<error>(found).code, errc::not_found);
}

TEST_P(store_conformance, documents_that_are_not_json_are_rejected) {
  for (auto doc : {R"({"n": )", R"({"n": "\u0000"})", "", "{'n': 1}", R"({"n": 01})",
                   R"({"n": "\ud800"})", "{\"n\": \"\xff\"}", "[1] 2"}) {
    auto h = start(fresh());
    auto c = next(h);
    c.queries.push_back({"probe", h.entity.id, {}, doc});
    EXPECT_EQ(refusal_of(h, c), commit_failure::rejected) << doc;
  }
}

// ---- fence ----------------------------------------------------------------------------------

TEST_P(store_conformance, a_fenced_shard_fails_only_its_own_commits) {
  constexpr shard_id kept = 8; // one writer has both, whatever small power of two their number is
  constexpr shard_id taken = 40;
  auto mine = start(fresh_in(kept));
  auto lost = start(fresh_in(taken));
  land(lost, next(lost));
  under_test().fence(taken);
  send(mine, next(mine));
  send(lost, next(lost));
  send(mine, next(mine));
  send(lost, next(lost));
  ASSERT_TRUE(wait_heard(mine, 2));
  ASSERT_TRUE(wait_heard(lost, 3));
  for (auto& heard : mine.ear->all())
    EXPECT_FALSE(heard.refusal) << heard.refusal->message;
  ASSERT_TRUE(lost.ear->all()[1].refusal);
  EXPECT_EQ(lost.ear->all()[1].refusal->why, commit_failure::fenced);
  EXPECT_TRUE(lost.ear->all()[2].refusal);
  EXPECT_TRUE(until([&] { return !fenced_shards().empty(); }));
  for (auto shard : fenced_shards())
    EXPECT_EQ(shard, taken);
  EXPECT_EQ(history(lost.entity).size(), 1u);
}

TEST_P(store_conformance, a_lost_shard_stays_lost_until_it_is_taken_again) {
  auto h = start(fresh_in(12));
  under_test().fence(12);
  EXPECT_EQ(refusal_of(h, next(h)), commit_failure::fenced);
  auto other = fresh_in(12);
  auto loaded =
      ask<loaded_entity>([&](auto done) { store().load(other, fresh_incarnation(), 1, done); });
  if (std::holds_alternative<loaded_entity>(loaded)) { // a store may let a zombie read
    host zombie{other, 0, h.ear, 0};
    EXPECT_NE(refusal_of(zombie, next(zombie)), commit_failure::rejected);
  }
  under_test().take_over(12);
  auto again = start(h.entity);
  EXPECT_EQ(again.seq, 0u);
  land(again, next(again));
  EXPECT_TRUE(history(other).empty());
}

TEST_P(store_conformance, hosts_of_a_former_epoch_write_no_more) {
  auto h = start(fresh_in(14));
  land(h, next(h));
  under_test().fence(14); // whoever it was may have written: the host's state may be old
  under_test().take_over(14);
  auto why = refusal_of(h, next(h));
  EXPECT_TRUE(why == commit_failure::superseded || why == commit_failure::fenced);
  auto again = start(h.entity);
  EXPECT_EQ(again.seq, 1u);
  land(again, next(again));
}

TEST_P(store_conformance, each_taking_has_a_higher_epoch) {
  auto h = start(fresh_in(13));
  land(h, next(h));
  auto before = history(h.entity).back().epoch;
  under_test().fence(13);
  under_test().take_over(13);
  auto again = start(h.entity);
  land(again, next(again));
  EXPECT_GT(history(h.entity).back().epoch, before + 1);
  EXPECT_EQ(head_of(13).epoch, history(h.entity).back().epoch);
}

TEST_P(store_conformance, after_a_crash_everything_that_was_heard_of_is_there) {
  constexpr std::uint64_t commits = 20;
  auto h = start(fresh());
  for (std::uint64_t n = 0; n < commits; ++n)
    send(h, next(h));
  ASSERT_TRUE(wait_heard(h, commits / 2));
  auto heard = h.ear->count();
  under_test().reopen();
  auto again = start(h.entity);
  EXPECT_GE(again.seq, heard);
  auto rows = history(h.entity);
  EXPECT_EQ(rows.size(), again.seq);
  land(again, next(again));
}

} // namespace rahat::conformance
