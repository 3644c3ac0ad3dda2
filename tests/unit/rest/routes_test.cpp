#include "actors/project/project.pb.h"
#include "actors/vendor/vendor.pb.h"
#include "fakes.hpp"
#include "gateways/rest/view_fields.hpp"
#include "runtime/decider/account.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace rahat;
using namespace rahat::test;
using testing::HasSubstr;

namespace {

const std::string project = "/v2/projects/" + id_of("project").str();
const std::string good_project = R"({"name":"Winter cash","currency":"NPR"})";

class routes : public testing::Test {
protected:
  rest_test_bed bed;

  template <class Command>
  Command last() {
    Command c;
    EXPECT_FALSE(bed.entities.asked.empty());
    EXPECT_TRUE(c.ParseFromString(bed.entities.asked.back().command));
    return c;
  }
};

TEST_F(routes, a_create_names_where_the_new_thing_is) {
  auto r = bed.post("/v2/projects", R"({"name":"Winter cash","currency":"NPR","type":"cash",
      "starts_on":"2026-12-01","ends_on":"2027-02-28","description":"x"})",
                    "maker");
  ASSERT_EQ(r.status, 201u) << r.body;
  auto& ask = bed.entities.asked.at(0);
  EXPECT_EQ(ask.target, (entity_ref{"project", created_id("project", ask.id)}));
  EXPECT_EQ(ask.id, request_id_of("asha", "POST", "/v2/projects", "key-1"));
  EXPECT_EQ(ask.who.user, "asha");
  EXPECT_EQ(ask.who.role, "maker");
  EXPECT_EQ(header(r, "Location"), "/v2/projects/" + ask.target.id.str());
  EXPECT_EQ(header(r, "ETag"), "\"3\"");
  EXPECT_EQ(header(r, "Rahat-Shard"), "17");
  EXPECT_EQ(header(r, "Rahat-Position"), "99");
  auto create = last<pb::ProjectCommand>().create();
  EXPECT_EQ(create.name(), "Winter cash");
  EXPECT_EQ(create.currency(), "NPR");
  EXPECT_EQ(create.type(), "cash");
  EXPECT_EQ(create.starts_on(), "2026-12-01");
}

TEST_F(routes, bad_project_bodies_name_the_field_and_reach_no_entity) {
  struct row {
    std::string body;
    std::string field;
  };
  for (auto& [body, field] : std::vector<row>{
           {R"({"currency":"NPR"})", "name"},
           {R"({"name":7,"currency":"NPR"})", "name"},
           {R"({"name":"","currency":"NPR"})", "name"},
           {R"({"name":"a\u0000b","currency":"NPR"})", "name"},
           {R"({"name":"x","currency":"npr"})", "currency"},
           {R"({"name":"x","currency":"NPRX"})", "currency"},
           {R"({"name":"x"})", "currency"},
           {R"({"name":"x","currency":"NPR","starts_on":"2026-02-30"})", "starts_on"},
           {R"({"name":"x","currency":"NPR","ends_on":"tomorrow"})", "ends_on"},
           {R"({"name":"x","currency":"NPR","budget":1})", "budget"},
       }) {
    auto r = bed.post("/v2/projects", body, "maker");
    EXPECT_EQ(r.status, 422u) << body << " -> " << r.body;
    EXPECT_EQ(problem_field(r), field) << body;
  }
  for (auto& body : {"{", "[]", "\"x\"", "{\"name\":\"\xff\",\"currency\":\"NPR\"}"}) {
    auto r = bed.post("/v2/projects", body, "maker");
    EXPECT_TRUE(r.status == 400 || r.status == 422) << body << " -> " << r.body;
  }
  EXPECT_TRUE(bed.entities.asked.empty());
}

