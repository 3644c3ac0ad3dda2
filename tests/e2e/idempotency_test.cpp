#include "tests/e2e/running_node.hpp"

#include <future>

namespace rahat::test {
namespace {

class idempotency : public running_node {
protected:
  static std::int64_t budget(const std::string& project) {
    return number(staff().maker.get("/v2/projects/" + project), "budget_minor");
  }
  static json::value funding(std::int64_t amount_minor) {
    return {{"amount_minor", amount_minor}, {"currency", "NPR"}, {"reference", "D-1"}};
  }
};

TEST_F(idempotency, the_same_request_is_answered_the_same_and_done_once) {
  const auto project = staff().active_project();
  const auto path = "/v2/projects/" + project + "/fundings";
  const auto key = fresh_key();
  auto first = staff().maker.try_post(path, funding(500), key);
  auto again = staff().maker.try_post(path, funding(500), key);
  EXPECT_EQ(first.status, 201U) << first.body;
  EXPECT_EQ(again.status, first.status);
  EXPECT_EQ(again.body, first.body);
  EXPECT_EQ(again.header("ETag"), first.header("ETag"));
  EXPECT_FALSE(first.header("Rahat-Position").empty());
  EXPECT_EQ(again.header("Rahat-Position"), first.header("Rahat-Position"));
  EXPECT_EQ(budget(project), 500);
}

TEST_F(idempotency, another_content_under_a_used_key_is_refused) {
  const auto project = staff().active_project();
  const auto path = "/v2/projects/" + project + "/fundings";
  const auto key = fresh_key();
  ASSERT_TRUE(staff().maker.try_post(path, funding(500), key).ok());
  expect_problem(staff().maker.try_post(path, funding(501), key), 422, "idempotency_key_reused",
                 "another amount");
  EXPECT_EQ(budget(project), 500);
}

TEST_F(idempotency, a_created_thing_is_one_thing) {
  const auto key = fresh_key();
  const json::value ask{{"name", "Once"}, {"type", "cash"}, {"currency", "NPR"}};
  auto first = staff().maker.try_post("/v2/projects", ask, key);
  auto again = staff().maker.try_post("/v2/projects", ask, key);
  EXPECT_EQ(again.body, first.body);
  EXPECT_EQ(again.header("Location"), first.header("Location"));
  // Keys belong to a user: somebody else's is another request.
  user other{node(), office::token_for(node(), "gita", "maker")};
  EXPECT_NE(text(parse(other.try_post("/v2/projects", ask, key)), "id"), text(parse(first), "id"));
}

TEST_F(idempotency, copies_that_race_have_one_effect) {
  const auto project = staff().active_project();
  const auto path = "/v2/projects/" + project + "/fundings";
  const auto key = fresh_key();
  std::vector<std::future<http_reply>> copies;
  for (int i = 0; i < 8; ++i)
    copies.push_back(std::async(std::launch::async,
                                [&] { return staff().maker.try_post(path, funding(300), key); }));
  int done = 0;
  for (auto& copy : copies) {
    auto reply = copy.get();
    done += reply.status == 201 ? 1 : 0;
    if (reply.status != 201)
      expect_problem(reply, 409, "idempotency_key_in_flight", "a copy");
  }
  EXPECT_GE(done, 1);
  EXPECT_EQ(budget(project), 300);
}

TEST_F(idempotency, answers_outlive_a_kill_of_the_node) {
  const auto project = staff().active_project();
  const auto path = "/v2/projects/" + project + "/fundings";
  const auto key = fresh_key();
  auto first = staff().maker.try_post(path, funding(700), key);
  ASSERT_EQ(first.status, 201U);
  node().kill_hard();
  node().start();
  auto again = staff().maker.try_post(path, funding(700), key);
  EXPECT_EQ(again.status, 201U) << again.body;
  EXPECT_EQ(again.body, first.body);
  expect_problem(staff().maker.try_post(path, funding(701), key), 422, "idempotency_key_reused",
                 "after a restart");
  EXPECT_EQ(budget(project), 700);
}

TEST_F(idempotency, a_file_sent_again_is_the_same_upload) {
  const auto project = staff().active_project();
  const auto key = fresh_key();
  auto send = [&](const std::string& file) {
    return staff().maker.send("POST", "/v2/projects/" + project + "/uploads?mode=all", file,
                              {{"Idempotency-Key", key}, {"Content-Type", "text/csv"}});
  };
  auto first = send(register_csv(1'500, "ID"));
  ASSERT_TRUE(first.ok()) << first.body;
  const auto id = text(parse(first), "id");
  auto again = send(register_csv(1'500, "ID"));
  ASSERT_TRUE(again.ok()) << again.body;
  EXPECT_EQ(text(parse(again), "id"), id);
  expect_problem(send(register_csv(1'499, "ID")), 422, "idempotency_key_reused", "another file");
  auto view = staff().maker.follow(
      "/v2/uploads/" + id, [](const json::value& v) { return text(v, "status") == "accepted"; });
  EXPECT_EQ(number(view, "members"), 1'500);
}

TEST_F(idempotency, a_code_is_shown_again_to_who_asks_again) {
  const auto project = staff().active_project();
  staff().fund(project, 1'000'000);
  staff().import(project, register_csv(2, "CODE"));
  staff().pay_out(staff().draft(project, 1'000));
  auto batches = items(staff().maker.get("/v2/batches?project=" + project));
  const auto batch = "/v2/batches/" + text(batches[0], "id");
  auto members = items(staff().maker.get(batch + "/members"));
  const auto path = batch + "/members/" + text(members[0], "id") + "/codes";
  const auto key = fresh_key();
  auto first = staff().maker.try_post(path, json::object{}, key);
  ASSERT_EQ(first.status, 201U) << first.body;
  EXPECT_EQ(staff().maker.try_post(path, json::object{}, key).body, first.body);
}

} // namespace
} // namespace rahat::test
