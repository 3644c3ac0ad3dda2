#include "runtime/decider/account.hpp"
#include "runtime/ports/entities.hpp"
#include "tests/e2e/running_node.hpp"

#include <set>

namespace rahat::test {
namespace {

using namespace std::chrono_literals;
using testing::IsEmpty;

constexpr std::size_t households = 2'500;
constexpr std::int64_t each_minor = 1'500;
constexpr auto count = static_cast<std::int64_t>(households);

class flow : public running_node {
protected:
  /// Walks a list to its end by its cursors.
  static std::vector<json::value> all_of(const std::string& path, int limit) {
    std::vector<json::value> out;
    std::string cursor;
    do {
      auto page = staff().maker.get(path + (path.find('?') == std::string::npos ? "?" : "&") +
                                    "limit=" + std::to_string(limit) +
                                    (cursor.empty() ? "" : "&cursor=" + cursor));
      EXPECT_LE(items(page).size(), static_cast<std::size_t>(limit));
      for (auto& item : items(page))
        out.push_back(item);
      cursor = page.at("next").is_null() ? "" : text(page, "next");
    } while (!cursor.empty());
    return out;
  }

  static std::int64_t balance(const std::string& project, const std::string& role) {
    auto accounts = staff().maker.get("/v2/projects/" + project + "/accounts");
    for (auto& account : items(accounts))
      if (text(account, "role") == role)
        return number(account, "balance_minor");
    ADD_FAILURE() << "no account " << role;
    return 0;
  }

