#include "tests/unit/http/client.hpp"

namespace rahat::http::test {
namespace {

class smuggling_test : public edge_test {};

struct row {
  const char* what;
  std::string bytes;
  unsigned status;
};

std::string head(std::string_view fields, std::string_view line = "POST /v2/things HTTP/1.1") {
  return std::string(line) + "\r\nHost: a\r\n" + std::string(auth) +
         "Content-Type: application/json\r\nIdempotency-Key: k\r\n" + std::string(fields) + "\r\n";
}

/// Whatever could make a proxy and this server disagree about where a request ends is refused, and
/// the connection closed, so that what follows is never taken for a request.
TEST_F(smuggling_test, ambiguous_requests_are_refused_and_the_connection_ends) {
  start();
  const std::vector<row> table = {
      {"both lengths", head("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n",
       400},
      {"both lengths, other order",
       head("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n") + "0\r\n\r\n", 400},
      {"two lengths", head("Content-Length: 2\r\nContent-Length: 3\r\n") + "{}", 400},
      {"two equal lengths", head("Content-Length: 2\r\nContent-Length: 2\r\n") + "{}", 400},
      {"list of lengths", head("Content-Length: 2, 2\r\n") + "{}", 400},
      {"negative length", head("Content-Length: -1\r\n"), 400},
      {"signed length", head("Content-Length: +2\r\n") + "{}", 400},
      {"hex length", head("Content-Length: 0x2\r\n") + "{}", 400},
      {"huge length", head("Content-Length: 99999999999999999999\r\n"), 400},
      {"empty length", head("Content-Length: \r\n"), 400},
      {"folded line", head("X-A: b\r\n c\r\n"), 400},
      {"folded with tab", head("Content-Length:\r\n\t2\r\n") + "{}", 400},
      {"blank before colon", head("Content-Length : 2\r\n") + "{}", 400},
      {"two codings", head("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400},
      {"other coding", head("Transfer-Encoding: gzip\r\n"), 501},
      {"coding list", head("Transfer-Encoding: gzip, chunked\r\n"), 501},
      {"hidden coding", head("Transfer-Encoding: xchunked\r\n"), 501},
      {"chunked in HTTP/1.0",
       head("Transfer-Encoding: chunked\r\n", "POST /v2/things HTTP/1.0") + "0\r\n\r\n", 400},
      {"no host", "GET /v2/things HTTP/1.1\r\n\r\n", 400},
      {"two hosts", head("Host: b\r\n"), 400},
      {"two tokens", head("Authorization: Bearer x\r\n"), 400},
      {"NUL in a field", head(std::string("X-A: a\0b\r\n", 10)), 400},
      {"bare CR", head("X-A: a\rb\r\n"), 400},
      {"bad version", "GET / HTTP/2.0\r\n\r\n", 505},
      {"no version", "GET /\r\n\r\n", 400},
      {"not HTTP", "\x16\x03\x01\r\n\r\n", 400},
      {"odd expectation", head("Expect: 200-ok\r\n"), 417},
      {"bad chunk size", head("Transfer-Encoding: chunked\r\n") + "zz\r\n{}\r\n0\r\n\r\n", 400},
      {"chunk too long", head("Transfer-Encoding: chunked\r\n") + "2\r\n{}{}\r\n0\r\n\r\n", 400},
  };
  for (auto& one : table) {
    client c(port);
    c.send(one.bytes + get("/v2/things/smuggled"));
    auto got = c.read();
    EXPECT_EQ(got.status, one.status) << one.what << "\n" << got.body;
    EXPECT_EQ(got.header("connection"), "close") << one.what;
    c.shut_down_send();
    EXPECT_EQ(c.read().status, 0u) << one.what << ": the rest was taken for a request";
  }
}

TEST_F(smuggling_test, chunked_bodies_are_read) {
  start();
  auto got = ask(head("Transfer-Encoding: chunked\r\n") +
                 "3;ext=1\r\n{\"a\r\n5\r\n\":12}\r\n0\r\nX-Trailer: y\r\n\r\n");
  EXPECT_EQ(got.status, 200u) << got.body;
  EXPECT_NE(got.body.find(R"({\"a\":12})"), std::string::npos) << got.body;
}

TEST_F(smuggling_test, handlers_cannot_split_a_reply) {
  route row;
  row.pattern = "/split";
  row.handle = [](request, responder done) {
    done({200, "application/json", "{}", {{"X-Name", "a\r\nX-Evil: 1\r\n\r\nHTTP/1.1 200"}}});
  };
  routes.push_back(row);
  start();
  auto got = ask(get("/split"));
  EXPECT_EQ(got.status, 200u);
  EXPECT_FALSE(got.headers.contains("x-evil"));
  EXPECT_EQ(got.body, "{}");
}

} // namespace
} // namespace rahat::http::test
