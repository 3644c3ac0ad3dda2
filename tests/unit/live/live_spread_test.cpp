#include "runtime/cluster/routing/live_spread.hpp"
#include "tests/unit/live/fixture.hpp"
#include "tests/unit/routing/router_scene.hpp"

#include <algorithm>

/// Hubs of several nodes over one database, with links that the test joins, fills and parts.
namespace rahat::live::test {
namespace {

using namespace std::chrono_literals;
using rahat::test::router_scene;

using names = std::vector<std::string>;

class counting_probe final : public cluster::router_probe {
public:
  void live_event_sent() override { ++sent; }
  void live_event_heard() override { ++heard; }
  void live_event_dropped() override { ++dropped; }
  void live_gap(std::string_view why, std::size_t) override { unreached += why == "unreached"; }
  int sent = 0;
  int heard = 0;
  int dropped = 0;
  int unreached = 0;
};

struct place {
  std::unique_ptr<memory_store> db; // reads only, but for the writer's
  counting_probe probe;
  std::unique_ptr<cluster::live_spread> spread;
  std::unique_ptr<live_hub> hub;
};

class live_spread : public testing::Test, public commit_listener {
protected:
  live_spread() {
    memory_options how;
    how.mode = memory_options::drive::manual;
    how.time = &scene.time;
    writer_ = std::make_unique<memory_store>(rows, how);
    how.take_all_shards = false;
    options_.kinds = {"project"};
    options_.progress_types = {"project.counted"};
    options_.clustered = true;
    for (int n = 1; n <= nodes; ++n) {
      auto& p = at(n);
      p.db = std::make_unique<memory_store>(rows, how);
      p.spread = std::make_unique<cluster::live_spread>(cluster::live_spread::dependencies{
          scene[n].id, scene.links.node(scene[n].id), scene[n].owners, scene.time, p.probe});
      p.hub = std::make_unique<live_hub>(options_, *p.db, all, scene.time);
      p.spread->hear(*p.hub);
      scene[n].way->relay(p.spread.get());
    }
    for (int a = 1; a <= nodes; ++a)
      for (int b = a + 1; b <= nodes; ++b) {
        scene.part(a, b);
        scene.join(a, b);
      }
    scene.owned_by(2, 1);
    run(300ms);
  }

  ~live_spread() override {
    for (auto& p : places_)
      p.hub->stop();
    for (auto& p : places_)
      p.db->run_all();
  }

  static constexpr int nodes = 3;

  place& at(int number) { return places_.at(static_cast<std::size_t>(number - 1)); }

  void step() {
    scene.run(10ms);
    for (auto& p : places_) {
      p.spread->tick();
      p.db->run_all();
    }
    scene.links.pump();
  }

  void run(std::chrono::milliseconds span) {
    for (; span > 0ms; span -= 10ms)
      step();
  }

  /// The hubs' own threads look at the clock.
  template <class Condition>
  bool in_time(Condition condition) {
    const auto until = std::chrono::steady_clock::now() + 20s;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > until)
        return false;
      step();
      std::this_thread::yield();
    }
    return true;
  }

