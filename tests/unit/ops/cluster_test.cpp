#include "gateways/ops/cluster.hpp"

#include "gateways/ops/ops.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/json.hpp>

using namespace rahat;
using cluster::member_status;
using testing::HasSubstr;
using testing::IsEmpty;

namespace {

namespace json = boost::json;

constexpr std::int64_t second_us = 1'000'000;
constexpr std::int64_t now_us = 1'800'000'000 * second_us;
constexpr std::int64_t ttl_us = 3 * second_us;

uuid node(std::uint8_t number) {
  uuid id;
  id.bytes.fill(number);
  return id;
}

cluster::member member_of(std::uint8_t number, member_status status, std::int32_t level = 1) {
  cluster::member m;
  m.node_uuid = node(number);
  m.incarnation = number;
  m.address = "10.0.0." + std::to_string(number);
  m.port = 7400;
  m.status = status;
  m.lease_until_us = now_us + 2 * second_us;
  m.feature_level = 1;
  m.build_level = level;
  m.name = "n" + std::to_string(number);
  m.operators = "10.0.0." + std::to_string(number) + ":9090";
  m.build = "rahatd 0." + std::to_string(level);
  return m;
}

/// What a node would see, and what it was asked.
class fake_port final : public ops::cluster_port {
public:
  ops::cluster_facts facts;
  std::variant<swap, error> swapped = swap::done;
  std::variant<std::string, error> raised = std::string{};
  std::vector<std::pair<uuid, bool>> wishes;
  std::vector<std::int32_t> levels;

  void look(std::function<void(ops::cluster_facts)> done) override { done(facts); }
  void wish(const uuid& who, bool drain, callback<swap> done) override {
    wishes.emplace_back(who, drain);
    done(swapped);
  }
  void raise_level(std::int32_t to, callback<std::string> done) override {
    levels.push_back(to);
    done(raised);
  }
};

class cluster_page : public testing::Test {
protected:
  void SetUp() override {
    auto& f = port.facts;
    f.self = {node(1), 1};
    f.clustered = true;
    f.database_answers = true;
    f.lease_ttl_us = ttl_us;
    f.seen.database_now_us = now_us;
    f.seen.now.version = 7;
    f.seen.now.feature_level = 1;
    f.seen.now.members = {member_of(2, member_status::active), member_of(1, member_status::active)};
    for (shard_id shard = 0; shard < shard_count; ++shard)
      own(shard, 1 + shard % 2);
    f.links = {{node(2), "up", now_us, true, 250, 10, 20, 0, 0, ""}};
    f.phases = {{"away", 128}, {"open", 127}, {"draining", 1}, {"taking", 0}};
  }

  void own(shard_id shard, int number) {
    auto who = static_cast<std::uint8_t>(number);
    port.facts.seen.shards[shard] = {{node(who), who}, 1, true};
  }

  http::response ask(http::method verb, const std::string& pattern, const std::string& id = "") {
    for (auto& one : ops::cluster_routes(port)) {
      if (one.verb != verb || one.pattern != pattern)
        continue;
      http::request r;
      r.verb = verb;
      r.params = {{"uuid", id}};
      std::optional<http::response> got;
      one.handle(r, http::responder{[&](http::response answer) { got = std::move(answer); }});
      EXPECT_TRUE(got) << pattern << " answers at once here";
      return got.value_or(http::response{});
    }
    ADD_FAILURE() << "there is no route " << pattern;
    return {};
  }

  json::value page() {
    auto got = ask(http::method::get, "/internal/v1/cluster");
    EXPECT_EQ(got.status, 200u);
    return json::parse(got.body);
  }
  http::response drain(const std::string& id) {
    return ask(http::method::post, "/internal/v1/cluster/members/{uuid}/drain", id);
  }
  http::response undrain(const std::string& id) {
    return ask(http::method::post, "/internal/v1/cluster/members/{uuid}/undrain", id);
  }
  http::response finish() { return ask(http::method::post, "/internal/v1/cluster/finish-upgrade"); }
  cluster::member& row(std::size_t index) { return port.facts.seen.now.members.at(index); }