TEST_F(routes, amounts_have_to_be_positive_integers) {
  for (auto& amount : {"-1", "0", "1.5", "1e3", "99999999999999999999", "\"5\"", "null", "true"}) {
    auto r = bed.post(
        project + "/fundings",
        R"({"amount_minor":)" + std::string(amount) + R"(,"currency":"NPR","reference":"donor 1"})",
        "maker");
    EXPECT_EQ(r.status, 422u) << amount << " -> " << r.body;
    EXPECT_EQ(problem_field(r), "amount_minor") << amount;
  }
  EXPECT_TRUE(bed.entities.asked.empty());
  auto r = bed.post(project + "/fundings",
                    R"({"amount_minor":150000,"currency":"NPR","reference":"donor 1"})", "maker");
  EXPECT_EQ(r.status, 200u) << "the status is the decider's";
  EXPECT_EQ(last<pb::ProjectCommand>().fund().amount_minor(), 150'000);
}

TEST_F(routes, verbs_go_to_the_entity_that_the_path_names) {
  for (auto& [verb, expected] :
       std::vector<std::pair<std::string, pb::ProjectCommand::CommandCase>>{
           {"activate", pb::ProjectCommand::kActivate},
           {"suspend", pb::ProjectCommand::kSuspend},
           {"close", pb::ProjectCommand::kClose}}) {
    auto r = bed.post(project + "/" + verb, "");
    EXPECT_EQ(r.status, 200u) << r.body;
    EXPECT_EQ(bed.entities.asked.back().target, (entity_ref{"project", id_of("project")}));
    EXPECT_EQ(last<pb::ProjectCommand>().command_case(), expected);
  }
  bed.post(project + "/suspend", "");
  EXPECT_FALSE(last<pb::ProjectCommand>().suspend().reason().empty()) << "deciders want one";
  bed.post(project + "/suspend", R"({"reason":"flood"})");
  EXPECT_EQ(last<pb::ProjectCommand>().suspend().reason(), "flood");
}

/// The versions of 1 to 9 that a precondition which travelled holds for; "-" when none travelled.
std::string holds_for(const std::optional<version_list>& list) {
  if (!list)
    return "-";
  EXPECT_FALSE(list->holds(0)) << "nothing has no version";
  std::string out;
  for (std::uint64_t version = 1; version <= 9; ++version)
    if (list->holds(version))
      out += std::to_string(version);
  return out;
}

struct precondition_row {
  const char* header;
  const char* strong; // If-Match
  const char* weak;   // If-None-Match
};

/// RFC 9110 8.8.3.2, 13.1.1, 13.1.2.
constexpr precondition_row preconditions[] = {
    {"", "-", "-"},
    {R"("7")", "7", "7"},
    {R"(W/"7")", "", "7"},
    {R"("6", W/"7" ,"8")", "68", "678"},
    {"*", "123456789", "123456789"},
    {",", "", ""},
    {R"("")", "", ""},
    {R"("x", "-1", "7x")", "", ""},
    {R"("07", "+7")", "", ""},
    {R"("99999999999999999999")", "", ""},
    {R"("0")", "", ""},
    {R"("*")", "", ""},
};

TEST_F(routes, preconditions_travel_with_the_command) {
  for (auto& row : preconditions) {
    rest_test_bed::call c{"POST", project + "/activate"};
    c.if_match = row.header;
    EXPECT_EQ(bed.send(c).status, 200u) << row.header;
    EXPECT_EQ(holds_for(bed.entities.asked.back().if_match), row.strong) << row.header;
    std::swap(c.if_match, c.if_none_match);
    EXPECT_EQ(bed.send(c).status, 200u) << row.header;
    EXPECT_EQ(holds_for(bed.entities.asked.back().if_match), "-") << row.header;
    EXPECT_EQ(holds_for(bed.entities.asked.back().if_none_match), row.weak) << row.header;
  }
}

TEST_F(routes, preconditions_that_cannot_be_read_are_a_400_everywhere) {
  auto upload = project + "/uploads";
  for (std::string bad : {"7", "\"7", "\"7\" \"8\"", "*, \"7\"", "w/\"7\"", "\" 7\""})
    for (auto& [verb, path] :
         std::vector<std::pair<std::string, std::string>>{{"POST", "/v2/projects"},
                                                          {"POST", project + "/activate"},
                                                          {"POST", upload},
                                                          {"POST", "/v2/redemptions"},
                                                          {"GET", project}}) {
      rest_test_bed::call c{verb, path};
      c.if_match = bad;
      auto r = path == upload ? bed.stream(c) : bed.send(c);
      EXPECT_EQ(r.status, 400u) << path << ' ' << bad;
      EXPECT_EQ(problem_code(r), "bad_request") << path << ' ' << bad;
      EXPECT_EQ(problem_field(r), "If-Match") << path << ' ' << bad;
    }
  EXPECT_TRUE(bed.entities.asked.empty());
}

/// Whatever If-Match names, there is nothing yet; the entity says so, after it has looked whether
/// the request is a repeated one.
TEST_F(routes, nothing_that_is_about_to_be_made_has_a_version) {
  auto batch = id_of("batch");
  const std::string purchase = R"({"batch_id":")" + batch.str() + R"(","member_id":")" +
                               wallet_of(batch, 0).str() + R"(","vendor_id":")" + id_of("v").str() +
                               R"(","amount_minor":5,"currency":"NPR","code":"123456"})";
  for (std::string tag : {"*", "\"1\"", "\"7\", \"8\""})
    for (auto& [path, body] : std::vector<std::pair<std::string, std::string>>{
             {"/v2/projects", good_project}, {"/v2/redemptions", purchase}}) {
      rest_test_bed::call c{"POST", path, body};
      c.if_match = tag;
      ASSERT_EQ(bed.send(c).status, 201u) << path;
      EXPECT_EQ(holds_for(bed.entities.asked.back().if_match), "") << path << tag;
      std::swap(c.if_match, c.if_none_match); // holds by itself
      ASSERT_EQ(bed.send(c).status, 201u) << path;
      EXPECT_EQ(holds_for(bed.entities.asked.back().if_match), "-");
      EXPECT_EQ(holds_for(bed.entities.asked.back().if_none_match), "-");
    }
}