  /// It stands in the journal; nobody has heard of it.
  live_event commit_event(const entity_ref& entity, std::size_t view_bytes = 0,
                          const std::string& type = "project.noted") {
    auto& seq = seqs_[entity];
    if (seq == 0) {
      writer_->load(entity, 1, 1, [](outcome<loaded_entity>) {});
      writer_->run_all();
    }
    commit c;
    c.entity = entity;
    c.shard = shard_of(entity);
    c.incarnation = 1;
    c.seq = ++seq;
    c.type = type;
    c.payload = wire::Commit{}.SerializeAsString();
    c.principal = "asha";
    c.at_us = scene.time.now_us();
    all.versions[entity] = seq;
    live_event e{entity, seq, c.shard, 0, type, c.at_us, {}, nullptr};
    e.view =
        std::make_shared<const std::string>(R"({"version":)" + std::to_string(seq) + R"(,"pad":")" +
                                            std::string(view_bytes, 'x') + "\"}");
    writer_->write(std::move(c), std::shared_ptr<commit_listener>(std::shared_ptr<void>(), this));
    writer_->run_all();
    e.position = position_;
    return e;
  }

  /// As a host of node `owner` does it.
  live_event happen(int owner, const entity_ref& entity, std::size_t view_bytes = 0,
                    const std::string& type = "project.noted") {
    auto e = commit_event(entity, view_bytes, type);
    at(owner).hub->publish(e);
    at(owner).spread->publish(e);
    return e;
  }

  std::shared_ptr<listener> follow(int node, const std::string& topic,
                                   const std::optional<std::string>& after = {}) {
    auto who = std::make_shared<listener>();
    EXPECT_FALSE(
        at(node).hub->subscribe({"asha", "reader"}, topic, after, who, [this] { ++placed; }));
    return who;
  }

  /// Versions as they came, live ones and those of the journal alike.
  static names versions(const listener& who) {
    names out;
    for (auto& g : who.all())
      if (!g.token.empty())
        out.push_back(g.token);
    return out;
  }

  static entity_ref entity(int number) {
    return {"project", derive_id({"spread test", std::to_string(number)})};
  }

  void committed(std::uint64_t, std::uint64_t position) override { position_ = position; }
  void failed(std::uint64_t, const commit_refusal& why) override { FAIL() << why.message; }

  router_scene scene{nodes};
  quiet_entities all;
  std::shared_ptr<memory_database> rows = std::make_shared<memory_database>();
  std::atomic<int> placed{0};

private:
  hub_options options_;
  std::unique_ptr<memory_store> writer_;
  std::array<place, nodes> places_;
  std::map<entity_ref, std::uint64_t> seqs_;
  std::uint64_t position_ = 0;
};

TEST_F(live_spread, an_event_of_another_node_arrives_with_its_document) {
  auto who = follow(1, entity(1).str());
  EXPECT_EQ(placed, 1);
  run(200ms);
  happen(2, entity(1));
  happen(2, entity(2)); // nobody follows it
  run(10ms);
  auto frames = who->of_type("project.noted");
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].token, "1");
  EXPECT_EQ(frames[0].data, R"({"version":1,"pad":""})");
  EXPECT_EQ(at(2).probe.sent, 1);
  EXPECT_EQ(at(1).probe.heard, 1);
  EXPECT_EQ(at(3).probe.heard, 0);
}

TEST_F(live_spread, who_has_left_is_told_nothing_any_more) {
  auto who = follow(1, entity(1).str());
  run(200ms);
  at(1).hub->leave(who);
  run(200ms);
  happen(2, entity(1));
  run(10ms);
  EXPECT_EQ(at(2).probe.sent, 0);
}

/// The owner learns within 100 ms what is followed; what it commits meanwhile is told as well.
TEST_F(live_spread, what_happens_before_the_owner_knows_is_read_from_the_journal) {
  happen(2, entity(1));
  run(10ms);
  auto who = follow(1, entity(1).str());
  happen(2, entity(1)); // no peer follows anything yet
  EXPECT_EQ(at(2).probe.sent, 0);
  ASSERT_TRUE(in_time([&] { return !versions(*who).empty(); }));
  EXPECT_EQ(versions(*who), (names{"2"}));
  ASSERT_TRUE(in_time([&] { return !who->of_type("state").empty(); })); // its document was not kept
  happen(2, entity(1));
  ASSERT_TRUE(in_time([&] { return versions(*who).size() == 2; }));
  EXPECT_EQ(versions(*who), (names{"2", "3"}));
}

TEST_F(live_spread, nothing_is_missed_when_the_owner_dies_between_commit_and_push) {
  auto who = follow(1, entity(1).str());
  run(200ms);
  happen(2, entity(1));
  run(10ms);
  commit_event(entity(1));
  scene.part(1, 2);
  scene.part(2, 3);
  scene.owned_by(3, 2);
  ASSERT_TRUE(in_time([&] { return versions(*who).size() == 2; }));
  happen(3, entity(1));
  ASSERT_TRUE(in_time([&] { return versions(*who).size() == 3; }));
  EXPECT_EQ(versions(*who), (names{"1", "2", "3"}));
}

