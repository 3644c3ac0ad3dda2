#include "apps/rahatctl/cluster.hpp"

#include "command_line.hpp"

#include <gmock/gmock.h>

using namespace rahat::ctl;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

namespace {

namespace json = boost::json;

constexpr const char* n1 = "0a000000-0000-4000-8000-000000000001";
constexpr const char* n2 = "0b000000-0000-4000-8000-000000000002";
constexpr const char* n3 = "0c000000-0000-4000-8000-000000000003";
constexpr const char* page = "GET /internal/v1/cluster";

json::object row(const char* uuid, const std::string& name, std::int64_t shards) {
  json::object m{{"uuid", uuid},
                 {"name", name},
                 {"incarnation", 4},
                 {"status", "active"},
                 {"why", ""},
                 {"address", "10.0.0.1:7400"},
                 {"operators", "10.0.0.1:9090"},
                 {"build", "rahatd 0.1.0"},
                 {"build_level", 1},
                 {"feature_level", 1},
                 {"shards_owned", shards},
                 {"shards_open", nullptr}};
  m["lease"] = json::object{{"age_ms", 600}, {"left_ms", 2'400}, {"runs", true}};
  m["link"] = json::object{{"state", "up"},
                           {"since", nullptr},
                           {"reachable", true},
                           {"rtt_us", 312},
                           {"last_trouble", ""}};
  return m;
}

/// Three members that are well, seen from n1.
json::object healthy() {
  auto self = row(n1, "n1", 86);
  self["link"] = nullptr;
  self["shards_open"] = 86;
  json::object out{{"node", n1},
                   {"incarnation", 4},
                   {"clustered", true},
                   {"database_answers", true},
                   {"view_version", 12},
                   {"feature_level", 1},
                   {"votes", json::array{}}};
  out["members"] = json::array{self, row(n2, "n2", 85), row(n3, "n3", 85)};
  out["shards"] = json::object{
      {"total", 256}, {"owned", 256}, {"unowned", json::array{}}, {"orphaned", json::array{}}};
  out["moves"] = json::object{{"misplaced", 0}, {"here", json::object{{"draining", 0}}}};
  return out;
}

json::object& nth(json::object& cluster, std::size_t index) {
  return cluster["members"].as_array().at(index).as_object();
}

class cluster_command : public command_line {
protected:
  void answer(const json::object& cluster) { node_.on(page, {200, json::serialize(cluster)}); }
  std::string asked_last() const {
    auto all = node_.requests();
    return all.empty() ? "" : all.back().line;
  }
};

TEST_F(cluster_command, status_is_a_table_for_people) {
  answer(healthy());
  EXPECT_EQ(run({"cluster", "status"}), 0) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("view 12, feature level 1\n"), HasSubstr("n1    0a000000"),
                          HasSubstr("2.4 s left"), HasSubstr("this node"), HasSubstr("up, 312 us"),
                          HasSubstr("256 of 256 owned, 0 to be moved\n")));
  EXPECT_THAT(out_, Not(HasSubstr("!")));
  EXPECT_THAT(node_.requests().back().head, HasSubstr("Authorization: Bearer the-token"));

  EXPECT_EQ(run({"cluster", "status", "--json"}), 0);
  EXPECT_EQ(json::parse(out_).at("view_version"), 12);
}

TEST_F(cluster_command, status_exits_with_one_when_a_lease_has_lapsed) {
  auto c = healthy();
  nth(c, 1)["lease"] = json::object{{"left_ms", -4'000}, {"runs", false}};
  answer(c);
  EXPECT_EQ(run({"cluster", "status"}), 1);
  EXPECT_THAT(out_, AllOf(HasSubstr("LAPSED 4.0 s"), HasSubstr("! n2: its lease has lapsed")));
}

TEST_F(cluster_command, status_exits_with_one_when_nobody_serves_a_shard) {
  auto c = healthy();
  c["shards"].as_object()["unowned"] = json::array{3, 4};
  answer(c);
  EXPECT_EQ(run({"cluster", "status"}), 1);
  EXPECT_THAT(out_, HasSubstr("! 2 shards have no owner"));
  c = healthy();
  c["shards"].as_object()["orphaned"] = json::array{9};
  answer(c);
  EXPECT_EQ(run({"cluster", "status", "--json"}), 1) << "the flags do not change the verdict";
}

TEST_F(cluster_command, status_exits_with_one_when_a_member_is_out_of_reach) {
  auto c = healthy();
  nth(c, 2)["link"] = json::object{{"state", "dialling"},
                                   {"reachable", false},
                                   {"rtt_us", 0},
                                   {"last_trouble", "connection refused"}};
  answer(c);
  EXPECT_EQ(run({"cluster", "status"}), 1);
  EXPECT_THAT(out_, HasSubstr("! n3: out of reach from here, link dialling: connection refused"));
  nth(c, 2)["link"].as_object()["state"] = "up"; // but silent
  answer(c);
  EXPECT_EQ(run({"cluster", "status"}), 1);
  EXPECT_THAT(out_, HasSubstr("up, SILENT"));
}

TEST_F(cluster_command, status_exits_with_one_when_the_database_is_away) {
  auto c = healthy();
  c["database_answers"] = false;
  for (std::size_t i = 0; i < 3; ++i)
    nth(c, i)["lease"] = nullptr;
  answer(c);
  EXPECT_EQ(run({"cluster", "status"}), 1);
  EXPECT_THAT(out_, HasSubstr("! the database does not answer"));
}

TEST_F(cluster_command, members_that_are_gone_are_shown_when_asked_for) {
  auto c = healthy();
  nth(c, 2)["status"] = "dead";
  nth(c, 2)["why"] = "lapsed, by 0a000000";
  nth(c, 2)["lease"] = nullptr;
  nth(c, 2)["link"] = nullptr;
  answer(c);
  EXPECT_EQ(run({"cluster", "status"}), 0) << "its shards are with the others: all is well";
  EXPECT_THAT(out_, AllOf(Not(HasSubstr("n3 ")), HasSubstr("1 have left or died")));
  EXPECT_EQ(run({"cluster", "status", "--all"}), 0);
  EXPECT_THAT(out_, HasSubstr("n3: dead, lapsed, by 0a000000"));
}

TEST_F(cluster_command, an_answer_without_members_is_not_taken_for_a_cluster) {
  node_.on(page, {200, "{}"});
  EXPECT_EQ(run({"cluster", "status"}), 1);
  EXPECT_THAT(err_, HasSubstr("no members"));
  EXPECT_EQ(run({"cluster", "drain", "n2"}), 1);
}

TEST_F(cluster_command, a_node_is_found_by_name_uuid_or_their_beginning) {
  auto c = healthy();
  auto find = [&](const std::string& wanted) {
    const json::value document = c;
    auto found = find_member(document, wanted);
    return found.it == nullptr ? found.why : std::string{found.it->at("uuid").as_string()};
  };
  nth(c, 2)["name"] = "n22";
  for (auto* known : {"n2", n2, "0b"})
    EXPECT_EQ(find(known), n2) << known;
  EXPECT_THAT(find("n"), HasSubstr("more than one"));
  EXPECT_THAT(find("n9"), AllOf(HasSubstr("n9"), HasSubstr("n22 (0c000000)")));
  nth(c, 2)["name"] = "n2";
  EXPECT_THAT(find("n2"), HasSubstr("more than one")) << "two of one name";
  nth(c, 1)["status"] = "left";
  EXPECT_EQ(find("n2"), n3) << "who is gone is not meant";
}

TEST_F(cluster_command, drain_asks_for_the_member_that_is_meant) {
  answer(healthy());
  const std::string path = std::string{"POST /internal/v1/cluster/members/"} + n2;
  const std::string said = R"({"uuid":"x","name":"n2","drain":true,"shards_owned":85})";
  node_.on(path + "/drain", {200, said});
  EXPECT_EQ(run({"cluster", "drain", "n2"}), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("n2 is asked to give its 85 shards away"));
  EXPECT_THAT(asked_last(), HasSubstr(path + "/drain "));
  node_.on(path + "/undrain", {200, said});
  EXPECT_EQ(run({"cluster", "drain", "0b0", "--undo"}), 0) << err_;
  EXPECT_THAT(asked_last(), HasSubstr("/undrain "));
  EXPECT_EQ(run({"cluster", "drain", "n2", "--json"}), 0);
  EXPECT_EQ(out_, said + "\n") << "the answer, and nothing else";

  EXPECT_EQ(run({"cluster", "drain", "n7"}), 1);
  EXPECT_THAT(asked_last(), HasSubstr(page)) << "nobody was asked";
  EXPECT_EQ(run({"cluster", "drain"}), 2);
  EXPECT_EQ(run({"cluster", "drain", "n2", "--wait", "--timeout", "0"}), 2);
  node_.on(path + "/drain", {409, R"({"title":"No","detail":"the last active member"})",
                             "application/problem+json"});
  EXPECT_EQ(run({"cluster", "drain", "n2"}), 1);
  EXPECT_THAT(err_, HasSubstr("the last active member"));
}

TEST_F(cluster_command, drain_waits_until_the_node_owns_nothing) {
  auto leaving = healthy();
  nth(leaving, 1)["status"] = "leaving";
  nth(leaving, 1)["shards_owned"] = 40;
  auto empty = leaving;
  nth(empty, 1)["shards_owned"] = 0;
  node_.on(page, {{200, json::serialize(healthy())},
                  {200, json::serialize(healthy())},
                  {200, json::serialize(leaving)},
                  {200, json::serialize(empty)}});
  node_.on(std::string{"POST /internal/v1/cluster/members/"} + n2 + "/drain",
           {200, json::serialize(json::object{
                     {"uuid", n2}, {"name", "n2"}, {"drain", true}, {"shards_owned", 85}})});
  EXPECT_EQ(run({"cluster", "drain", "n2", "--wait"}), 0) << err_;
  EXPECT_EQ(out_, "n2 owns no shard: it may be stopped\n");
  EXPECT_EQ(node_.requests().size(), 5u) << "one look for its id, one wish, three looks";

  // A member that gets no shards because it is new is not drained.
  auto fresh = healthy();
  nth(fresh, 1)["shards_owned"] = 0;
  node_.on(page, {200, json::serialize(fresh)});
  EXPECT_EQ(run({"cluster", "drain", "n2", "--wait", "--timeout", "1"}), 1);
  EXPECT_THAT(err_, HasSubstr("after 1 s"));
}

TEST_F(cluster_command, finish_upgrade_names_who_is_behind) {
  const std::string path = "POST /internal/v1/cluster/finish-upgrade";
  node_.on(path, {200, R"({"raised":true,"feature_level":2,"former_level":1})"});
  EXPECT_EQ(run({"cluster", "finish-upgrade"}), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("writes feature level 2"));
  node_.on(path, {200, R"({"raised":false,"feature_level":2})"});
  EXPECT_EQ(run({"cluster", "finish-upgrade"}), 0);
  EXPECT_THAT(out_, HasSubstr("level 2 already"));
  const json::object refusal{{"title", "Its status"}, {"detail", "behind: n3 (rahatd 0.1)"}};
  node_.on(path, {409, json::serialize(refusal), "application/problem+json"});
  EXPECT_EQ(run({"cluster", "finish-upgrade"}), 1);
  EXPECT_THAT(err_, HasSubstr("n3 (rahatd 0.1)"));
  node_.on(path, {200, "{}"});
  EXPECT_EQ(run({"cluster", "finish-upgrade"}), 1) << "no level is no success";
}

TEST(short_time, has_the_unit_that_people_would_use) {
  EXPECT_EQ(short_time(0), "0 us");
  EXPECT_EQ(short_time(312), "312 us");
  EXPECT_EQ(short_time(1'240), "1.2 ms");
  EXPECT_EQ(short_time(250'900), "250 ms");
  EXPECT_EQ(short_time(2'400'000), "2.4 s");
  EXPECT_EQ(short_time(600'000'000), "10 min");
}

} // namespace