TEST_F(routes, the_payload_hash_covers_what_was_said) {
  auto hash = [&](const std::string& body) {
    bed.post("/v2/projects", body, "maker");
    return bed.entities.asked.back().payload_hash;
  };
  EXPECT_EQ(hash(good_project), hash(good_project));
  EXPECT_NE(hash(good_project), hash(R"({"name":"Winter cast","currency":"NPR"})"));
  EXPECT_EQ(bed.entities.asked[0].id, bed.entities.asked[2].id) << "one key, one request id";
}

TEST_F(routes, refusals_become_problems) {
  bed.entities.decide = [](const rahat::request&) -> fake_entities::outcome {
    return error{errc::wrong_status, "only a draft can be activated", {}};
  };
  auto r = bed.post(project + "/activate", "");
  EXPECT_EQ(r.status, 409u);
  EXPECT_EQ(problem_code(r), "wrong_status");
  EXPECT_THAT(r.body, HasSubstr("only a draft can be activated"));
  // A stored refusal of a retried request looks the same.
  bed.entities.decide = [](const rahat::request&) -> fake_entities::outcome {
    wire::Reply reply;
    reply.set_error(static_cast<std::uint32_t>(errc::wrong_status));
    reply.set_message("only a draft can be activated");
    return reply;
  };
  EXPECT_EQ(bed.post(project + "/activate", "").body, r.body);
}

TEST_F(routes, reads_have_an_etag) {
  bed.entities.show({"project", id_of("project")}, R"({"id":"x","version":7})", 7);
  auto r = bed.get(project);
  EXPECT_EQ(r.status, 200u);
  EXPECT_EQ(r.body, R"({"id":"x","version":7})");
  EXPECT_EQ(header(r, "ETag"), "\"7\"");
  auto again = [&](const std::string& tag) {
    rest_test_bed::call c{"GET", project};
    c.if_none_match = tag;
    return bed.send(c);
  };
  for (auto& tag : {"\"7\"", "W/\"7\"", "\"3\", \"7\"", "W/\"3\",W/\"7\"", ",\"7\"", "*"}) {
    auto same = again(tag);
    EXPECT_EQ(same.status, 304u) << tag;
    EXPECT_EQ(same.body, "");
    EXPECT_EQ(header(same, "ETag"), "\"7\"");
  }
  for (auto& tag : {"\"6\"", "", "\"77\"", "\"07\"", "\"3\", \"8\"", ",", "\"*\"", "\"a,7\""})
    EXPECT_EQ(again(tag).status, 200u) << tag;
  EXPECT_EQ(again("7").status, 400u);
}