  fake_port port;
};

TEST_F(cluster_page, shows_each_member_with_lease_shards_and_link) {
  const auto got = page();
  EXPECT_EQ(got.at("view_version"), 7);
  EXPECT_EQ(got.at("node").as_string(), node(1).str());
  const auto& members = got.at("members").as_array();
  ASSERT_EQ(members.size(), 2u);
  EXPECT_EQ(members[0].at("name").as_string(), "n1") << "in the order of their ids";
  EXPECT_EQ(members[0].at("shards_open"), 127);
  EXPECT_TRUE(members[0].at("link").is_null()) << "none to itself";
  const auto& peer = members[1];
  EXPECT_EQ(peer.at("status").as_string(), "active");
  EXPECT_EQ(peer.at("address").as_string(), "10.0.0.2:7400");
  EXPECT_EQ(peer.at("operators").as_string(), "10.0.0.2:9090");
  EXPECT_EQ(peer.at("build").as_string(), "rahatd 0.1");
  EXPECT_EQ(peer.at("lease").at("left_ms"), 2'000);
  EXPECT_EQ(peer.at("lease").at("age_ms"), 1'000) << "since it was renewed";
  EXPECT_TRUE(peer.at("lease").at("runs").as_bool());
  EXPECT_EQ(peer.at("shards_owned"), 128);
  EXPECT_TRUE(peer.at("shards_open").is_null()) << "only the owner knows";
  EXPECT_EQ(peer.at("link").at("rtt_us"), 250);
  EXPECT_EQ(json::serialize(got.at("moves").at("here")), R"({"draining":1,"taking":0})");
}

TEST_F(cluster_page, a_lapsed_lease_is_said_to_be_one) {
  row(0).lease_until_us = now_us - 5 * second_us;
  EXPECT_FALSE(page().at("members").at(1).at("lease").at("runs").as_bool());
  EXPECT_EQ(page().at("members").at(1).at("lease").at("left_ms"), -5'000);
  row(0).lease_until_us = now_us + 60 * second_us; // written before the clock was set back
  EXPECT_FALSE(page().at("members").at(1).at("lease").at("runs").as_bool());
}

TEST_F(cluster_page, tells_shards_that_nobody_serves) {
  auto& shards = port.facts.seen.shards;
  shards[3] = {};                      // released
  shards[4] = {{node(2), 1}, 1, true}; // of a former start
  shards[5].this_generation = false;   // from before a restore
  shards[6] = {{node(9), 9}, 1, true}; // of a stranger
  const auto got = page().at("shards");
  EXPECT_EQ(json::serialize(got.at("unowned")), "[3]");
  EXPECT_EQ(json::serialize(got.at("orphaned")), "[4,5,6]");
  EXPECT_EQ(got.at("owned"), shard_count - 4);

  row(0).status = member_status::dead;
  EXPECT_EQ(page().at("shards").at("by_node").as_object().size(), 1u) << "the dead serve nothing";
}

TEST_F(cluster_page, without_the_database_says_what_was_last_known) {
  port.facts.database_answers = false;
  const auto got = page();
  EXPECT_FALSE(got.at("database_answers").as_bool());
  EXPECT_TRUE(got.at("members").at(0).at("lease").is_null()) << "nobody can say";
  EXPECT_EQ(got.at("members").as_array().size(), 2u);
  EXPECT_EQ(drain(node(2).str()).status, 503u);
  EXPECT_EQ(finish().status, 503u);
  EXPECT_THAT(port.wishes, IsEmpty());
  EXPECT_THAT(port.levels, IsEmpty());
}

TEST_F(cluster_page, votes_have_an_age_on_the_databases_clock) {
  port.facts.seen.votes = {{{node(1), 1}, {node(2), 2}, now_us - 1'500'000}};
  const auto got = page().at("votes").at(0);
  EXPECT_EQ(got.at("age_ms"), 1'500);
  EXPECT_EQ(got.at("against").as_string(), node(2).str() + "/2");
}

TEST_F(cluster_page, draining_writes_the_wish_for_any_member) {
  auto got = drain(node(2).str());
  EXPECT_EQ(got.status, 200u) << got.body;
  EXPECT_EQ(json::parse(got.body).at("shards_owned"), 128);
  EXPECT_EQ(json::parse(got.body).at("name").as_string(), "n2");
  EXPECT_EQ(undrain(node(2).str()).status, 200u);
  EXPECT_THAT(port.wishes,
              testing::ElementsAre(std::pair{node(2), true}, std::pair{node(2), false}));
}

TEST_F(cluster_page, refuses_to_drain_whom_it_cannot) {
  EXPECT_EQ(drain("n2").status, 422u) << "a name is rahatctl's to resolve";
  EXPECT_EQ(drain(node(8).str()).status, 404u);
  row(0).status = member_status::dead;
  EXPECT_EQ(drain(node(2).str()).status, 409u);
  EXPECT_THAT(port.wishes, IsEmpty());
  row(0).status = member_status::active;
  port.swapped = swap::refused; // it has ended between reading and writing
  EXPECT_EQ(drain(node(2).str()).status, 409u);
}

TEST_F(cluster_page, the_last_active_member_is_not_drained) {
  row(0).status = member_status::leaving;
  auto got = drain(node(1).str());
  EXPECT_EQ(got.status, 409u);
  EXPECT_THAT(got.body, HasSubstr("last active member"));
  row(0).status = member_status::active;
  row(0).lease_until_us = now_us - 1; // it will be declared dead: it takes nothing
  EXPECT_EQ(drain(node(1).str()).status, 409u);
  EXPECT_THAT(port.wishes, IsEmpty());
  EXPECT_EQ(undrain(node(1).str()).status, 200u) << "to stay is always possible";
}

TEST_F(cluster_page, a_node_that_is_alone_has_nobody_to_give_to) {
  port.facts.clustered = false;
  port.facts.seen.now.members.erase(port.facts.seen.now.members.begin());
  EXPECT_EQ(page().at("members").as_array().size(), 1u);
  auto got = drain(node(1).str());
  EXPECT_EQ(got.status, 409u);
  EXPECT_THAT(got.body, HasSubstr("alone"));
}

TEST_F(cluster_page, an_upgrade_is_finished_at_the_lowest_level_that_runs) {
  auto got = finish();
  EXPECT_EQ(got.status, 200u);
  EXPECT_FALSE(json::parse(got.body).at("raised").as_bool()) << "nothing to finish";
  row(0).build_level = 3;
  row(1).build_level = 2;
  got = finish();
  EXPECT_EQ(got.status, 200u) << got.body;
  EXPECT_TRUE(json::parse(got.body).at("raised").as_bool());
  EXPECT_THAT(port.levels, testing::ElementsAre(2));
}

TEST_F(cluster_page, an_upgrade_is_not_finished_while_a_member_is_behind) {
  row(0).build_level = 2;
  auto got = finish();
  EXPECT_EQ(got.status, 409u);
  EXPECT_THAT(got.body, HasSubstr("n1 (rahatd 0.1, level 1)"));
  EXPECT_THAT(got.body, testing::Not(HasSubstr("n2 (")));
  EXPECT_THAT(port.levels, IsEmpty());

  row(1).status = member_status::dead; // who does not run does not count
  EXPECT_EQ(finish().status, 200u);
  EXPECT_THAT(port.levels, testing::ElementsAre(2));

  port.raised = std::string{"behind: n5 (rahatd 0.1, level 1)"}; // has joined in this moment
  EXPECT_EQ(finish().status, 409u);
}

TEST_F(cluster_page, its_routes_are_for_operators) {
  const auto routes = ops::cluster_routes(port);
  EXPECT_EQ(routes.size(), 4u);
  for (auto& one : routes)
    EXPECT_EQ(one.roles, std::vector<std::string>{"operator"}) << one.pattern;
  ops::context c;
  c.members = &port;
  const auto all = ops::make_routes(c);
  const auto without = ops::make_routes({});
  EXPECT_EQ(all.size(), without.size() + 4);
}

} // namespace
