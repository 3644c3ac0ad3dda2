#include "command_line.hpp"

#include <gmock/gmock.h>

using namespace rahat::ctl;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

namespace {

class rahatctl : public command_line {};

TEST_F(rahatctl, health_says_whether_the_node_is_ready) {
  node_.on("GET /health", {200, "{\"status\":\"ok\"}"});
  node_.on("GET /readiness", {200, "{\"postgres\":\"ok\"}"});
  std::filesystem::remove(data_ / "admin.token"); // neither asks for one
  EXPECT_EQ(run({"health"}), 0) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("alive, ready"), HasSubstr("postgres: ok")));

  node_.on("GET /readiness", {503, "{\"postgres\":\"away\"}"});
  EXPECT_EQ(run({"health"}), 1);
  EXPECT_THAT(out_, AllOf(HasSubstr("alive, not ready"), HasSubstr("postgres: away")));
  EXPECT_EQ(run({"health", "--json"}), 1);
  EXPECT_EQ(out_, "{\"health\":{\"status\":\"ok\"},\"readiness\":{\"postgres\":\"away\"}}\n");
}

TEST_F(rahatctl, audit_verify_names_the_first_bad_row) {
  node_.on("GET /internal/v1/audit/verify", {200, R"({"ok":true,"rows":12,"first_bad":null})"});
  EXPECT_EQ(run({"audit", "verify"}), 0) << err_;
  EXPECT_EQ(out_, "the audit chain is valid: 12 rows\n");
  EXPECT_THAT(node_.requests().back().head, HasSubstr("Authorization: Bearer the-token"));

  node_.on("GET /internal/v1/audit/verify",
           {200,
            "{\"rows\":5}\n"
            R"({"ok":false,"rows":12,"first_bad":{"shard":3,"position":9}})"});
  EXPECT_EQ(run({"audit", "verify"}), 1);
  EXPECT_THAT(out_, AllOf(HasSubstr("BROKEN"), HasSubstr("shard:"), HasSubstr("9")));
  node_.on("GET /internal/v1/audit/verify", {200, "{}"});
  EXPECT_EQ(run({"audit", "verify"}), 1);
  EXPECT_THAT(err_, HasSubstr("no verdict"));
}

TEST_F(rahatctl, books_fail_unless_the_imbalance_is_zero) {
  node_.on("GET /internal/v1/books", {200, R"({"imbalance_minor":0,"owners_checked":4})"});
  EXPECT_EQ(run({"books"}), 0) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("are balanced"), HasSubstr("owners_checked:  4")));
  node_.on("GET /internal/v1/books", {200, R"({"imbalance_minor":-1,"owners_checked":4})"});
  EXPECT_EQ(run({"books"}), 1);
  EXPECT_THAT(out_, HasSubstr("NOT BALANCED"));
  EXPECT_EQ(run({"books", "--json"}), 1);
  EXPECT_EQ(out_, "{\"imbalance_minor\":-1,\"owners_checked\":4}\n");
  node_.on("GET /internal/v1/books", {200, R"({"owners_checked":4})"});
  EXPECT_EQ(run({"books"}), 1) << "an answer without an imbalance must not pass for balanced";
}

TEST_F(rahatctl, a_new_token_alone_goes_to_standard_output) {
  node_.on("POST /internal/v1/tokens", {201, R"({"token":"abc"})"});
  EXPECT_EQ(run({"token", "create", "--user", "asha", "--role", "maker"}), 0) << err_;
  EXPECT_EQ(out_, "abc\n");
  EXPECT_EQ(node_.requests().back().body, R"({"user":"asha","role":"maker"})");
  EXPECT_EQ(run({"token", "create", "--user", "asha", "--role", "king"}), 2);
  EXPECT_EQ(run({"token", "create", "--user", "", "--role", "maker"}), 2);
  EXPECT_EQ(run({"token", "create", "--role", "maker"}), 2);
}

TEST_F(rahatctl, actors_are_a_table) {
  node_.on("GET /internal/v1/actors", {200, R"({"actors":[{"path":"root","restarts":0}]})"});
  EXPECT_EQ(run({"actors"}), 0) << err_;
  EXPECT_EQ(out_, "path  restarts\nroot  0\n");
}