TEST_F(routes, reads_keep_to_if_match_too) {
  bed.entities.show({"project", id_of("project")}, R"({"id":"x","version":7})", 7);
  for (auto& [tag, status] : std::vector<std::pair<std::string, unsigned>>{
           {"\"7\"", 200}, {"\"6\",\"7\"", 200}, {"*", 200}, {"W/\"7\"", 412}, {"\"6\"", 412}}) {
    rest_test_bed::call c{"GET", project};
    c.if_match = tag;
    EXPECT_EQ(bed.send(c).status, status) << tag;
    c.target = "/v2/projects/" + id_of("nobody").str();
    EXPECT_EQ(bed.send(c).status, 404u) << tag;
  }
}

TEST_F(routes, unknown_ids_are_404_everywhere) {
  auto nobody = id_of("nobody").str();
  for (auto kind : {"projects", "uploads", "batches", "disbursements", "vendors", "redemptions",
                    "settlements"}) {
    for (auto& id : {nobody, std::string("42"), std::string("%20"), std::string(36, '-')}) {
      auto r = bed.get("/v2/" + std::string(kind) + "/" + id);
      EXPECT_EQ(r.status, 404u) << kind << "/" << id;
      EXPECT_EQ(problem_code(r), "not_found");
    }
  }
  for (auto path : {"/v2/projects/42/accounts", "/v2/batches/42/members", "/v2/uploads/42/errors",
                    "/v2/disbursements/42/lines", "/v2/settlements/42/statement"})
    EXPECT_EQ(bed.get(path).status, 404u) << path;
  EXPECT_EQ(bed.post("/v2/projects/42/activate", "").status, 404u);
  EXPECT_TRUE(bed.entities.asked.empty());
}

TEST_F(routes, failing_reads_say_that_they_may_be_retried) {
  bed.entities.look_error = error{errc::overloaded, "busy", {}};
  EXPECT_EQ(bed.get(project).status, 503u);
  EXPECT_EQ(bed.get(project + "/accounts").status, 503u);
  bed.queries.failure = error{errc::overloaded, "busy", {}};
  auto r = bed.get("/v2/projects");
  EXPECT_EQ(r.status, 503u);
  EXPECT_NE(header(r, "Retry-After"), "");
}

TEST_F(routes, accounts_come_from_the_view) {
  pb::ProjectState s;
  bed.entities.show({"project", id_of("project")},
                    R"({"currency":"NPR","outside_account_id":"o","outside_minor":-5,)"
                    R"("budget_account_id":"b","budget_minor":5})");
  EXPECT_EQ(bed.get(project + "/accounts").body,
            R"({"items":[{"id":"o","role":"outside","currency":"NPR","balance_minor":-5},)"
            R"({"id":"b","role":"budget","currency":"NPR","balance_minor":5}],"next":null})");
}

TEST_F(routes, lists_pass_filters_and_pages_on) {
  bed.queries.on_list = [](const list_query&) { return page{{"{\"id\":1}", "{\"id\":2}"}, "n=1"}; };
  auto p = id_of("p").str();
  auto v = id_of("v").str();
  auto r = bed.get("/v2/settlements?project=" + p + "&vendor=" + v +
                   "&status=requested&limit=2&cursor=abc");
  ASSERT_EQ(r.status, 200u) << r.body;
  EXPECT_EQ(r.body, R"({"items":[{"id":1},{"id":2}],"next":"n=1"})");
  auto& q = bed.queries.listed.at(0);
  EXPECT_EQ(q.kind, "settlement");
  EXPECT_EQ(q.project, id_of("p"));
  EXPECT_EQ(q.parent, id_of("v"));
  EXPECT_EQ(q.status, "requested");
  EXPECT_EQ(q.limit, 2u);
  EXPECT_EQ(q.cursor, "abc");
  EXPECT_TRUE(q.newest_first);
  bed.queries.on_list = nullptr;
  EXPECT_EQ(bed.get("/v2/vendors").body, R"({"items":[],"next":null})");
  EXPECT_EQ(bed.queries.listed.back().limit, 50u);
  EXPECT_EQ(bed.queries.listed.back().kind, "vendor");
}

