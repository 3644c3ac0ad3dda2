#include "apps/rahatctl/commands.hpp"
#include "apps/rahatctl/context.hpp"
#include "command_line.hpp"

#include <gmock/gmock.h>
#include <CLI/CLI.hpp>

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
  node_.on("GET /internal/v1/books",
           {200, R"({"imbalance_minor":0,"owners_checked":4,"complete":true})"});
  EXPECT_EQ(run({"books"}), 0) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("are balanced"), HasSubstr("owners_checked:  4")));
  const std::string off = R"({"imbalance_minor":-1,"owners_checked":4,"complete":true})";
  node_.on("GET /internal/v1/books", {200, off});
  EXPECT_EQ(run({"books"}), 1);
  EXPECT_THAT(out_, HasSubstr("NOT BALANCED"));
  EXPECT_EQ(run({"books", "--json"}), 1);
  EXPECT_EQ(out_, off + "\n");
  node_.on("GET /internal/v1/books", {200, R"({"owners_checked":4,"complete":true})"});
  EXPECT_EQ(run({"books"}), 1) << "an answer without an imbalance must not pass for balanced";
  node_.on("GET /internal/v1/books", {200, R"({"imbalance_minor":0})"});
  EXPECT_EQ(run({"books"}), 1) << "nor one that does not say whether it is complete";
}

/// A node far behind its journal has compared nothing yet, and says 0.
TEST_F(rahatctl, books_are_asked_for_again_until_they_are_complete) {
  const fake_node::reply behind{200, R"({"imbalance_minor":0,"complete":false})"};
  const std::string whole = R"({"imbalance_minor":0,"complete":true,"owners_checked":7})";
  node_.on("GET /internal/v1/books", {behind, behind, {200, whole}});
  EXPECT_EQ(run({"books"}), 0) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("are balanced"), HasSubstr("owners_checked:  7")));
  EXPECT_EQ(node_.requests().size(), 3u);
  node_.on("GET /internal/v1/books", {behind, {200, whole}});
  EXPECT_EQ(run({"books", "--json"}), 0);
  EXPECT_EQ(out_, whole + "\n") << "the last answer alone";

  node_.on("GET /internal/v1/books", behind);
  EXPECT_EQ(run({"books", "--timeout", "1"}), 1);
  EXPECT_THAT(err_, HasSubstr("not known yet"));
  EXPECT_THAT(out_, Not(HasSubstr("balanced")));
  node_.on("GET /internal/v1/books",
           {behind, {503, R"({"title":"No","detail":"the database is away"})"}});
  EXPECT_EQ(run({"books"}), 1);
  EXPECT_THAT(err_, HasSubstr("the database is away"));
}

TEST_F(rahatctl, books_are_counted_anew_on_demand) {
  node_.on("GET /internal/v1/books?recount=true",
           {200, R"({"imbalance_minor":0,"complete":true,"transfers":9})"});
  EXPECT_EQ(run({"books", "--recount"}), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("counted anew: the books are balanced"));
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

TEST_F(rahatctl, tokens_are_listed_and_revoked) {
  const std::string row = R"({"id":"3f9a","user":"asha","role":"maker","revoked_at":null})";
  node_.on("GET /internal/v1/tokens", {200, R"({"tokens":[)" + row + R"(],"next":"c"})"});
  node_.on("GET /internal/v1/tokens?cursor=c", {200, R"({"tokens":[],"next":null})"});
  EXPECT_EQ(run({"token", "list"}), 0) << err_;
  EXPECT_THAT(out_, AllOf(HasSubstr("3f9a  asha  maker"), HasSubstr("revoked_at")));
  EXPECT_EQ(run({"token", "list", "--json"}), 0);
  EXPECT_EQ(out_, R"({"tokens":[)" + row + "]}\n");

  node_.on("POST /internal/v1/tokens/3f9a/revoke", {200, R"({"id":"3f9a","user":"asha"})"});
  EXPECT_EQ(run({"token", "revoke", "3f9a"}), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("3f9a of asha is revoked"));
  for (auto bad : {"", "3f9a/x", "../x", "asha"})
    EXPECT_EQ(run({"token", "revoke", bad}), 2) << bad;
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

TEST_F(rahatctl, parked_entities_are_listed_over_all_pages) {
  node_.on("GET /internal/v1/parked", {200, R"({"parked":[{"entity":"batch/1"}],"next":"1 &/7"})"});
  node_.on("GET /internal/v1/parked?cursor=1%20%26%2F7",
           {200, R"({"parked":[{"entity":"batch/2"}],"next":9})"});
  node_.on("GET /internal/v1/parked?cursor=9",
           {200, R"({"parked":[{"entity":"batch/3"}],"next":null})"});
  EXPECT_EQ(run({"parked", "list"}), 0) << err_;
  EXPECT_EQ(out_, "entity\nbatch/1\nbatch/2\nbatch/3\n");
  EXPECT_EQ(run({"parked", "list", "--json"}), 0);
  EXPECT_EQ(out_, R"({"parked":[{"entity":"batch/1"},{"entity":"batch/2"},{"entity":"batch/3"}]})"
                  "\n");
  node_.on("GET /internal/v1/parked?cursor=9", {200, R"({"parked":[],"next":9})"});
  EXPECT_EQ(run({"parked", "list"}), 1) << "it would never end";
  EXPECT_THAT(err_, HasSubstr("leads back"));
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
  std::vector<std::vector<std::string>> calls;
  std::vector<std::string> words;
  std::function<void(const CLI::App*)> walk = [&](const CLI::App* app) {
    calls.push_back(words);
    for (auto* command : app->get_subcommands([](const CLI::App*) { return true; })) {
      words.push_back(command->get_name());
      walk(command);
      words.pop_back();
    }
  };
  std::ostringstream unused;
  context ctx{env_, unused, unused};
  CLI::App app;
  add_all(app, ctx);
  walk(&app);
  EXPECT_GE(calls.size(), 20u);
  for (auto call : calls) {
    auto name = testing::PrintToString(call);
    call.push_back("--help");
    EXPECT_EQ(run(call), 0) << name;
    EXPECT_THAT(out_, HasSubstr("Examples:")) << name;
  }
  EXPECT_EQ(run({"--help"}), 0);
  EXPECT_THAT(out_, AllOf(HasSubstr("--internal-url"), HasSubstr("Exit codes"), HasSubstr("130")));
  EXPECT_THAT(node_.requests(), IsEmpty());
}

TEST_F(rahatctl, a_demo_of_no_household_is_told_what_to_do) {
  for (auto lines : {"0", "1000001", "many", "5x"}) {
    EXPECT_EQ(run({"demo", "--rahatd", "r", "--examples", "e", "--lines", lines}), 2) << lines;
    EXPECT_THAT(err_, AllOf(HasSubstr("--lines"), HasSubstr("1 to 1000000"))) << lines;
  }
  EXPECT_EQ(run({"demo", "--rahatd", "r", "--examples", "/does/not/exist"}), 1);
  EXPECT_THAT(err_, HasSubstr("cannot read /does/not/exist"));
}

TEST_F(rahatctl, wrong_usage_is_two) {
  EXPECT_EQ(run({}), 2);
  EXPECT_EQ(run({"dance"}), 2);
  EXPECT_EQ(run({"health", "--loud"}), 2);
  EXPECT_THAT(err_, Not(IsEmpty()));
  EXPECT_THAT(node_.requests(), IsEmpty());
}

} // namespace
