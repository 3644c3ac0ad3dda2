#include "gateways/ops/ops.hpp"

#include "gateways/http/router.hpp"
#include "persistence/memory/memory_store.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/json.hpp>
#include <deque>
#include <map>
#include <set>

using namespace rahat;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

namespace {

namespace json = boost::json;

class fake_auditor final : public auditor {
public:
  int asked = 0;
  int recounted = 0;
  books_report books() override {
    ++asked;
    return {};
  }
  books_report recount() override {
    ++recounted;
    return {};
  }
  verify_report verify(std::function<void(std::uint64_t)>) override {
    verify_report out;
    out.ok = true;
    return out;
  }
};

/// The routes over the twin of the store; jobs wait until the test lets them run.
class ops_pages : public testing::Test {
protected:
  ops_pages() {
    memory_options how;
    how.mode = memory_options::drive::manual;
    db = std::make_unique<memory_store>(std::make_shared<memory_database>(), how);
    open();
  }

  /// As a listener does that is started again: the former routes go, with all they hold.
  void open() {
    ops::context c;
    c.db = db.get();
    c.audit = &audit;
    c.doctor = [] { return std::vector<ops::doctor_row>{}; };
    c.release = [this](const entity_ref& entity) { released.push_back(entity.str()); };
    c.in_background = [this](auto job) { background.push_back(std::move(job)); };
    c.in_audits = [this](auto job) { audits.push_back(std::move(job)); };
    c.tokens.create = [this](const ops::token_ask& ask) -> std::variant<ops::made_token, error> {
      asks.push_back(ask);
      if (refuse_token)
        return *refuse_token;
      return ops::made_token{"0123456789abcdef", "rht_secret"};
    };
    c.tokens.list = [this](const ops::page_ask& ask) -> std::variant<ops::token_page, error> {
      pages.push_back(ask);
      return ops::token_page{{{"0123456789abcdef", "asha", "maker", 1'800'000'000'000'000, {}},
                              {"fedcba9876543210", "bina", "checker", 1, 1'800'000'000'000'000}},
                             "5.fedcba9876543210"};
    };
    c.tokens.revoke = [](const std::string& id) -> std::variant<ops::token_row, error> {
      if (id != "0123456789abcdef")
        return error{errc::not_found, "there is no token with this id", "id"};
      return ops::token_row{id, "asha", "maker", 1, 2};
    };
    routes = std::make_unique<http::router>(ops::make_routes(std::move(c)));
  }

  /// Asks; the answer may come with `run`. "" as the key sends none.
  std::shared_ptr<std::optional<http::response>> ask(const std::string& verb,
                                                     const std::string& target,
                                                     const std::string& body = "",
                                                     const std::string& role = "admin",
                                                     const std::string& key = "k") {
    http::request_head head;
    head.verb = verb;
    head.target = target;
    head.authorization = "Bearer x";
    head.has_body = !body.empty();
    head.content_type = body.empty() ? "" : "application/json";
    head.idempotency_key = key;
    head.has_idempotency_key = !key.empty();
    auto got = std::make_shared<std::optional<http::response>>();
    auto admitted = routes->admit(head, [&](std::string_view) {
      return std::optional(http::caller{"root", role});
    });
    if (admitted.refusal) {
      *got = *admitted.refusal;
      return got;
    }
    admitted.ask.body = body;
    admitted.to->handle(std::move(admitted.ask),
                        http::responder{[got](http::response r) { *got = std::move(r); }});
    return got;
  }

  static void run(std::deque<std::function<void()>>& jobs) {
    for (; !jobs.empty(); jobs.pop_front())
      jobs.front()();
  }

  /// Lets everything run that was asked.
  http::response now(const std::shared_ptr<std::optional<http::response>>& got) {
    run(background);
    run(audits);
    db->run_all();
    EXPECT_TRUE(*got) << "an answer came";
    return got->value_or(http::response{0, "", "", {}});
  }

  http::response get(const std::string& target) { return now(ask("GET", target)); }
  http::response post(const std::string& target, const std::string& body = "",
                      const std::string& key = "k") {
    return now(ask("POST", target, body, "admin", key));
  }

  static entity_ref entity(std::uint8_t number) {
    uuid id;
    id.bytes.back() = number;
    return {"batch", id};
  }

  void park(const entity_ref& who, int rows) {
    for (int n = 0; n < rows; ++n)
      db->park({0, who, "no", "message", 1, 3});
    db->run_all();
  }

  std::unique_ptr<memory_store> db;
  fake_auditor audit;
  std::deque<std::function<void()>> background;
  std::deque<std::function<void()>> audits;
  std::vector<std::string> released;
  std::vector<ops::token_ask> asks;
  std::vector<ops::page_ask> pages;
  std::optional<error> refuse_token;
  std::unique_ptr<http::router> routes;
};

// -- parked -----------------------------------------------------------------------------------

TEST_F(ops_pages, the_list_of_the_parked_goes_on_after_its_first_page) {
  park(entity(1), 1'000);
  park(entity(2), 5);
  std::set<std::int64_t> seen;
  std::string target = "/internal/v1/parked";
  std::vector<std::size_t> sizes;
  for (;;) {
    const auto page = json::parse(get(target).body);
    sizes.push_back(page.at("parked").as_array().size());
    ASSERT_LE(sizes.size(), 2u);
    for (auto& row : page.at("parked").as_array())
      seen.insert(row.at("id").as_int64());
    if (page.at("next").is_null())
      break;
    target = "/internal/v1/parked?cursor=" + std::string(page.at("next").as_string());
  }
  EXPECT_THAT(sizes, ElementsAre(1'000u, 5u));
  EXPECT_EQ(seen.size(), 1'005u);
  EXPECT_EQ(json::parse(get("/internal/v1/parked?limit=2").body).at("parked").as_array().size(),
            2u);
  for (auto query : {"limit=0", "limit=1001", "limit=x", "cursor=x", "cursor=-1"})
    EXPECT_EQ(get(std::string("/internal/v1/parked?") + query).status, 422u) << query;
}

TEST_F(ops_pages, an_entity_is_released_wherever_it_stands_in_the_list) {
  park(entity(1), 1'100);
  park(entity(2), 3);
  const auto path = "/internal/v1/parked/" + entity(2).str() + "/release";
  auto got = post(path);
  ASSERT_EQ(got.status, 200u) << got.body;
  EXPECT_EQ(json::parse(got.body).at("messages"), 3);
  EXPECT_THAT(released, ElementsAre(entity(2).str()));
  EXPECT_EQ(post(path).status, 404u);
  EXPECT_EQ(released.size(), 1u) << "nobody is told of nothing";
  EXPECT_EQ(post("/internal/v1/parked/batch/7/release").status, 422u);
}

/// The database takes its time, and the listener is started again meanwhile.
TEST_F(ops_pages, a_release_outlives_the_listener_that_was_asked) {
  park(entity(1), 2);
  auto got = ask("POST", "/internal/v1/parked/" + entity(1).str() + "/release");
  open();
  EXPECT_EQ(now(got).status, 200u);
  EXPECT_THAT(released, ElementsAre(entity(1).str()));
}

// -- books ------------------------------------------------------------------------------------

TEST_F(ops_pages, a_recount_is_made_when_it_is_asked_for_and_not_guessed_at) {
  EXPECT_EQ(get("/internal/v1/books").status, 200u);
  EXPECT_EQ(get("/internal/v1/books?recount=false").status, 200u);
  EXPECT_EQ(audit.recounted, 0);
  EXPECT_EQ(get("/internal/v1/books?recount=true").status, 200u);
  EXPECT_EQ(audit.recounted, 1);
  for (auto word : {"yes", "1", "TRUE", ""}) {
    auto got = get(std::string("/internal/v1/books?recount=") + word);
    EXPECT_EQ(got.status, 422u) << word;
    EXPECT_THAT(got.body, HasSubstr("true or false"));
  }
  EXPECT_EQ(audit.asked, 2);
}

TEST_F(ops_pages, nothing_waits_for_an_audit_but_audits) {
  for (auto path : {"/internal/v1/audit/verify", "/internal/v1/books"})
    ask("GET", path);
  EXPECT_EQ(audits.size(), 2u);
  EXPECT_THAT(background, IsEmpty());
  auto token = ask("POST", "/internal/v1/tokens", R"({"user":"asha","role":"maker"})");
  auto doctor = ask("GET", "/internal/v1/doctor");
  EXPECT_EQ(audits.size(), 2u);
  run(background);
  ASSERT_TRUE(*token && *doctor) << "while the audits have not begun";
  EXPECT_EQ((*token)->status, 201u);
  EXPECT_EQ((*doctor)->status, 200u);
}

// -- tokens -----------------------------------------------------------------------------------

TEST_F(ops_pages, a_token_is_made_under_a_key) {
  const std::string path = "/internal/v1/tokens";
  const std::string body = R"({"user":"asha","role":"maker"})";
  EXPECT_EQ(post(path, body, "").status, 400u) << "no key";
  EXPECT_THAT(asks, IsEmpty());
  auto got = post(path, body, "first");
  ASSERT_EQ(got.status, 201u) << got.body;
  EXPECT_EQ(json::parse(got.body), json::parse(R"({"id":"0123456789abcdef","user":"asha",)"
                                               R"("role":"maker","token":"rht_secret"})"));
  ASSERT_EQ(asks.size(), 1u);
  EXPECT_EQ(asks[0].asker, "root");
  EXPECT_EQ(asks[0].key, "first");
  refuse_token = error{errc::idempotency_key_reused, "used for another user", "Idempotency-Key"};
  EXPECT_EQ(post(path, body).status, 422u);
}

TEST_F(ops_pages, what_is_not_understood_makes_no_token) {
  const std::string path = "/internal/v1/tokens";
  EXPECT_EQ(post(path, "{").status, 400u);
  EXPECT_EQ(post(path, "[]").status, 400u);
  for (auto body : {R"({"role":"maker"})", R"({"user":"asha"})", R"({"user":7,"role":"maker"})",
                    R"({"user":"asha","role":"maker","days":30})"})
    EXPECT_EQ(post(path, body).status, 422u) << body;
  EXPECT_THAT(asks, IsEmpty());
}

TEST_F(ops_pages, tokens_are_listed_and_revoked) {
  const auto list = json::parse(get("/internal/v1/tokens?limit=2&cursor=7.a").body);
  ASSERT_EQ(pages.size(), 1u);
  EXPECT_EQ(pages[0].limit, 2u);
  EXPECT_EQ(pages[0].cursor, "7.a");
  ASSERT_EQ(list.at("tokens").as_array().size(), 2u);
  EXPECT_EQ(list.at("tokens").at(0).at("created_at"), "2027-01-15T08:00:00.000Z");
  EXPECT_TRUE(list.at("tokens").at(0).at("revoked_at").is_null());
  EXPECT_FALSE(list.at("tokens").at(1).at("revoked_at").is_null());
  EXPECT_EQ(list.at("next"), "5.fedcba9876543210");
  auto gone = post("/internal/v1/tokens/0123456789abcdef/revoke");
  ASSERT_EQ(gone.status, 200u) << gone.body;
  EXPECT_FALSE(json::parse(gone.body).at("revoked_at").is_null());
  EXPECT_EQ(post("/internal/v1/tokens/7/revoke").status, 404u);
}

TEST_F(ops_pages, tokens_are_for_administrators) {
  for (auto& [verb, path] : std::map<std::string, std::string>{
           {"GET", "/internal/v1/tokens"}, {"POST", "/internal/v1/tokens/1/revoke"}}) {
    auto got = ask(verb, path, "", "operator");
    ASSERT_TRUE(*got);
    EXPECT_EQ((*got)->status, 403u) << path;
  }
  EXPECT_EQ((*ask("POST", "/internal/v1/tokens", "{}", "operator"))->status, 403u);
}

} // namespace