TEST_F(routes, bad_list_queries_name_the_parameter) {
  for (auto& [query, field] : std::vector<std::pair<std::string, std::string>>{
           {"limit=0", "limit"},
           {"limit=201", "limit"},
           {"limit=-1", "limit"},
           {"limit=", "limit"},
           {"limit=1x", "limit"},
           {"project=7", "project"},
           {"vendor=x", "vendor"},
           {"status=gone", "status"},
           {"cursor=" + std::string(600, 'a'), "cursor"}}) {
    auto r = bed.get("/v2/settlements?" + query);
    EXPECT_EQ(r.status, 422u) << query;
    EXPECT_EQ(problem_field(r), field) << query;
  }
  EXPECT_EQ(bed.get("/v2/settlements?colour=red").status, 400u);
  EXPECT_TRUE(bed.queries.listed.empty());
}

TEST_F(routes, roles) {
  auto d = "/v2/disbursements/" + id_of("d").str();
  auto v = "/v2/vendors/" + id_of("v").str();
  auto s = "/v2/settlements/" + id_of("s").str();
  auto b = "/v2/batches/" + id_of("b").str();
  struct row {
    std::string path;
    std::string may; // initials of maker, checker, operator, reader
  };
  for (auto& [path, may] : std::vector<row>{
           {"/v2/projects", "m"},
           {project + "/activate", "mco"},
           {project + "/suspend", "co"},
           {project + "/close", "c"},
           {project + "/fundings", "m"},
           {project + "/uploads", "m"},
           {b + "/freeze", "co"},
           {b + "/thaw", "co"},
           {b + "/members/x/codes", "mo"},
           {"/v2/disbursements", "m"},
           {d + "/lock", "m"},
           {d + "/approve", "c"},
           {d + "/reject", "c"},
           {d + "/pay", "m"},
           {d + "/pause", "mco"},
           {d + "/resume", "mco"},
           {d + "/cancel", "mco"},
           {"/v2/vendors", "m"},
           {v + "/verify", "c"},
           {v + "/suspend", "co"},
           {v + "/reactivate", "c"},
           {"/v2/redemptions", "mo"},
           {"/v2/settlements", "m"},
           {s + "/request", "m"},
           {s + "/approve", "c"},
           {s + "/pay", "m"},
           {s + "/withdraw", "mc"},
       }) {
    for (std::string role : {"maker", "checker", "operator", "reader", "admin"}) {
      rest_test_bed::call c{"POST", path, "", role};
      auto is_stream = path.ends_with("/uploads");
      auto r = is_stream ? bed.stream(c) : bed.send(c);
      auto allowed = role == "admin" || may.find(role[0]) != std::string::npos;
      EXPECT_EQ(r.status != 403, allowed) << role << " " << path << " -> " << r.body;
    }
  }
}

TEST_F(routes, vendors_are_registered_and_led_through_their_states) {
  auto r = bed.post("/v2/vendors", R"({"name":"Rai Store","location":"Ilam","external_ref":"V-1"})",
                    "maker");
  EXPECT_EQ(r.status, 201u);
  EXPECT_EQ(last<pb::VendorCommand>().register_().name(), "Rai Store");
  auto v = "/v2/vendors/" + id_of("v").str();
  bed.post(v + "/verify", "", "checker");
  EXPECT_TRUE(last<pb::VendorCommand>().has_verify());
  bed.post(v + "/suspend", R"({"reason":"prices"})", "checker");
  EXPECT_EQ(last<pb::VendorCommand>().suspend().reason(), "prices");
  bed.post(v + "/reactivate", "", "checker");
  EXPECT_TRUE(last<pb::VendorCommand>().has_reactivate());
}

TEST_F(routes, a_dropped_callback_still_answers) {
  bed.entities.hold = true;
  std::optional<http::response> answer;
  {
    http::request_head head;
    head.verb = "POST";
    head.target = "/v2/projects";
    head.authorization = "Bearer x";
    head.content_type = "application/json";
    head.has_body = true;
    head.idempotency_key = "k";
    head.has_idempotency_key = true;
    auto admitted = bed.routes().admit(head, [](std::string_view) {
      return std::optional(http::caller{"asha", "maker"});
    });
    ASSERT_FALSE(admitted.refusal);
    admitted.ask.body = good_project;
    admitted.to->handle(std::move(admitted.ask),
                        http::responder([&](http::response r) { answer = std::move(r); }));
  }
  EXPECT_FALSE(answer);
  bed.entities.held.clear();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 503u);
}

} // namespace