  static std::string redeem(const std::string& batch, const std::string& member,
                            const std::string& vendor, std::int64_t amount_minor) {
    const auto at = "/v2/batches/" + batch + "/members/" + member + "/codes";
    auto code = text(staff().maker.post(at), "code");
    EXPECT_EQ(code.size(), 6U);
    auto done = staff().maker.post("/v2/redemptions", {{"batch_id", batch},
                                                       {"member_id", member},
                                                       {"vendor_id", vendor},
                                                       {"amount_minor", amount_minor},
                                                       {"currency", "NPR"},
                                                       {"code", code}});
    EXPECT_EQ(number(done, "balance_minor"), each_minor - amount_minor);
    return text(done, "id");
  }
};

TEST_F(flow, a_register_is_paid_redeemed_and_settled) {
  auto& maker = staff().maker;
  auto& checker = staff().checker;
  const auto project = staff().active_project();
  staff().fund(project, 100'000'000);
  staff().import(project, register_csv(households));
  auto batches = all_of("/v2/batches?project=" + project, 200);
  ASSERT_EQ(batches.size(), 1U);
  const auto batch = text(batches[0], "id");
  EXPECT_EQ(number(batches[0], "members"), count);

  const auto disbursement = staff().draft(project, each_minor);
  const auto path = "/v2/disbursements/" + disbursement;
  maker.post(path + "/lock");
  auto locked = staff().until(disbursement, "locked");
  EXPECT_EQ(number(locked, "lines"), count);
  EXPECT_EQ(number(locked, "amount_minor"), count * each_minor);
  json::object approval{{"digest", text(locked, "digest")}, {"note", "counted"}};
  expect_problem(maker.try_post(path + "/approve", approval), 403, "forbidden", "a maker's token");
  checker.post(path + "/approve", approval);
  maker.post(path + "/pay");
  auto paid = staff().until(disbursement, "completed");
  EXPECT_EQ(number(paid, "lines_paid"), count);
  EXPECT_EQ(number(paid, "paid_minor"), count * each_minor);
  EXPECT_EQ(number(paid, "reserve_minor"), 0);

  auto lines = all_of(path + "/lines", 200);
  ASSERT_EQ(lines.size(), households);
  std::set<std::int64_t> numbers;
  for (auto& line : lines) {
    numbers.insert(number(line, "no"));
    ASSERT_EQ(text(line, "state"), "paid");
    ASSERT_EQ(number(line, "amount_minor"), each_minor);
  }
  EXPECT_EQ(numbers.size(), households);

  const auto members = all_of("/v2/batches/" + batch + "/members", 200);
  ASSERT_EQ(members.size(), households);
  EXPECT_EQ(text(members[7].at("person"), "name"), "Name 7");
  const auto vendor = staff().verified_vendor("Rai Store");
  std::set<std::string> redemptions;
  for (std::size_t i = 0; i < 3; ++i)
    redemptions.insert(redeem(batch, text(members[i], "id"), vendor, 700));
  EXPECT_EQ(redemptions.size(), 3U);
  maker.follow("/v2/vendors/" + vendor, [](const json::value& view) {
    auto& accounts = view.at("accounts").as_array();
    return accounts.size() == 1 && number(accounts[0], "balance_minor") == 2'100;
  });
  EXPECT_EQ(all_of("/v2/redemptions?vendor=" + vendor, 2).size(), 3U);

  const auto settlement =
      text(maker.post("/v2/settlements", {{"vendor_id", vendor}, {"project_id", project}}), "id");
  const auto at = "/v2/settlements/" + settlement;
  maker.post(at + "/request");
  checker.post(at + "/approve");
  maker.post(at + "/pay");
  auto settled =
      maker.follow(at, [](const json::value& view) { return text(view, "status") == "paid"; });
  EXPECT_EQ(number(settled, "paid_minor"), 2'100);
  auto receipts = all_of(at + "/statement", 2);
  ASSERT_EQ(receipts.size(), 3U);
  for (auto& receipt : receipts)
    EXPECT_EQ(number(receipt, "amount_minor"), 700);

  EXPECT_TRUE(eventually([&] {
    return balance(project, "budget") == 100'000'000 - count * each_minor &&
           balance(project, "outside") == 2'100 - 100'000'000;
  }));
  EXPECT_TRUE(eventually([] { return books().wrong_books().empty(); }));
  EXPECT_THAT(books().wrong_books(), IsEmpty());
  EXPECT_THAT(books().wrong_lines(text(paid, "list_id")), IsEmpty());
  EXPECT_THAT(books().broken_links(), IsEmpty());
  auto chain = parse(staff().internal("GET", "/internal/v1/audit/verify"));
  EXPECT_EQ(chain.at("ok"), json::value(true)) << chain;
  json::value audited;
  EXPECT_TRUE(eventually([&] {
    audited = parse(staff().internal("GET", "/internal/v1/books"));
    return audited.at("complete") == json::value(true);
  })) << "before that an imbalance of 0 says nothing";
  EXPECT_EQ(number(audited, "imbalance_minor"), 0);
}

TEST_F(flow, a_donors_reference_may_come_again_but_a_key_books_once) {
  const auto project = staff().active_project();
  const auto path = "/v2/projects/" + project + "/fundings";
  const json::value instalment{
      {"amount_minor", 400}, {"currency", "NPR"}, {"reference", "GRANT-7"}};
  const auto key = fresh_key();
  auto first = staff().maker.try_post(path, instalment, key);
  auto second = staff().maker.try_post(path, instalment, fresh_key());
  auto retry = staff().maker.try_post(path, instalment, key);
  EXPECT_EQ(first.status, 201U) << first.body;
  EXPECT_EQ(second.status, 201U) << second.body;
  EXPECT_EQ(retry.body, first.body);
  EXPECT_NE(text(parse(second), "id"), text(parse(first), "id"));
  EXPECT_EQ(balance(project, "budget"), 800);
  EXPECT_EQ(books().number("SELECT count(*) FROM transfer t JOIN account a ON t.debit = a.first"
                           " WHERE a.role = 'outside' AND a.project = '" +
                           project + "'"),
            2);
  EXPECT_THAT(books().wrong_books(), IsEmpty());
}

/// Ids derive from requests, so we can name a project before anybody has made it.
TEST_F(flow, a_project_that_was_asked_for_too_early_can_still_be_made) {
  auto& maker = staff().maker;
  const auto key = fresh_key();
  const auto project =
      created_id("project", request_id_of("asha", "POST", "/v2/projects", key)).str();
  const auto draft_key = fresh_key();
  const auto disbursement =
      created_id("disbursement", request_id_of("asha", "POST", "/v2/disbursements", draft_key));
  const json::value draft{{"project_id", project}, {"name", "early"}};
  auto refused = maker.try_post("/v2/disbursements", draft, draft_key);
  expect_problem(refused, 404, "not_found", "its project is not there");

  // The question and the answer are in the journal; for clients there is neither of the two.
  EXPECT_GT(books().number("SELECT count(*) FROM journal WHERE entity = '" + project + "'"), 0);
  expect_problem(maker.try_get("/v2/projects/" + project), 404, "not_found", "the project");
  expect_problem(maker.try_get("/v2/disbursements/" + disbursement.str()), 404, "not_found",
                 "the disbursement");
  EXPECT_THAT(all_of("/v2/disbursements?project=" + project, 200), IsEmpty());
  for (auto& listed : all_of("/v2/projects", 200))
    EXPECT_NE(text(listed, "id"), project);

  auto made = maker.try_post("/v2/projects",
                             {{"name", "Late"}, {"type", "cash"}, {"currency", "NPR"}}, key);
  ASSERT_EQ(made.status, 201U) << made.body;
  EXPECT_EQ(text(parse(made), "id"), project);
  EXPECT_EQ(text(maker.get("/v2/projects/" + project), "status"), "draft");
  auto again = maker.try_post("/v2/disbursements", draft, draft_key);
  EXPECT_EQ(again.status, 404U) << "a key keeps its answer";
  EXPECT_EQ(again.body, refused.body);
  auto drafted = maker.post("/v2/disbursements", draft);
  EXPECT_EQ(text(drafted, "status"), "draft");
  EXPECT_EQ(text(drafted, "currency"), "NPR");
}

TEST_F(flow, a_closed_project_takes_no_disbursement_but_pays_its_vendors) {
  auto& maker = staff().maker;
  const auto project = staff().active_project();
  staff().fund(project, 1'000'000);
  staff().import(project, register_csv(2, "CL"));
  staff().pay_out(staff().draft(project, each_minor));
  auto batch = text(all_of("/v2/batches?project=" + project, 10).at(0), "id");
  auto member = text(all_of("/v2/batches/" + batch + "/members", 10).at(0), "id");
  const auto vendor = staff().verified_vendor("Last Store");
  redeem(batch, member, vendor, 700);
  const auto key = fresh_key();
  const json::value draft{{"project_id", project}, {"name", "in time"}};
  auto in_time = maker.try_post("/v2/disbursements", draft, key);
  ASSERT_EQ(in_time.status, 201U) << in_time.body;
  staff().checker.post("/v2/projects/" + project + "/close", {{"reason", "over"}});

  expect_problem(maker.try_post("/v2/disbursements", draft), 409, "wrong_status", "closed");
  EXPECT_EQ(maker.try_post("/v2/disbursements", draft, key).body, in_time.body)
      << "what was answered stays answered";
  const auto at =
      "/v2/settlements/" +
      text(maker.post("/v2/settlements", {{"vendor_id", vendor}, {"project_id", project}}), "id");
  EXPECT_EQ(number(maker.post(at + "/request"), "amount_minor"), 700);
  staff().checker.post(at + "/approve");
  EXPECT_EQ(text(maker.post(at + "/pay"), "status"), "paid");
}

TEST_F(flow, registers_come_as_csv_lines_of_json_or_one_json) {
  const auto project = staff().active_project();
  staff().import(project, register_csv(20, "CSV"));
  staff().import(project,
                 "{\"external_ref\":\"NL-1\",\"name\":\"Asha Rai\",\"amount_minor\":1200}\n"
                 "{\"external_ref\":\"NL-2\",\"name\":\"Bina Rai\",\"ward\":\"7\"}\n",
                 "application/x-ndjson");
  staff().import(project, R"([{"external_ref":"J-1","name":"Chandra"},{"external_ref":"J-2"}])",
                 "application/json");
  std::int64_t members = 0;
  for (auto& batch : all_of("/v2/batches?project=" + project, 1))
    members += number(batch, "members");
  EXPECT_EQ(members, 24);
}

TEST_F(flow, a_bad_row_rejects_the_file_or_is_left_out_as_asked) {
  const auto project = staff().active_project();
  const std::string file = "external_ref,amount_minor\nG-1,100\nG-2,-5\nG-3,300\n";
  const auto skipped = staff().import(project, file, "text/csv", "skip-bad");
  EXPECT_EQ(number(staff().maker.get("/v2/uploads/" + skipped), "members"), 2);
  auto errors = all_of("/v2/uploads/" + skipped + "/errors", 10);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(number(errors[0], "row"), 2);
  EXPECT_EQ(text(errors[0], "field"), "amount_minor");

  auto reply = staff().maker.send("POST", "/v2/projects/" + project + "/uploads?mode=all",
                                  "external_ref,amount_minor\nH-1,100\nH-2,-5\n",
                                  {{"Idempotency-Key", fresh_key()}, {"Content-Type", "text/csv"}});
  ASSERT_TRUE(reply.ok()) << reply.body;
  const auto rejected = text(parse(reply), "id");
  staff().maker.follow("/v2/uploads/" + rejected,
                       [](const json::value& view) { return text(view, "status") == "rejected"; });
  EXPECT_THAT(all_of("/v2/batches?upload=" + rejected, 10), IsEmpty());
}

TEST_F(flow, lists_are_walked_by_cursor_without_doubles_while_they_grow) {
  std::vector<std::string> made;
  for (int i = 0; i < 7; ++i)
    made.push_back(
        text(staff().maker.post("/v2/vendors", {{"name", "V"}, {"location", "W"}}), "id"));
  auto first = staff().maker.get("/v2/vendors?limit=3");
  staff().maker.post("/v2/vendors", {{"name", "late"}, {"location", "W"}});
  auto second = staff().maker.get("/v2/vendors?limit=3&cursor=" + text(first, "next"));
  std::vector<std::string> seen;
  for (auto* page : {&first, &second})
    for (auto& item : items(*page))
      seen.push_back(text(item, "id"));
  std::vector<std::string> expected{made.rbegin(), made.rbegin() + 6};
  EXPECT_EQ(seen, expected) << "newest first";
}

TEST_F(flow, versions_guard_reads_and_writes) {
  auto& maker = staff().maker;
  const auto project = staff().active_project();
  const auto path = "/v2/projects/" + project;
  auto found = maker.try_get(path);
  const auto tag = found.header("ETag");
  EXPECT_EQ(tag, "\"" + std::to_string(number(parse(found), "version")) + "\"");
  auto same = maker.try_get(path, {{"If-None-Match", tag}});
  EXPECT_EQ(same.status, 304U);
  EXPECT_EQ(same.body, "");
  EXPECT_EQ(maker.try_get(path, {{"If-None-Match", "\"1\""}}).status, 200U);

  auto fund_if = [&](const std::string& version) {
    return maker.send("POST", path + "/fundings",
                      R"({"amount_minor":100,"currency":"NPR","reference":"D"})",
                      {{"If-Match", version},
                       {"Idempotency-Key", fresh_key()},
                       {"Content-Type", "application/json"}});
  };
  expect_problem(fund_if("\"1\""), 412, "precondition_failed", "an old version");
  EXPECT_EQ(number(maker.get(path), "budget_minor"), 0);
  EXPECT_TRUE(fund_if(tag).ok());
  EXPECT_EQ(number(maker.get(path), "budget_minor"), 100);
  expect_problem(fund_if(tag), 412, "precondition_failed", "the version moved on");
}

TEST_F(flow, who_made_or_locked_a_disbursement_never_approves_it) {
  user both{node(), office::token_for(node(), "eka", "admin")}; // every role in one person
  const auto project = staff().active_project();
  staff().fund(project, 10'000'000);
  staff().import(project, register_csv(5, "MC"));
  const auto path =
      "/v2/disbursements/" +
      text(both.post("/v2/disbursements",
                     {{"project_id", project}, {"name", "own"}, {"amount_each_minor", 100}}),
           "id");
  both.post(path + "/lock");
  auto locked =
      both.follow(path, [](const json::value& view) { return text(view, "status") == "locked"; });
  expect_problem(both.try_post(path + "/approve", {{"digest", text(locked, "digest")}}), 403,
                 "maker_is_checker", "its maker");
  expect_problem(staff().checker.try_post(path + "/approve", {{"digest", std::string(64, '0')}}),
                 409, "digest_changed", "another list");
  EXPECT_EQ(text(both.get(path), "status"), "locked");
}

TEST_F(flow, a_reader_sees_masked_people_and_changes_nothing) {
  const auto project = staff().active_project();
  staff().import(project, register_csv(3, "RD"));
  auto batches = items(staff().reader.get("/v2/batches?project=" + project));
  auto page = staff().reader.get("/v2/batches/" + text(batches[0], "id") + "/members");
  EXPECT_EQ(json::serialize(page).find("Name 1"), std::string::npos);
  EXPECT_EQ(text(items(page)[0], "personal"), "masked");
  expect_problem(staff().reader.try_post("/v2/projects", {{"name", "x"}}), 403, "forbidden",
                 "a reader");
}

TEST_F(flow, the_api_describes_itself) {
  auto document = staff().reader.get("/v2/openapi.json");
  EXPECT_EQ(text(document, "openapi").substr(0, 3), "3.1");
  auto& paths = document.at("paths").as_object();
  for (auto* path : {"/v2/projects", "/v2/projects/{id}/uploads", "/v2/disbursements/{id}/approve",
                     "/v2/batches/{id}/members/{member}/codes", "/v2/redemptions",
                     "/v2/settlements/{id}/statement"})
    EXPECT_TRUE(paths.contains(path)) << path;
}

} // namespace
} // namespace rahat::test
