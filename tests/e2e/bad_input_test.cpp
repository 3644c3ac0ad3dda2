// Tables of input that nobody should send: each gets a clear 4xx, nothing is written, and who works
// beside it notices nothing.
#include "tests/e2e/running_node.hpp"

#include <atomic>
#include <thread>

namespace rahat::test {
namespace {

struct bad_case {
  const char* name;
  const char* path; // {project} and so on are filled in
  std::string body;
  unsigned status;
  const char* code;
  const char* content_type = "application/json";
};

constexpr const char* unknown = "00000000-0000-4000-8000-000000000001";

std::string funding(const std::string& amount) {
  return R"({"amount_minor":)" + amount + R"(,"currency":"NPR","reference":"R"})";
}

std::string redemption(const std::string& fields) {
  return R"({"batch_id":"{batch}","member_id":"{member}","vendor_id":"{vendor}",)" + fields + "}";
}

/// A project with two households, paid; a vendor. Made once.
class bad_input : public running_node {
protected:
  static void SetUpTestSuite() {
    running_node::SetUpTestSuite();
    auto& s = staff();
    names_["{project}"] = s.active_project();
    s.fund(names_["{project}"], 1'000'000);
    names_["{upload}"] = s.import(names_["{project}"], register_csv(2, "BAD"));
    names_["{disbursement}"] = s.draft(names_["{project}"], 1'000);
    s.pay_out(names_["{disbursement}"]);
    auto batches = items(s.maker.get("/v2/batches?project=" + names_["{project}"]));
    names_["{batch}"] = text(batches[0], "id");
    auto members = items(s.maker.get("/v2/batches/" + names_["{batch}"] + "/members"));
    names_["{member}"] = text(members[0], "id");
    names_["{vendor}"] = s.verified_vendor("Shop");
    names_["{unknown}"] = unknown;
  }

  static std::string fill(std::string text) {
    for (auto& [name, id] : names_)
      for (auto at = text.find(name); at != std::string::npos; at = text.find(name))
        text.replace(at, name.size(), id);
    return text;
  }

  static std::string heads() {
    return books().text(
        "SELECT string_agg(shard || ':' || head_position, ',' ORDER BY shard)"
        " FROM shard WHERE head_position > 0");
  }

  static std::string staged() {
    return books().text(
        "SELECT (SELECT count(*) FROM upload_row) || ' ' ||"
        " (SELECT count(*) FROM transfer) || ' ' ||"
        " (SELECT count(*) FROM parked)");
  }

  /// Posts each and expects its refusal, and that the journal stands where it stood.
  static void refuse_all(const std::vector<bad_case>& table) {
    auto settled = [before = std::string{}]() mutable {
      auto now = heads();
      return std::exchange(before, now) == now;
    };
    ASSERT_TRUE(eventually(settled, patience, 300)); // of what came before, the last is written
    const auto before = heads() + staged();
    for (auto& row : table) {
      SCOPED_TRACE(row.name);
      auto reply = staff().maker.send(
          "POST", fill(row.path), fill(row.body),
          {{"Idempotency-Key", fresh_key()}, {"Content-Type", row.content_type}});
      expect_problem(reply, row.status, row.code, row.name);
      EXPECT_EQ(heads() + staged(), before) << "something was written";
    }
    EXPECT_TRUE(node().running());
  }

  static inline std::map<std::string, std::string> names_;
};

TEST_F(bad_input, json_that_is_none) {
  const char* path = "/v2/projects";
  const std::string deep(200, '[');
  refuse_all({
      {"empty", "/v2/projects/{project}/fundings", "", 422, "invalid_input"},
      {"cut off", path, R"({"name":"x)", 400, "malformed_body"},
      {"two values", path, R"({} {})", 400, "malformed_body"},
      {"an array", path, "[]", 400, "malformed_body"},
      {"a text", path, R"("x")", 400, "malformed_body"},
      {"null", path, "null", 400, "malformed_body"},
      {"a comment", path, "{/**/}", 400, "malformed_body"},
      {"a comma too many", path, R"({"name":"x",})", 400, "malformed_body"},
      {"not a number", path, R"({"name":NaN})", 400, "malformed_body"},
      {"deep", path, deep, 400, "malformed_body"},
      {"a field twice", path, R"({"name":"a","name":"b"})", 422, "invalid_input"},
      {"bad UTF-8", path, "{\"name\":\"\xff\xfe\"}", 400, "malformed_body"},
      {"half a surrogate", path, R"({"name":"\ud800"})", 400, "malformed_body"},
      {"raw control character", path, "{\"name\":\"a\x01\"}", 400, "malformed_body"},
      {"raw U+0000", path, std::string("{\"name\":\"a\0b\"}", 14), 400, "malformed_body"},
  });
}

TEST_F(bad_input, values_that_do_not_fit) {
  const char* path = "/v2/projects";
  const char* fundings = "/v2/projects/{project}/fundings";
  const std::string name(201, 'x');
  refuse_all({
      {"U+0000", path, R"({"name":"a\u0000b","type":"cash","currency":"NPR"})", 422,
       "invalid_input"},
      {"a number for a text", path, R"({"name":5,"type":"cash","currency":"NPR"})", 422,
       "invalid_input"},
      {"an unknown field", path, R"({"name":"a","type":"cash","currency":"NPR","x":1})", 422,
       "invalid_input"},
      {"a missing field", path, R"({"type":"cash","currency":"NPR"})", 422, "invalid_input"},
      {"too long", path, R"({"name":")" + name + R"(","type":"cash","currency":"NPR"})", 422,
       "invalid_input"},
      {"no currency", path, R"({"name":"a","type":"cash","currency":"npr"})", 422, "invalid_input"},
      {"no such day", path,
       R"({"name":"a","type":"cash","currency":"NPR","starts_on":"2026-02-30"})", 422,
       "invalid_input"},
      {"a text for a number", fundings, funding(R"("100")"), 422, "invalid_input"},
      {"negative", fundings, funding("-1"), 422, "invalid_input"},
      {"nothing", fundings, funding("0"), 422, "invalid_input"},
      {"a fraction", fundings, funding("1.5"), 422, "invalid_input"},
      {"an exponent", fundings, funding("1e3"), 422, "invalid_input"},
      {"beyond int64", fundings, funding("9223372036854775808"), 422, "invalid_input"},
      {"the most negative", fundings, funding("-9223372036854775808"), 422, "invalid_input"},
      {"forty digits", fundings, funding(std::string(40, '9')), 422, "invalid_input"},
      {"true", fundings, funding("true"), 422, "invalid_input"},
      {"another currency", fundings, R"({"amount_minor":1,"currency":"USD","reference":"R"})", 422,
       "wrong_currency"},
      {"no id", "/v2/settlements", R"({"vendor_id":"x","project_id":"{project}"})", 422,
       "invalid_input"},
      {"the digest is no digest", "/v2/disbursements/{disbursement}/approve", R"({"digest":"zz"})",
       403, "forbidden"},
      {"a negative amount each", "/v2/disbursements",
       R"({"project_id":"{project}","name":"n","amount_each_minor":-5})", 422, "invalid_input"},
      {"a batch that is no id", "/v2/disbursements",
       R"({"project_id":"{project}","name":"n","batch_ids":["x"]})", 422, "invalid_input"},
      {"a redemption of less than nothing", "/v2/redemptions",
       redemption(R"("amount_minor":-700,"currency":"NPR","code":"123456")"), 422, "invalid_input"},
      {"a redemption without digits", "/v2/redemptions",
       redemption(R"("amount_minor":1,"currency":"NPR","code":"abcdef")"), 422, "invalid_input"},
  });
}

TEST_F(bad_input, things_that_are_not_there) {
  refuse_all({
      {"a project", "/v2/projects/{unknown}/activate", "", 404, "not_found"},
      {"a project's fundings", "/v2/projects/{unknown}/fundings", funding("1"), 404, "not_found"},
      {"a disbursement", "/v2/disbursements/{unknown}/lock", "", 404, "not_found"},
      {"a batch's member", "/v2/batches/{batch}/members/{unknown}/codes", "", 404, "not_found"},
      {"a member's batch", "/v2/batches/{unknown}/members/{member}/codes", "", 404, "not_found"},
      {"a settlement", "/v2/settlements/{unknown}/request", "", 404, "not_found"},
      {"an id that is none", "/v2/projects/12/activate", "", 404, "not_found"},
      {"a route", "/v2/nothing", "", 404, "not_found"},
      {"another kind's id", "/v2/vendors/{project}/verify", "", 403, "forbidden"},
  });
  for (auto* path :
       {"/v2/projects/{unknown}", "/v2/uploads/{unknown}", "/v2/batches/{unknown}",
        "/v2/batches/{unknown}/members", "/v2/disbursements/{unknown}/lines",
        "/v2/vendors/{unknown}", "/v2/redemptions/{unknown}", "/v2/settlements/{unknown}/statement",
        "/v2/vendors/{project}", "/v2", "/", "/v2/projects/", "/v2/projects/x"})
    expect_problem(staff().maker.try_get(fill(path)), 404, "not_found", path);
}

/// These ask the project and the vendor, which journal that they were asked: but nothing that
/// clients can see comes of it, and the answer is the same under the same key.
TEST_F(bad_input, nothing_is_created_for_what_is_not_there) {
  const std::vector<bad_case> table{
      {"a disbursement's project", "/v2/disbursements", R"({"project_id":"{unknown}","name":"n"})",
       404, "not_found"},
      {"a disbursement in dollars", "/v2/disbursements",
       R"({"project_id":"{project}","name":"n","currency":"USD"})", 422, "wrong_currency"},
      {"a vendor for a project", "/v2/disbursements", R"({"project_id":"{vendor}","name":"n"})",
       404, "not_found"},
      {"a settlement's project", "/v2/settlements",
       R"({"vendor_id":"{vendor}","project_id":"{unknown}"})", 404, "not_found"},
      {"a settlement's vendor", "/v2/settlements",
       R"({"vendor_id":"{unknown}","project_id":"{project}"})", 404, "not_found"},
      {"a settlement in dollars", "/v2/settlements",
       R"({"vendor_id":"{vendor}","project_id":"{project}","currency":"USD"})", 422,
       "wrong_currency"},
  };
  auto seen = [] { return books().text("SELECT count(*) FROM query") + " " + staged(); };
  const auto before = seen();
  for (auto& row : table) {
    SCOPED_TRACE(row.name);
    const auto key = fresh_key();
    const auto ask = json::parse(fill(row.body));
    auto refused = staff().maker.try_post(row.path, ask, key);
    expect_problem(refused, row.status, row.code, row.name);
    EXPECT_EQ(staff().maker.try_post(row.path, ask, key).body, refused.body);
  }
  EXPECT_EQ(seen(), before);
  expect_problem(staff().maker.try_get(fill("/v2/projects/{unknown}")), 404, "not_found",
                 "asked for, still not there");
  expect_problem(staff().maker.try_get(fill("/v2/vendors/{unknown}")), 404, "not_found",
                 "asked for, still not there");
}

TEST_F(bad_input, files_that_cannot_be_read_leave_no_members) {
  const std::vector<bad_case> table{
      {"empty", "/v2/projects/{project}/uploads", "", 400, "malformed_body", "text/csv"},
      {"only a heading", "/v2/projects/{project}/uploads", "external_ref\n", 400, "malformed_body",
       "text/csv"},
      {"no external_ref", "/v2/projects/{project}/uploads", "name\nAsha\n", 400, "malformed_body",
       "text/csv"},
      {"a column twice", "/v2/projects/{project}/uploads", "external_ref,name,name\nA,b,c\n", 400,
       "malformed_body", "text/csv"},
      {"a quote never closed", "/v2/projects/{project}/uploads", "external_ref,name\nA,\"b\n", 400,
       "malformed_body", "text/csv"},
      {"JSON that breaks off", "/v2/projects/{project}/uploads", R"([{"external_ref":"A"},)", 400,
       "malformed_body", "application/json"},
      {"no array", "/v2/projects/{project}/uploads", R"({"external_ref":"A"})", 400,
       "malformed_body", "application/json"},
      {"a project that is not there", "/v2/projects/{unknown}/uploads", "external_ref\nA\n", 404,
       "not_found", "text/csv"},
      {"another type", "/v2/projects/{project}/uploads", "<x/>", 415, "unsupported_media",
       "application/xml"},
  };
  const auto members = books().number("SELECT count(*) FROM query WHERE kind = 'batch'");
  for (auto& row : table) {
    auto reply =
        staff().maker.send("POST", fill(row.path), row.body,
                           {{"Idempotency-Key", fresh_key()}, {"Content-Type", row.content_type}});
    expect_problem(reply, row.status, row.code, row.name);
  }
  EXPECT_EQ(books().number("SELECT count(*) FROM query WHERE kind = 'batch'"), members);
  EXPECT_TRUE(node().running());
}

TEST_F(bad_input, rows_that_are_wrong_reject_the_file_and_are_named) {
  const std::pair<const char*, std::string> rows[] = {
      {"bad UTF-8", "G-1,\xc3\x28,1\n"},
      {"U+0000", std::string("G-1,a\0b,1\n", 10)},
      {"negative", "G-1,a,-1\n"},
      {"huge", "G-1,a,99999999999999999999\n"},
      {"words", "G-1,a,many\n"},
      {"no reference", ",a,1\n"},
      {"too many cells", "G-1,a,1,2\n"},
      {"too few cells", "G-1\n"},
      {"twice", "G-0,a,1\n"},
  };
  for (auto& [name, row] : rows) {
    SCOPED_TRACE(name);
    auto reply =
        staff().maker.send("POST", fill("/v2/projects/{project}/uploads?mode=all"),
                           "external_ref,name,amount_minor\nG-0,good,5\n" + row,
                           {{"Idempotency-Key", fresh_key()}, {"Content-Type", "text/csv"}});
    if (!reply.ok()) {
      expect_problem(reply, 400, "malformed_body", name);
      continue;
    }
    const auto path = "/v2/uploads/" + text(parse(reply), "id");
    staff().maker.follow(
        path, [](const json::value& view) { return text(view, "status") == "rejected"; });
    auto errors = items(staff().maker.get(path + "/errors"));
    ASSERT_FALSE(errors.empty());
    EXPECT_GE(number(errors[0], "row"), 1);
    EXPECT_GE(text(errors[0], "message").size(), 5U);
  }
}

TEST_F(bad_input, a_redemption_in_the_wrong_currency_or_beyond_the_balance_moves_nothing) {
  auto& maker = staff().maker;
  const auto before = books().number("SELECT count(*) FROM transfer");
  auto code = text(maker.post(fill("/v2/batches/{batch}/members/{member}/codes")), "code");
  auto redeem = [&](const std::string& amount, const std::string& currency) {
    return maker.try_post(
        "/v2/redemptions",
        json::parse(fill(redemption(R"("amount_minor":)" + amount + R"(,"currency":")" + currency +
                                    R"(","code":")" + code + "\""))));
  };
  expect_problem(redeem("1", "USD"), 422, "wrong_currency", "dollars");
  expect_problem(redeem("1001", "NPR"), 409, "insufficient_funds", "beyond the balance");
  expect_problem(maker.try_post("/v2/redemptions",
                                json::parse(fill(redemption(
                                    R"("amount_minor":1,"currency":"NPR","code":")" +
                                    std::string(code == "000000" ? "000001" : "000000") + "\"")))),
                 403, "wrong_code", "a guess");
  EXPECT_EQ(books().number("SELECT count(*) FROM transfer"), before);
}

TEST_F(bad_input, neighbours_notice_nothing) {
  std::atomic<bool> stop{false};
  std::atomic<int> sent{0};
  std::thread vandal{[&] {
    const std::string bodies[] = {"{", R"({"name":"\u0000"})", "\xff", std::string(100'000, '['),
                                  funding("-1")};
    for (int i = 0; !stop; ++i, ++sent)
      staff().maker.send("POST", fill("/v2/projects/{project}/fundings"), bodies[i % 5],
                         {{"Idempotency-Key", fresh_key()}, {"Content-Type", "application/json"}});
  }};
  const auto project = staff().active_project();
  int good = 0;
  for (int i = 0; i < 200; ++i)
    good += staff().maker
                    .try_post("/v2/projects/" + project + "/fundings",
                              {{"amount_minor", 1}, {"currency", "NPR"}, {"reference", "R"}})
                    .ok()
                ? 1
                : 0;
  stop = true;
  vandal.join();
  EXPECT_EQ(good, 200);
  EXPECT_GT(sent, 20);
  EXPECT_EQ(number(staff().maker.get("/v2/projects/" + project), "budget_minor"), 200);
}

} // namespace
} // namespace rahat::test
