// What the edge refuses before any resource is asked.
#include "tests/e2e/running_node.hpp"
#include "tests/support/ws_client.hpp"

#include <set>

namespace rahat::test {
namespace {

using namespace std::chrono_literals;

class bad_protocol : public running_node {
protected:
  void TearDown() override {
    EXPECT_TRUE(node().running());
    EXPECT_TRUE(staff().reader.try_get("/v2/projects").ok()) << "the next one is served as ever";
  }

  static http_reply raw(const std::string& bytes) {
    http_connection connection{node().port(), 15s};
    connection.send(bytes);
    connection.end_sending();
    return connection.read();
  }

  static header_list json_headers(const std::string& key) {
    return {{"Idempotency-Key", key}, {"Content-Type", "application/json"}};
  }
};

TEST_F(bad_protocol, tokens) {
  const std::pair<const char*, header_list> table[] = {
      {"none", {}},
      {"empty", {{"Authorization", "Bearer "}}},
      {"unknown", {{"Authorization", "Bearer " + std::string(43, 'x')}}},
      {"another scheme", {{"Authorization", "Basic YTpi"}}},
      {"not ASCII", {{"Authorization", "Bearer \xff\xfe"}}},
      {"long", {{"Authorization", "Bearer " + std::string(9'000, 'x')}}},
  };
  for (auto& [name, headers] : table) {
    expect_problem(http_send(node().port(), "GET", "/v2/projects", headers), 401, "unauthenticated",
                   name);
    expect_problem(http_send(node().internal_port(), "GET", "/internal/v1/actors", headers), 401,
                   "unauthenticated", name);
  }
  auto reply = staff().maker.try_get("/v2/projects");
  EXPECT_TRUE(reply.ok());
  auto inside = http_send(node().internal_port(), "GET", "/internal/v1/actors",
                          {{"Authorization", "Bearer " + staff().maker.token()}});
  expect_problem(inside, 403, "forbidden", "a maker at the operators' door");
}

TEST_F(bad_protocol, idempotency_keys) {
  const std::string body = R"({"name":"a","type":"cash","currency":"NPR"})";
  auto& maker = staff().maker;
  expect_problem(maker.send("POST", "/v2/projects", body, {{"Content-Type", "application/json"}}),
                 400, "idempotency_key_missing", "none");
  for (auto& key :
       {std::string{}, std::string(256, 'k'), std::string{"a b\x01"}, std::string{"\xc3\xa9"}}) {
    auto reply = maker.send("POST", "/v2/projects", body, json_headers(key));
    EXPECT_EQ(reply.status, 400U) << key << reply.body;
  }
}

TEST_F(bad_protocol, methods_types_and_queries) {
  auto& maker = staff().maker;
  expect_problem(maker.send("DELETE", "/v2/projects"), 405, "method_not_allowed", "DELETE");
  expect_problem(maker.send("BREW", "/v2/projects"), 501, "not_implemented", "BREW");
  EXPECT_EQ(maker.send("PUT", "/v2/projects").header("Allow"), "GET, HEAD, POST, OPTIONS");
  for (auto* type : {"text/plain", "application/xml", "application/json; charset=latin1"})
    expect_problem(maker.send("POST", "/v2/projects", "{}",
                              {{"Idempotency-Key", fresh_key()}, {"Content-Type", type}}),
                   415, "unsupported_media", type);
  expect_problem(maker.try_get("/v2/projects", {{"Accept", "text/html"}}), 406, "not_acceptable",
                 "HTML");
  expect_problem(maker.try_get("/v2/projects?colour=red"), 400, "bad_request", "a parameter");
  expect_problem(maker.try_get("/v2/projects?limit=3&limit=4"), 400, "bad_request", "twice");
  for (auto* cursor : {"x", "%00", "AAAA", "f1.zzz", "..%2F..", "'%3BDROP%20TABLE%20journal--"}) {
    auto reply = maker.try_get(std::string{"/v2/projects?cursor="} + cursor);
    EXPECT_TRUE(reply.status == 400 || reply.status == 422) << cursor << ": " << reply.status;
  }
  for (auto* limit : {"0", "-1", "201", "x", "1e3", "99999999999999999999", ""})
    expect_problem(maker.try_get(std::string{"/v2/projects?limit="} + limit), 422, "invalid_input",
                   limit);
  for (auto* path : {"/v2/projects/%00", "/v2/projects/%zz", "/v2/projects/%ff"})
    expect_problem(maker.try_get(path), 400, "bad_request", path);
}

TEST_F(bad_protocol, bodies_that_are_compressed) {
  const auto project = staff().active_project();
  const auto before = books().journal_rows();
  for (auto& [path, type] : std::vector<std::pair<std::string, std::string>>{
           {"/v2/projects", "application/json"},
           {"/v2/projects/" + project + "/uploads", "text/csv"}}) {
    header_list headers{
        {"Idempotency-Key", fresh_key()}, {"Content-Type", type}, {"Content-Encoding", "gzip"}};
    auto reply = staff().maker.send("POST", path, "\x1f\x8b\x08", headers);
    expect_problem(reply, 415, "unsupported_media", path);
    EXPECT_EQ(reply.header("Accept-Encoding"), "identity") << path;
    EXPECT_EQ(text(parse(reply), "field"), "Content-Encoding") << path;
  }
  EXPECT_EQ(books().journal_rows(), before);
}

TEST_F(bad_protocol, preconditions) {
  auto& maker = staff().maker;
  const auto project = "/v2/projects/" + staff().active_project();
  const auto tag = maker.try_get(project).header("ETag");
  const auto before = books().journal_rows();
  auto suspend = [&](const std::string& path, const std::string& if_match) {
    return staff().checker.send("POST", path + "/suspend", "{}",
                                {{"Idempotency-Key", fresh_key()},
                                 {"Content-Type", "application/json"},
                                 {"If-Match", if_match}});
  };
  for (auto* bad : {"7", "\"7", "*, \"7\"", "\"7\" \"8\""})
    expect_problem(suspend(project, bad), 400, "bad_request", bad);
  for (auto& stale : {std::string{"\"999\""}, "W/" + tag, std::string{"\"x\""}, std::string{}})
    expect_problem(suspend(project, stale), 412, "precondition_failed", stale);
  for (auto* any : {"*", "\"7\""}) {
    auto named = [&](const std::string& type) {
      return header_list{
          {"Idempotency-Key", fresh_key()}, {"Content-Type", type}, {"If-Match", any}};
    };
    expect_problem(suspend("/v2/projects/00000000-0000-4000-8000-000000000001", any), 404,
                   "not_found", any);
    expect_problem(
        maker.send("POST", "/v2/projects", R"({"name":"a","type":"cash","currency":"NPR"})",
                   named("application/json")),
        412, "precondition_failed", any);
    expect_problem(
        maker.send("POST", project + "/uploads", register_csv(3, "IFM"), named("text/csv")), 412,
        "precondition_failed", any);
  }
  EXPECT_EQ(books().journal_rows(), before);
  EXPECT_EQ(suspend(project, "\"999\", " + tag).status, 200U);
  auto read = [&](const std::string& if_none_match) {
    return maker.try_get(project, {{"If-None-Match", if_none_match}}).status;
  };
  const auto now = maker.try_get(project).header("ETag");
  EXPECT_EQ(read("W/" + now), 304U);
  EXPECT_EQ(read("\"x\", " + now), 304U);
  EXPECT_EQ(read("*"), 304U);
  EXPECT_EQ(read(tag), 200U);
  EXPECT_EQ(read("7"), 400U);
}

TEST_F(bad_protocol, sizes) {
  auto& maker = staff().maker;
  expect_problem(maker.try_get("/v2/projects", {{"X-Long", std::string(20'000, 'x')}}), 431,
                 "header_too_large", "a header of 20 kB");
  const std::string body = R"({"name":")" + std::string(2 << 20, 'x') + "\"}";
  expect_problem(maker.send("POST", "/v2/projects", body, json_headers(fresh_key())), 413,
                 "body_too_large", "a body of 2 MiB");
  auto target = maker.try_get("/v2/projects?cursor=" + std::string(12'000, 'x'));
  EXPECT_TRUE(target.status == 414 || target.status == 422 || target.status == 400)
      << target.status;
}

TEST_F(bad_protocol, bytes_that_are_no_http) {
  for (auto& bytes :
       {std::string{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"}, std::string(4'000, '\0'),
        std::string{"GET\r\n\r\n"}, std::string{"GET / HTTP/9.9\r\n\r\n"},
        std::string{"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nX\r\n\r\n"},
        std::string{"POST /v2/projects HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"},
        std::string{"POST /v2/projects HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
                    "Content-Length: 6\r\n\r\nhello"},
        std::string{"POST /v2/projects HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                    "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"}}) {
    auto reply = raw(bytes);
    EXPECT_TRUE(reply.status == 0 || (reply.status >= 400 && reply.status < 500) ||
                reply.status == 505)
        << reply.status << " for " << bytes;
  }
}

TEST_F(bad_protocol, bodies_that_break_off_write_nothing) {
  const auto before = books().journal_rows();
  const auto head = "POST /v2/projects HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " +
                    staff().maker.token() + "\r\nIdempotency-Key: " + fresh_key() +
                    "\r\nContent-Type: application/json\r\n";
  {
    http_connection gone{node().port()};
    gone.send(head + "Content-Length: 1000\r\n\r\n{\"name\":");
  }
  raw(head + "Content-Length: 1000\r\n\r\n{\"name\":");
  raw(head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n");
  raw(head + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}\r\n");
  EXPECT_EQ(books().journal_rows(), before);
}

TEST_F(bad_protocol, a_file_that_breaks_off_makes_no_members) {
  const auto project = staff().active_project();
  const auto key = fresh_key();
  const auto head = "POST /v2/projects/" + project +
                    "/uploads HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " +
                    staff().maker.token() + "\r\nIdempotency-Key: " + key +
                    "\r\nContent-Type: text/csv\r\nContent-Length: 1000000\r\n\r\n";
  raw(head + register_csv(2'500, "CUT"));
  EXPECT_TRUE(items(staff().maker.get("/v2/batches?project=" + project)).empty());
  // The same key goes on with the whole file.
  auto reply =
      staff().maker.send("POST", "/v2/projects/" + project + "/uploads", register_csv(3'000, "CUT"),
                         {{"Idempotency-Key", key}, {"Content-Type", "text/csv"}});
  ASSERT_TRUE(reply.ok()) << reply.body;
  auto view =
      staff().maker.follow("/v2/uploads/" + text(parse(reply), "id"),
                           [](const json::value& v) { return text(v, "status") == "accepted"; });
  EXPECT_EQ(number(view, "members"), 3'000);
}

TEST_F(bad_protocol, web_sockets_without_a_token_are_refused) {
  const ws_client::handshake none{"/v2/live", "", "rahat.v2"};
  EXPECT_EQ(ws_client(node().port(), none).status(), 401U);
  const ws_client::handshake wrong{"/v2/live", "Bearer nobody", ""};
  EXPECT_EQ(ws_client(node().port(), wrong).status(), 401U);
  const ws_client::handshake by_header{"/v2/live", "Bearer " + staff().reader.token(), ""};
  EXPECT_TRUE(ws_client(node().port(), by_header).accepted());
  expect_problem(staff().reader.try_get("/v2/live"), 426, "upgrade_required", "no handshake");
}

TEST_F(bad_protocol, web_socket_garbage_is_answered_and_ends_nothing_else) {
  const ws_client::handshake hello{"/v2/live", "", "rahat.v2, bearer." + staff().reader.token()};
  ws_client neighbour{node().port(), hello};
  ASSERT_TRUE(neighbour.send(R"({"subscribe":["feed"]})"));
  ASSERT_TRUE(neighbour.next(10s)) << "subscribed";

  ws_client vandal{node().port(), hello};
  const std::string messages[] = {"",
                                  "{",
                                  "[]",
                                  "null",
                                  R"({"subscribe":"feed"})",
                                  R"({"subscribe":[1]})",
                                  R"({"subscribe":["nothing"]})",
                                  R"({"subscribe":["disbursement/x"]})",
                                  R"({"subscribe":["feed"],"after":{"feed":"f1.!!"}})",
                                  R"({"subscribe":["project/)" + std::string(36, '0') + "\"]}",
                                  R"({"x":1})",
                                  std::string(300, '[')};
  for (auto& message : messages) {
    ASSERT_TRUE(vandal.send(message)) << message;
    auto answer = vandal.next(10s);
    ASSERT_TRUE(answer) << message;
    auto told = json::parse(*answer);
    EXPECT_EQ(text(told, "type"), "error") << message << " -> " << *answer;
    EXPECT_TRUE(told.at("data").as_object().contains("detail"));
  }
  ASSERT_TRUE(vandal.send_binary("\x00\x01"));
  ASSERT_TRUE(vandal.next(10s));
  // No frame at all. A header that claims the longest length and a mask has 14 bytes, and nothing
  // is judged before the last of them: fewer would be waited for, not refused.
  ASSERT_TRUE(vandal.send_raw(std::string(32, '\xff')));
  while (vandal.next(10s)) {
  }
  EXPECT_TRUE(vandal.ended());

  ws_client loud{node().port(), hello};
  loud.send(std::string(1 << 20, 'x'));
  while (loud.next(10s)) {
  }
  EXPECT_TRUE(loud.ended()) << "a message of 1 MiB";

  staff().maker.post("/v2/vendors", {{"name", "bell"}, {"location", "x"}});
  EXPECT_TRUE(neighbour.next(20s)) << "the neighbour still hears";
}

TEST_F(bad_protocol, operators_requests) {
  expect_problem(staff().internal("POST", "/internal/v1/tokens", R"({"user":"x","role":"king"})"),
                 422, "invalid_input", "a role");
  expect_problem(staff().internal("POST", "/internal/v1/tokens", R"({"role":"maker"})"), 422,
                 "invalid_input", "no user");
  expect_problem(staff().internal("POST", "/internal/v1/tokens", "{"), 400, "malformed_body",
                 "no JSON");
  expect_problem(staff().internal("POST", "/internal/v1/parked/project/x/release"), 422,
                 "invalid_input", "no id");
  expect_problem(staff().internal("POST",
                                  "/internal/v1/parked/project/"
                                  "00000000-0000-4000-8000-000000000001/release"),
                 404, "not_found", "not parked");
}

} // namespace
} // namespace rahat::test
