#include "router_scene.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace rahat;
using namespace rahat::test;
using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::Pair;
using testing::SizeIs;

namespace {

TEST(router, asks_here_what_is_served_here) {
  router_scene s;
  s.owned_by(1, 1);
  auto a = s.ask(1);
  s[1].here.reply("done");
  EXPECT_EQ(a->body(), "done");
}

TEST(router, carries_a_call_to_its_owner_and_the_answer_back) {
  router_scene s;
  s.owned_by(2, 1);
  auto a = s.ask(1);
  auto refused = s.ask(1);
  auto seen = s.look(1);
  s.run(10ms);
  ASSERT_THAT(s[2].here.questions, SizeIs(2));
  EXPECT_EQ(s[1].way->under_way(), 3U);
  s[2].here.reply("done");
  s[2].here.refuse(errc::maker_is_checker);
  s[2].here.looks.at(0).done(
      entity_view{std::make_shared<const std::string>("{}"), 3, shard_of(s.target), 9});
  s.run(10ms);
  EXPECT_EQ(a->body(), "done");
  EXPECT_EQ(refused->code(), "maker_is_checker");
  EXPECT_EQ(seen->body(), "{}");
  EXPECT_EQ(std::get<entity_view>(*seen->view).position, 9U);
  EXPECT_EQ(s[1].way->under_way(), 0U);
}

TEST(router, a_call_whose_link_goes_down_is_asked_again_with_its_id) {
  router_scene s;
  s.owned_by(2, 1);
  auto a = s.ask(1);
  s.run(10ms);
  ASSERT_THAT(s[2].here.questions, SizeIs(1));
  const auto id = s[2].here.questions[0].what.id;
  s.part(1, 2);
  EXPECT_EQ(a->code(), "none") << "it was not lost";
  s[2].here.reply("the first answer finds no link");
  s.run(300ms);
  EXPECT_EQ(s[1].way->waiting(), 1U);
  s.join(1, 2);
  s.run(10ms);
  ASSERT_THAT(s[2].here.questions, SizeIs(1));
  EXPECT_EQ(s[2].here.times_asked[id], 2);
  s[2].here.reply("the stored reply");
  s.run(10ms);
  EXPECT_EQ(a->body(), "the stored reply");
}

TEST(router, an_answer_to_a_call_of_a_former_link_is_not_taken_for_another) {
  router_scene s;
  s.owned_by(2, 1);
  auto a = s.ask(1);
  s.run(10ms);
  s.part(1, 2);
  s.join(1, 2);
  s.run(20ms);
  ASSERT_THAT(s[2].here.questions, SizeIs(2)) << "it was asked again";
  s[2].here.reply("to the first number");
  s.run(10ms);
  EXPECT_EQ(a->code(), "none") << "nobody waits for that number any more";
  s[2].here.reply("to the second");
  s.run(10ms);
  EXPECT_EQ(a->body(), "to the second");
}

TEST(router, numbers_of_a_later_process_are_others) {
  std::set<std::uint64_t> numbers;
  for (int life = 1; life <= 2; ++life) {
    router_scene s;
    s.time.pass(std::chrono::hours(life)); // the node starts again later
    router_scene::node n;
    cluster::router again{{s[1].id,
                           n.here,
                           s.links.node(s[1].id),
                           n.owners,
                           s.time,
                           n.probe,
                           [](auto, auto) {},
                           {},
                           {},
                           {}}};
    for (shard_id shard = 0; shard < shard_count; ++shard)
      n.owners.moved(shard, {s[2].id, 1});
    s.links.watch = [&](const uuid&, const uuid&, const wire::Frame& f) {
      EXPECT_TRUE(numbers.insert(f.call()).second) << "an old answer could be taken for a new one";
    };
    again.look(s.target, s.time.steady() + 1s, [](auto) {});
    again.look(s.target, s.time.steady() + 1s, [](auto) {});
  }
  EXPECT_THAT(numbers, SizeIs(4));
}

TEST(router, a_shard_that_changes_its_owner_wakes_its_own_calls_only) {
  router_scene s;
  auto a = s.ask(1); // nobody's
  const auto first = shard_of(s.target);
  for (std::uint8_t n = 2; shard_of(s.target) == first; ++n)
    s.target.id.bytes[15] = n;
  auto b = s.ask(1);
  s.run(400ms); // both ask again after 160 ms only
  const auto again = s[1].probe.again;
  s[2].here.open = true;
  s[1].owners.rows_read({{first, {s[2].id, 1}}});
  s[1].way->owners_changed();
  s.links.pump();
  EXPECT_EQ(s[2].here.questions.size(), 1U);
  EXPECT_EQ(s[1].probe.again, again) << "the other one was left where it waits";
  EXPECT_EQ(s[1].way->waiting(), 1U);
}

TEST(router, a_link_that_comes_wakes_the_calls_for_that_peer_only) {
  router_scene s{3};
  s.part(1, 2);
  s.part(1, 3);
  s.owned_by(2, 1);
  auto a = s.ask(1);
  s.run(400ms);
  const auto again = s[1].probe.again;
  s.join(1, 3);
  EXPECT_EQ(s[1].probe.again, again);
  s.join(1, 2);
  s.links.pump();
  EXPECT_EQ(s[2].here.questions.size(), 1U);
}

TEST(router, a_moved_call_finds_its_new_owner) {
  router_scene s{3};
  s.owned_by(3, 2);
  s[1].owners.forget();
  s.believes(1, 2, 1); // node 1 has not heard of the move
  auto a = s.ask(1);
  s.run(10ms);
  ASSERT_THAT(s[3].here.questions, SizeIs(1)) << "at once: node 2 has said who";
  s[3].here.reply("done");
  s.run(10ms);
  EXPECT_EQ(a->body(), "done");
  EXPECT_EQ(s[1].owners.read()->owners[shard_of(s.target)].epoch, 2);
}

TEST(router, a_call_on_a_shard_on_its_way_waits_for_the_owner) {
  router_scene s;
  s.owned_by(1, 1);
  s[1].here.open = false; // it drains
  auto a = s.ask(1);
  s.run(100ms);
  EXPECT_EQ(a->code(), "none");
  s.owned_by(2, 2);
  s.run(10ms);
  ASSERT_THAT(s[2].here.questions, SizeIs(1));
  s[2].here.reply("done");
  s.run(10ms);
  EXPECT_EQ(a->body(), "done");
}

TEST(router, a_call_that_nobody_serves_is_refused_as_retryable_after_its_patience) {
  router_scene s;
  auto patient = s.ask(1, 10, 60s);
  auto hurried = s.ask(1, 10, 2s);
  s.run(2'100ms);
  EXPECT_EQ(hurried->code(), "moved") << "not beyond its deadline";
  EXPECT_EQ(patient->code(), "none");
  s.run(3'800ms);
  EXPECT_EQ(patient->code(), "none");
  s.run(200ms);
  EXPECT_EQ(patient->code(), "moved") << "6 s";
  EXPECT_TRUE(is_retryable(errc::moved));
}

TEST(router, a_silent_peer_ends_in_timed_out) {
  router_scene s;
  s.owned_by(2, 1);
  auto a = s.ask(1, 10, 1s);
  s.run(1'400ms);
  EXPECT_EQ(a->code(), "none") << "the peer answers in time itself";
  s.run(200ms);
  EXPECT_EQ(a->code(), "timed_out");
  s[2].here.reply("too late");
  s.run(10ms);
  EXPECT_EQ(s[1].way->under_way(), 0U);
}

TEST(router, a_lower_epoch_teaches_nothing) {
  router_scene s{3};
  s.owned_by(3, 5);
  wire::Frame old;
  old.mutable_moved()->set_shard(shard_of(s.target));
  old.mutable_moved()->set_epoch(4);
  old.mutable_moved()->set_owner(s[2].id.raw());
  s.links.node(s[2].id).send(s[1].id, old);
  s.run(10ms);
  EXPECT_EQ(s[1].owners.read()->owners[shard_of(s.target)].node, s[3].id);
  auto a = s.ask(1);
  s.run(10ms);
  EXPECT_THAT(s[3].here.questions, SizeIs(1));
  EXPECT_THAT(s[2].here.questions, SizeIs(0));
  EXPECT_EQ(s[1].read_soon, 0);
}

TEST(router, two_owners_of_one_epoch_are_not_believed_and_the_rows_are_read) {
  router_scene s{3};
  s.owned_by(3, 5);
  wire::Frame other;
  other.mutable_moved()->set_shard(shard_of(s.target));
  other.mutable_moved()->set_epoch(5);
  other.mutable_moved()->set_owner(s[2].id.raw());
  s.links.node(s[2].id).send(s[1].id, other);
  s.run(10ms);
  EXPECT_EQ(s[1].owners.read()->owners[shard_of(s.target)].node, s[3].id);
  EXPECT_EQ(s[1].read_soon, 1);
}

TEST(router, a_shard_that_is_mine_without_my_knowing_makes_it_read) {
  router_scene s;
  s.owned_by(2, 5);
  wire::Frame mine;
  mine.mutable_moved()->set_shard(3);
  mine.mutable_moved()->set_epoch(6);
  mine.mutable_moved()->set_owner(s[1].id.raw());
  s.links.node(s[2].id).send(s[1].id, mine);
  s.run(10ms);
  EXPECT_EQ(s[1].read_soon, 1);
}

TEST(router, the_time_left_shrinks) {
  router_scene s;
  s.owned_by(2, 1);
  std::vector<std::int64_t> left;
  s.links.watch = [&](const uuid&, const uuid&, const wire::Frame& f) {
    if (f.has_ask())
      left.push_back(f.ask().left_us());
  };
  auto a = s.ask(1, 10, 3s);
  s.run(10ms);
  s.part(1, 2);
  s.run(500ms);
  s.join(1, 2);
  s.run(10ms);
  ASSERT_THAT(left, SizeIs(2));
  EXPECT_EQ(left[0], 3'000'000);
  EXPECT_LE(left[1], 2'500'000) << "the deadline is the client's, whoever asks how often";
  EXPECT_GE(left[1], 2'300'000);
}

TEST(router, stopping_answers_everybody) {
  router_scene s;
  s.owned_by(2, 1);
  auto there = s.ask(1);
  s.run(10ms);
  s[1].owners.forget();
  auto waits = s.ask(1);
  s.believes(1, 1, 2);
  s[1].here.open = true;
  auto here = s.ask(1);
  s[1].way->stop();
  EXPECT_EQ(there->code(), "not_ready");
  EXPECT_EQ(waits->code(), "not_ready");
  EXPECT_EQ(here->code(), "none") << "its host answers it";
  s[1].here.refuse(errc::moved);
  EXPECT_EQ(here->code(), "not_ready");
  auto late = s.look(1);
  s[1].here.looks.at(0).done(error{errc::moved, "", {}});
  EXPECT_EQ(late->code(), "not_ready");
  s.believes(1, 2, 3);
  EXPECT_EQ(s.ask(1)->code(), "not_ready");
  s[2].here.reply("nobody waits");
  s.run(100ms);
}

TEST(router, messages_go_to_the_owner_and_acknowledgements_to_the_source) {
  router_scene s;
  s.owned_by(2, 1);
  const entity_ref source{"batch", s.target.id};
  s[1].way->tell(source, s.target, 4, "body");
  s.run(10ms);
  ASSERT_THAT(s[2].here.told, SizeIs(1));
  EXPECT_EQ(std::get<2>(s[2].here.told[0]), 4U);
  s[1].way->acknowledge(source, s.target, 4);
  s.run(10ms);
  EXPECT_THAT(s[2].here.acknowledged, SizeIs(1));
  s.owned_by(1, 2);
  s[1].way->tell(source, s.target, 5, "body");
  EXPECT_THAT(s[1].here.told, SizeIs(1)) << "not over any link";
}

TEST(router, a_message_to_the_wrong_node_teaches_its_sender) {
  router_scene s{3};
  s.owned_by(3, 2);
  s[1].owners.forget();
  s.believes(1, 2, 1);
  s[1].way->tell({"batch", s.target.id}, s.target, 1, "body");
  s.run(10ms);
  EXPECT_EQ(s[1].owners.read()->owners[shard_of(s.target)].node, s[3].id);
}

TEST(router, a_released_shard_is_told) {
  router_scene s;
  wire::Frame released;
  released.mutable_released()->set_shard(7);
  released.mutable_released()->set_epoch(3);
  s.links.node(s[2].id).send(s[1].id, released);
  released.mutable_released()->set_shard(300); // no such shard
  s.links.node(s[2].id).send(s[1].id, released);
  s.run(10ms);
  EXPECT_THAT(s[1].released, ElementsAre(Pair(7, 3)));
}

TEST(router, who_was_parked_is_released_where_it_is_served) {
  router_scene s;
  s.owned_by(2, 1);
  s[1].way->release(s.target); // the operator speaks to the first node
  s.run(10ms);
  EXPECT_TRUE(s[1].here.released.empty());
  EXPECT_EQ(s[2].here.released, std::vector<entity_ref>{s.target});
  s[2].way->release(s.target);
  EXPECT_EQ(s[2].here.released.size(), 2U);
  s.part(1, 2);
  s[1].way->release(s.target); // lost: the owner reads the list by itself
  s.believes(1, 0, 2);
  s[1].way->release(s.target); // nobody's: its next owner reads the list
  s.run(10ms);
  EXPECT_EQ(s[2].here.released.size(), 2U);
}

} // namespace