TEST_F(rahatctl, parked_entities_are_listed_and_released) {
  node_.on("GET /internal/v1/parked", {200, R"({"parked":[]})"});
  EXPECT_EQ(run({"parked", "list"}), 0) << err_;
  EXPECT_EQ(out_, "nothing is parked\n");
  node_.on("GET /internal/v1/parked", {200, R"({"parked":[{"entity":"batch/1","error":"e"}]})"});
  EXPECT_EQ(run({"parked", "list"}), 0);
  EXPECT_THAT(out_, HasSubstr("batch/1  e"));
  node_.on("POST /internal/v1/parked/batch/1/release", {200, "{}"});
  EXPECT_EQ(run({"parked", "release", "batch/1"}), 0) << err_;
  for (auto bad : {"batch", "batch/", "/1", "a/b/c", "a/b?x", "../../x"})
    EXPECT_EQ(run({"parked", "release", bad}), 2) << bad;
}

TEST_F(rahatctl, doctor_fails_when_a_check_does) {
  node_.on("GET /internal/v1/doctor",
           {200, R"({"ok":false,"checks":[{"name":"fsync","ok":false,"detail":"it is off"},
                     {"name":"lease","ok":true}]})"});
  EXPECT_EQ(run({"doctor"}), 1);
  EXPECT_EQ(out_, "PROBLEM  fsync: it is off\nok       lease\n");
}

TEST_F(rahatctl, problems_are_told_by_their_sentence) {
  node_.on("GET /internal/v1/actors",
           {403, R"({"title":"Forbidden","detail":"ask an admin"})", "application/problem+json"});
  EXPECT_EQ(run({"actors"}), 1);
  EXPECT_EQ(err_, "rahatctl: Forbidden: ask an admin\n");
  node_.on("GET /internal/v1/actors", {200, "<html>", "text/html"});
  EXPECT_EQ(run({"actors"}), 1);
  EXPECT_THAT(err_, HasSubstr("not JSON"));
}

TEST_F(rahatctl, the_token_is_looked_for_in_order) {
  node_.on("GET /internal/v1/actors", {200, R"({"actors":[]})"});
  auto sent = [&] { return node_.requests().back().head; };
  env_["RAHAT_TOKEN"] = "from-env";
  EXPECT_EQ(run({"actors"}), 0);
  EXPECT_THAT(sent(), HasSubstr("Bearer from-env"));
  EXPECT_EQ(run({"actors", "--token-file", (data_ / "admin.token").string()}), 0);
  EXPECT_THAT(sent(), HasSubstr("Bearer the-token"));
  EXPECT_EQ(run({"--token", "given", "actors"}), 0);
  EXPECT_THAT(sent(), HasSubstr("Bearer given"));
  env_.erase("RAHAT_TOKEN");
  EXPECT_EQ(run({"actors", "--data", "/does/not/exist"}), 1);
  EXPECT_THAT(err_, AllOf(HasSubstr("/does/not/exist/admin.token"), HasSubstr("--token-file")));
}

TEST_F(rahatctl, every_command_explains_itself_with_examples) {
  for (std::vector<std::string> words : {std::vector<std::string>{"health"},
                                         {"token", "create"},
                                         {"audit", "verify"},
                                         {"books"},
                                         {"actors"},
                                         {"parked", "list"},
                                         {"parked", "release"},
                                         {"doctor"},
                                         {"cluster", "status"},
                                         {"cluster", "drain"},
                                         {"cluster", "finish-upgrade"}}) {
    auto name = testing::PrintToString(words);
    auto call = words;
    call.push_back("--help");
    EXPECT_EQ(run(call), 0) << name;
    EXPECT_THAT(out_, HasSubstr("Examples:")) << name;
  }
  EXPECT_EQ(run({"--help"}), 0);
  EXPECT_THAT(out_, AllOf(HasSubstr("--internal-url"), HasSubstr("Exit codes")));
  EXPECT_THAT(node_.requests(), IsEmpty());
}

TEST_F(rahatctl, wrong_usage_is_two) {
  EXPECT_EQ(run({}), 2);
  EXPECT_EQ(run({"dance"}), 2);
  EXPECT_EQ(run({"health", "--loud"}), 2);
  EXPECT_THAT(err_, Not(IsEmpty()));
  EXPECT_THAT(node_.requests(), IsEmpty());
}

} // namespace