/// The take may be known before the last commit of the former owner could be read.
TEST_F(live_spread, a_shard_that_changed_its_owner_is_looked_up) {
  auto who = follow(1, entity(1).str());
  run(1'500ms);
  commit_event(entity(1)); // by 2, which is fenced before it tells
  scene.owned_by(3, 2);
  run(30ms);
  ASSERT_TRUE(in_time([&] { return versions(*who).size() == 1; }));
}

TEST_F(live_spread, after_an_outage_each_event_comes_once_and_in_order) {
  std::vector<std::shared_ptr<listener>> followers;
  for (int n = 1; n <= 5; ++n)
    followers.push_back(follow(1, entity(n).str()));
  run(200ms);
  for (int round = 0; round < 3; ++round) {
    for (int n = 1; n <= 5; ++n)
      happen(2, entity(n));
    scene.part(1, 2); // what is on its way is lost
    for (int n = 1; n <= 5; ++n)
      happen(2, entity(n));
    run(50ms);
    scene.join(1, 2);
    for (int n = 1; n <= 5; ++n)
      happen(2, entity(n));
    run(100ms);
    for (int n = 1; n <= 5; ++n)
      happen(2, entity(n));
  }
  const names wanted{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"};
  for (auto& who : followers) {
    ASSERT_TRUE(in_time([&] { return versions(*who).size() >= wanted.size(); }));
    EXPECT_EQ(versions(*who), wanted);
  }
}

/// Between the link and the follow that it carries nobody tells anything.
TEST_F(live_spread, what_happened_before_a_new_link_knew_is_read) {
  auto who = follow(1, entity(1).str());
  run(300ms);
  commit_event(entity(1));
  scene.part(1, 2); // which makes it read
  ASSERT_TRUE(in_time([&] { return versions(*who).size() == 1; }));
  run(1'000ms);
  ASSERT_TRUE(in_time([&] { return at(1).db->idle(); }));
  scene.join(1, 2);
  happen(2, entity(1));
  EXPECT_EQ(at(2).probe.sent, 0);
  ASSERT_TRUE(in_time([&] { return versions(*who).size() == 2; }));
}

TEST_F(live_spread, without_a_link_the_journal_is_read_each_second) {
  auto who = follow(1, entity(1).str());
  run(200ms);
  scene.part(1, 2);
  for (std::size_t n = 1; n <= 3; ++n) {
    happen(2, entity(1));
    ASSERT_TRUE(in_time([&] { return versions(*who).size() == n; }));
  }
}

TEST_F(live_spread, an_event_without_room_is_told_later) {
  auto who = follow(1, entity(1).str());
  run(1'500ms);
  const auto since = scene.time.steady();
  scene.links.fill(scene[2].id, scene[1].id, true);
  happen(2, entity(1));
  EXPECT_EQ(at(2).probe.dropped, 1);
  run(100ms);
  EXPECT_TRUE(versions(*who).empty());
  scene.links.fill(scene[2].id, scene[1].id, false);
  ASSERT_TRUE(in_time([&] { return versions(*who).size() == 1; }));
  EXPECT_GT(scene.time.steady(), since);
  happen(2, entity(1));
  run(10ms);
  EXPECT_EQ(versions(*who), (names{"1", "2"}));
}

TEST_F(live_spread, a_follow_or_its_answer_without_room_goes_again) {
  scene.links.fill(scene[1].id, scene[2].id, true);
  auto who = follow(1, entity(1).str());
  run(300ms);
  happen(2, entity(1));
  EXPECT_EQ(at(2).probe.sent, 0);
  scene.links.fill(scene[1].id, scene[2].id, false);
  scene.links.fill(scene[2].id, scene[1].id, true); // it cannot answer
  run(300ms);
  scene.links.fill(scene[2].id, scene[1].id, false);
  ASSERT_TRUE(in_time([&] { return versions(*who).size() == 1; }));
  happen(2, entity(1));
  run(10ms);
  EXPECT_EQ(versions(*who), (names{"1", "2"}));
  run(2'500ms);
  const auto reads = at(1).probe.unreached; // none any more: the owner has answered
  run(2'500ms);
  EXPECT_EQ(at(1).probe.unreached, reads);
}

TEST_F(live_spread, a_large_document_does_not_travel_and_the_present_one_follows) {
  auto who = follow(1, entity(1).str());
  run(200ms);
  std::size_t largest = 0;
  scene.links.watch = [&](const uuid&, const uuid&, const wire::Frame& frame) {
    largest = std::max(largest, frame.ByteSizeLong());
  };
  happen(2, entity(1), 300'000);
  ASSERT_TRUE(in_time([&] { return !who->of_type("state").empty(); }));
  auto frames = who->of_type("project.noted");
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].data,
            R"({"entity":")" + entity(1).str() + R"(","version":1,"replayed":true})");
  EXPECT_LT(largest, 1'000U);
  happen(2, entity(1), 150'000);
  run(10ms);
  EXPECT_GT(who->of_type("project.noted").back().data.size(), 150'000U);
  EXPECT_LT(largest, 192U * 1024);
}

TEST_F(live_spread, the_feed_over_several_nodes_is_dense) {
  auto who = follow(1, "feed");
  EXPECT_EQ(placed, 0); // where it stands is not known yet
  run(200ms);
  EXPECT_EQ(placed, 1);
  for (int n = 0; n < 60; ++n) {
    if (n % 20 == 7)
      scene.part(1, 2);
    if (n % 20 == 13)
      scene.join(1, 2);
    if (n == 30)
      scene.owned_by(1, 2);
    if (n == 45)
      scene.owned_by(3, 3);
    const int owner = n < 30 ? 2 : n < 45 ? 1 : 3;
    if (n % 6 == 5)
      commit_event(entity(n % 7)); // its owner does not tell
    else
      happen(owner, entity(n % 7));
    if (n % 4 == 0)
      run(20ms);
  }
  ASSERT_TRUE(in_time([&] { return versions(*who).size() >= 60; }));
  EXPECT_EQ(versions(*who).size(), 60U);
  for (int n = 0; n < 7; ++n) {
    names heard;
    const auto head = R"({"entity":")" + entity(n).str() + R"(","version":)";
    for (auto& g : who->all())
      if (g.data.starts_with(head))
        heard.push_back(g.data.substr(head.size(), g.data.find(',', head.size()) - head.size()));
    names wanted;
    for (std::size_t v = 1; v <= rows->journal_of(entity(n)).size(); ++v)
      wanted.push_back(std::to_string(v));
    EXPECT_EQ(heard, wanted) << n;
  }
}

TEST_F(live_spread, beyond_ten_thousand_topics_everything_is_asked_for) {
  std::vector<std::shared_ptr<listener>> followers;
  wire::Follow last;
  scene.links.watch = [&](const uuid& from, const uuid&, const wire::Frame& frame) {
    if (from == scene[1].id && frame.has_follow())
      last = frame.follow();
  };
  for (int n = 0; n < 10'000; ++n)
    followers.push_back(follow(1, entity(n).str()));
  run(300ms);
  EXPECT_FALSE(last.feed());
  EXPECT_EQ(last.entities_size(), 10'000);
  followers.push_back(follow(1, entity(10'000).str()));
  run(1'500ms); // a long list is not sent each 100 ms
  EXPECT_TRUE(last.feed());
  EXPECT_EQ(last.entities_size(), 0);
  happen(2, entity(10'000));
  run(10ms);
  EXPECT_EQ(versions(*followers.back()), (names{"1"}));
}

TEST_F(live_spread, a_changed_list_goes_out_ten_times_a_second_at_most) {
  run(1'000ms);
  int sent = 0;
  scene.links.watch = [&](const uuid& from, const uuid& to, const wire::Frame& frame) {
    if (from == scene[1].id && to == scene[2].id && frame.has_follow())
      ++sent;
  };
  std::vector<std::shared_ptr<listener>> followers;
  for (int n = 0; n < 100; ++n) {
    followers.push_back(follow(1, entity(n).str()));
    run(10ms);
  }
  EXPECT_LE(sent, 11);
  EXPECT_GE(sent, 8);
}

/// While no time passes, a hundred are read and those that were under way, and then no more.
TEST_F(live_spread, the_journal_is_asked_for_at_most_a_thousand_topics_a_second) {
  std::vector<std::shared_ptr<listener>> followers;
  for (int n = 0; n < 500; ++n)
    followers.push_back(follow(1, entity(n).str()));
  auto other = follow(1, entity(1'000).str());
  run(5'000ms);
  ASSERT_TRUE(in_time([&] { return at(1).db->idle(); }));
  for (int n = 0; n < 500; ++n)
    commit_event(entity(n));
  auto told = [&] {
    return std::count_if(followers.begin(), followers.end(),
                         [](auto& who) { return !versions(*who).empty(); });
  };
  auto while_time_stands = [&](auto condition) {
    const auto until = std::chrono::steady_clock::now() + 20s;
    while (!condition() && std::chrono::steady_clock::now() < until) {
      at(1).db->run_all();
      std::this_thread::yield();
    }
    return condition();
  };
  std::vector<shard_id> everywhere;
  for (shard_id s = 0; s < shard_count; ++s)
    everywhere.push_back(s);
  at(1).hub->missed(everywhere);
  for (std::size_t n = 1; n <= 6; ++n) { // the hub's thread does other work meanwhile
    commit_event(entity(1'000));
    happen(1, entity(1'000));
    ASSERT_TRUE(while_time_stands([&] { return versions(*other).size() == 2 * n; }));
  }
  EXPECT_LE(told(), 200);
  ASSERT_TRUE(in_time([&] { return told() == 500; }));
}

/// The client reads the document when it is told `subscribed`: what comes after that version is due
/// to it, also if the first that arrives is not the first that happened.
TEST_F(live_spread, a_place_is_known_before_the_first_event) {
  happen(2, entity(1));
  auto who = follow(1, entity(1).str());
  EXPECT_EQ(placed, 1);
  run(200ms);
  scene.links.hold(scene[2].id, scene[1].id, true);
  commit_event(entity(1)); // never told
  happen(2, entity(1));
  scene.links.hold(scene[2].id, scene[1].id, false);
  ASSERT_TRUE(in_time([&] { return versions(*who).size() == 2; }));
  EXPECT_EQ(versions(*who), (names{"2", "3"}));
}

TEST_F(live_spread, what_is_followed_before_it_exists_is_told_from_its_first_event) {
  auto who = follow(1, entity(1).str());
  run(1'500ms);
  commit_event(entity(1)); // never told
  happen(2, entity(1));
  ASSERT_TRUE(in_time([&] { return versions(*who).size() == 2; }));
  EXPECT_EQ(versions(*who), (names{"1", "2"}));
}

TEST_F(live_spread, a_resumed_topic_goes_on_with_events_of_another_node) {
  for (int n = 0; n < 3; ++n)
    happen(2, entity(1));
  auto who = follow(1, entity(1).str(), "1");
  happen(2, entity(1)); // before the owner knows
  ASSERT_TRUE(in_time([&] { return versions(*who).size() == 3; }));
  run(200ms);
  happen(2, entity(1));
  run(10ms);
  EXPECT_EQ(versions(*who), (names{"2", "3", "4", "5"}));
}

TEST_F(live_spread, frames_that_make_no_sense_do_no_harm) {
  auto who = follow(1, entity(1).str());
  auto all_of_it = follow(1, "feed");
  run(200ms);
  wire::Frame odd;
  odd.mutable_happened()->mutable_entity()->set_kind("project");
  odd.mutable_happened()->set_shard(70'000);
  odd.mutable_happened()->add_missed(70'000);
  scene.links.node(scene[2].id).send(scene[1].id, odd);
  wire::Frame heeded;
  heeded.mutable_heeded()->set_number(UINT64_MAX);
  scene.links.node(scene[2].id).send(scene[1].id, heeded);
  run(100ms);
  EXPECT_EQ(at(1).probe.heard, 0);
  happen(2, entity(1));
  run(10ms);
  EXPECT_EQ(versions(*who), (names{"1"}));
}

} // namespace
} // namespace rahat::live::test
