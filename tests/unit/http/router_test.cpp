#include "gateways/http/router.hpp"

#include "tests/unit/http/client.hpp"

#include <stdexcept>

namespace rahat::http::test {
namespace {

struct row {
  const char* what;
  std::string bytes;
  unsigned status;
  const char* holds; // a part of the body
};

class router_test : public edge_test {
protected:
  void expect_all(const std::vector<row>& table) {
    for (auto& one : table) {
      auto got = ask(one.bytes);
      EXPECT_EQ(got.status, one.status) << one.what << "\n" << got.body;
      EXPECT_NE(got.body.find(one.holds), std::string::npos) << one.what << "\n" << got.body;
      if (got.status >= 400) {
        EXPECT_EQ(got.header("content-type"), "application/problem+json") << one.what;
      }
    }
  }
};

std::string with_token(std::string_view line, std::string_view headers = {}) {
  return std::string(line) + " HTTP/1.1\r\nHost: a\r\n" + std::string(auth) + std::string(headers) +
         "\r\n";
}

std::string bare(std::string_view line, std::string_view headers = {}) {
  return std::string(line) + " HTTP/1.1\r\nHost: a\r\n" + std::string(headers) + "\r\n";
}

TEST_F(router_test, answers_each_request_with_its_status) {
  start();
  const std::string key = "Idempotency-Key: k1\r\n";
  const std::vector<row> table = {
      {"found", get("/v2/things/7"), 200, R"("id":"7")"},
      {"literal before parameter", get("/v2/things/special"), 200, "1"},
      {"two parameters", with_token("POST /v2/things/a/parts/b/act"), 200, R"("part":"b")"},
      {"no such path", get("/v2/thing"), 404, "not_found"},
      {"deeper than any route", get("/v2/things/7/x"), 404, "not_found"},
      {"trailing slash", get("/v2/things/"), 404, "not_found"},
      {"very deep", get("/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s"), 404, "not_found"},
      {"case matters", get("/V2/things"), 404, "not_found"},
      {"other method", with_token("DELETE /v2/things"), 405, "method_not_allowed"},
      {"TRACE", with_token("TRACE /v2/things"), 405, "method_not_allowed"},
      {"unknown method", with_token("BREW /v2/things"), 501, "not_implemented"},
      {"no token", bare("GET /v2/things"), 401, "unauthenticated"},
      {"unknown token", bare("GET /v2/things", "Authorization: Bearer no\r\n"), 401, "not known"},
      {"other scheme", bare("GET /v2/things", "Authorization: Basic x\r\n"), 401, "Bearer"},
      {"open path", bare("GET /health"), 200, "ok"},
      {"open path, any Accept", bare("GET /health", "Accept: text/plain\r\n"), 200, "ok"},
      {"role", bare("POST /v2/things", "Authorization: Bearer t-bina\r\n" + key), 403, "maker"},
      {"admin may", bare("POST /v2/things", "Authorization: Bearer t-root\r\n" + key), 200, "root"},
      {"accepts html only", get("/v2/things", "Accept: text/html\r\n"), 406, "not_acceptable"},
      {"json refused",
       get("/v2/things",
           "Accept: */*, application/json;q=0, "
           "application/problem+json;q=0\r\n"),
       406, "Accept"},
      {"accepts anything", get("/v2/things", "Accept: text/html, */*;q=0.1\r\n"), 200, "path"},
      {"accepts application/*", get("/v2/things", "Accept: application/*\r\n"), 200, "path"},
      {"accepts problems", get("/v2/things", "Accept: application/problem+json\r\n"), 200, "path"},
      {"content type",
       with_token("POST /v2/things", key + "Content-Type: text/csv\r\n"
                                           "Content-Length: 1\r\n") +
           "a",
       415, "application/json"},
      {"charset",
       with_token("POST /v2/things", key + "Content-Type: application/json; "
                                           "charset=latin1\r\nContent-Length: 2\r\n") +
           "{}",
       415, "UTF-8"},
      {"body, no content type", with_token("POST /v2/things", key + "Content-Length: 2\r\n") + "{}",
       415, "application/json"},
      {"charset utf-8",
       with_token("POST /v2/things", key + "Content-Type: application/json; "
                                           "charset=\"UTF-8\"\r\n"
                                           "Content-Length: 2\r\n") +
           "{}",
       200, R"("body":"{}")"},
      {"no key", post("/v2/things", "{}"), 400, "idempotency_key_missing"},
      {"empty key", post("/v2/things", "{}", "Idempotency-Key:\r\n"), 400, "Idempotency-Key"},
      {"key of 255", post("/v2/things", "{}", "Idempotency-Key: " + std::string(255, 'k') + "\r\n"),
       200, "path"},
      {"key of 256", post("/v2/things", "{}", "Idempotency-Key: " + std::string(256, 'k') + "\r\n"),
       400, "255"},
      {"key with blank", post("/v2/things", "{}", "Idempotency-Key: a b\r\n"), 400, "visible"},
      {"key not ASCII", post("/v2/things", "{}", "Idempotency-Key: \xc3\xa9\r\n"), 400, "ASCII"},
      {"two keys", post("/v2/things", "{}", key + key), 400, "Idempotency-Key"},
      {"query", get("/v2/things?cursor=a%2Fb+c&limit=3"), 200, R"("?cursor":"a/b c")"},
      {"unknown query", get("/v2/things?offset=3"), 400, "allowed are: cursor, limit"},
      {"unknown query, none taken", get("/v2/things/7?a=1"), 400, "no query parameters"},
      {"query twice", get("/v2/things?limit=3&limit=3"), 400, R"("field":"limit")"},
      {"query twice, escaped", get("/v2/things?limit=3&cursor=a&l%69mit=4"), 400, "send it once"},
      {"bad escape in query", get("/v2/things?cursor=%zz"), 400, "bad_request"},
      {"NUL in query", get("/v2/things?cursor=a%00"), 400, "U+0000"},
      {"bad UTF-8 in query", get("/v2/things?cursor=%ff"), 400, "UTF-8"},
      {"NUL in path", get("/v2/things/%00"), 400, "U+0000"},
      {"bad UTF-8 in path", get("/v2/things/%c3%28"), 400, "UTF-8"},
      {"surrogate in path", get("/v2/things/%ed%a0%80"), 400, "UTF-8"},
      {"half escape in path", get("/v2/things/%4"), 400, "bad_request"},
      {"escaped slash stays inside", get("/v2/things/a%2Fb"), 200, R"("id":"a/b")"},
      {"UTF-8 in path", get("/v2/things/%e0%a4%b0"), 200, "\xe0\xa4\xb0"},
      {"plus in path is a plus", get("/v2/things/a+b"), 200, R"("id":"a+b")"},
      {"absolute form", get("http://host:80/v2/things/7"), 200, R"("path":"/v2/things/7")"},
      {"not a path", get("v2/things"), 400, "begins with /"},
      {"body is not UTF-8", post("/v2/things", "{\"a\":\"\xff\"}", key), 400, "malformed_body"},
      {"body where none is taken", post("/v2/things/a/parts/b/act", R"({"x":1})"), 400, "no body"},
      {"empty object where none is taken", post("/v2/things/a/parts/b/act", " {} "), 200, "path"},
  };
  expect_all(table);
}

TEST_F(router_test, takes_no_coding_and_reads_preconditions) {
  start();
  const std::string key = "Idempotency-Key: k1\r\n";
  expect_all({
      {"compressed body", post("/v2/things", "{}", key + "Content-Encoding: gzip\r\n"), 415,
       R"("field":"Content-Encoding")"},
      {"coding among others", post("/v2/things", "{}", key + "Content-Encoding: identity, br\r\n"),
       415, "identity is accepted"},
      {"coding in a second line",
       post("/v2/things", "{}", key + "Content-Encoding: zstd\r\nContent-Encoding: identity\r\n"),
       415, "unsupported_media"},
      {"chunked and compressed",
       with_token("POST /v2/things", key + "Content-Type: application/json\r\n"
                                           "Content-Encoding: deflate\r\n"
                                           "Transfer-Encoding: chunked\r\n") +
           "2\r\n{}\r\n0\r\n\r\n",
       415, "not compressed"},
      {"compressed, where no body is taken",
       post("/v2/things/a/parts/b/act", "{}", "Content-Encoding: gzip\r\n"), 415,
       "unsupported_media"},
      {"identity", post("/v2/things", "{}", key + "Content-Encoding: Identity\r\n"), 200, "path"},
      {"a coding of nothing", get("/v2/things", "Content-Encoding: gzip\r\n"), 200, "path"},
      {"If-Match", get("/v2/things/7", "If-Match: \"7\", W/\"8\"\r\n"), 200, "path"},
      {"If-Match without quotes", get("/v2/things/7", "If-Match: 7\r\n"), 400,
       R"("field":"If-Match")"},
      {"If-Match, a star among tags", get("/v2/things/7", "If-Match: \"7\"\r\nIf-Match: *\r\n"),
       400, "with their quotes"},
      {"If-None-Match without quotes", get("/v2/things/7", "If-None-Match: \"7\r\n"), 400,
       R"("field":"If-None-Match")"},
  });
}

TEST_F(router_test, says_which_coding_it_takes) {
  start();
  auto no = ask(post("/v2/things", "{}", "Idempotency-Key: k\r\nContent-Encoding: gzip\r\n"));
  EXPECT_EQ(no.status, 415u);
  EXPECT_EQ(no.header("accept-encoding"), "identity");
}

/// RFC 9110 5.3: several lines are one list; an empty one is a list of nothing, not no list.
TEST_F(router_test, lines_of_a_precondition_are_one_list) {
  for (auto& row : routes)
    if (row.pattern == "/v2/things/{id}" && row.verb == method::get)
      row.handle = [](request from, responder done) {
        done({200, "text/plain", from.if_match + "|" + from.if_none_match, {}});
      };
  start();
  const std::pair<const char*, const char*> table[] = {
      {"", "|"},
      {"If-Match: \"7\"\r\n", "\"7\"|"},
      {"If-Match: \"7\"\r\nIf-Match: \"8\"\r\n", "\"7\",\"8\"|"},
      {"If-Match:\r\n", ",|"},
      {"If-None-Match: W/\"7\"\r\nIf-None-Match:\r\n", "|W/\"7\","},
  };
  for (auto& [headers, expected] : table)
    EXPECT_EQ(ask(get("/v2/things/7", headers)).body, expected) << headers;
}

/// One thing has one path, whoever writes it: keys in flight and request ids go by it.
TEST_F(router_test, an_id_in_the_path_is_written_in_lower_case) {
  start();
  const std::string small = "3f0e8c1a-52b7-8e4d-9a61-0c2f7b5d4e10";
  const std::string capitals = "3F0E8C1A-52B7-8E4D-9A61-0C2F7B5D4E10";
  auto got = ask(post("/v2/things/" + capitals + "/parts/" + capitals + "/act", ""));
  EXPECT_NE(got.body.find(R"("path":"/v2/things/)" + small + "/parts/" + small + "/act\""),
            std::string::npos)
      << got.body;
  EXPECT_NE(got.body.find(R"("id":")" + small), std::string::npos) << got.body;
  EXPECT_EQ(got.body.find(capitals), std::string::npos);
  EXPECT_NE(ask(get("/v2/things/Rai-Store")).body.find("Rai-Store"), std::string::npos)
      << "what is no id is left as it is";
}

TEST_F(router_test, names_the_allowed_methods) {
  start();
  EXPECT_EQ(ask(with_token("PUT /v2/things")).header("allow"), "GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(ask(with_token("DELETE /v2/things/7/parts/8/act")).header("allow"), "POST, OPTIONS");
  auto options_reply = ask(bare("OPTIONS /v2/things"));
  EXPECT_EQ(options_reply.status, 204u);
  EXPECT_EQ(options_reply.header("allow"), "GET, HEAD, POST, OPTIONS");
  EXPECT_FALSE(options_reply.headers.contains("content-length"));
  EXPECT_EQ(ask(bare("OPTIONS *")).status, 204u);
}

TEST_F(router_test, asks_for_a_bearer_token) {
  start();
  EXPECT_EQ(ask(bare("GET /v2/things")).header("www-authenticate"), "Bearer");
}

TEST_F(router_test, only_open_paths_are_answered_while_not_ready) {
  gates.ready = [] { return false; };
  start();
  auto no = ask(get("/v2/things"));
  EXPECT_EQ(no.status, 503u);
  EXPECT_NE(no.body.find("not_ready"), std::string::npos);
  EXPECT_FALSE(no.header("retry-after").empty());
  EXPECT_EQ(ask(bare("GET /health")).status, 200u);
}

TEST_F(router_test, labels_requests_by_pattern) {
  start();
  ask(get("/v2/things/7"));
  ask(get("/nowhere"));
  ASSERT_TRUE(eventually([&] { return probe.finished().size() == 2; }));
  EXPECT_EQ(probe.finished()[0], "GET /v2/things/{id} 200");
  EXPECT_EQ(probe.finished()[1], "GET - 404");
}

TEST_F(router_test, a_contradicting_table_is_refused_at_start) {
  auto again = routes[1];
  EXPECT_THROW(router({again, again}), std::logic_error);
  again.handle = nullptr;
  EXPECT_THROW(router({again}), std::logic_error);
  again = routes[1];
  again.pattern = "v2";
  EXPECT_THROW(router({again}), std::logic_error);
}

} // namespace
} // namespace rahat::http::test
