#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <iosfwd>
#include <string>
#include <utility>
#include <vector>

namespace rahat::ctl {

/// The longest answer that is read; a longer one is a fault.
inline constexpr std::size_t max_answer_bytes = 64 * 1024 * 1024;

/// One request. POSTs carry an Idempotency-Key: the one given, else a fresh random one.
struct call {
  std::string method = "GET";
  std::string path = "/"; // from the root, with its query: "/v2/projects?limit=5"
  std::string body = "";  // sent if not empty, or with POST
  std::string content_type = "application/json";
  std::istream* upload = nullptr; // sent instead of `body`, as it is read
  std::string idempotency_key = "";
  std::chrono::seconds timeout{30}; // from start to the last byte; 0 = none
};

/// What came of it: an answer (any status), or a fault: no answer at all.
struct answer {
  long status = 0;
  std::string body;
  std::string content_type;
  std::string etag;
  std::string fault; // a sentence that says what to do; "" if there was an answer

  bool ok() const { return fault.empty() && status >= 200 && status < 300; }
};

/// An HTTP client for one listener of one node. Keeps its connection. Used by one thread.
class client {
public:
  /// `base_url` as in "http://127.0.0.1:8080"; an empty token sends none.
  client(std::string base_url, std::string token);
  ~client();
  client(const client&) = delete;
  client& operator=(const client&) = delete;

  answer send(const call& what);
  answer get(const std::string& path) { return send({.path = path}); }
  answer post(const std::string& path, std::string json) {
    return send({.method = "POST", .path = path, .body = std::move(json)});
  }

  /// Asked about once a second while a request runs: true ends it with a fault.
  void give_up_when(std::function<bool()> wanted) { give_up_ = std::move(wanted); }

  const std::string& base_url() const { return base_url_; }

private:
  std::string base_url_;
  std::string token_;
  std::function<bool()> give_up_;
  void* curl_; // CURL*: libcurl is seen in client.cpp only
};

/// 32 hex digits from the system's generator.
std::string random_key();

} // namespace rahat::ctl
