#pragma once

#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace rahat::ctl {

/// A listener on a free port of this host that gives prepared answers and remembers what it was
/// asked. One connection at a time, one request a connection.
class fake_node {
public:
  struct reply {
    int status = 200;
    std::string body;
    std::string content_type = "application/json";
    std::string headers = ""; // further header lines, each with "\r\n"
  };
  struct request {
    std::string line; // "GET /health HTTP/1.1"
    std::string head; // the header as it came
    std::string body;
  };

  fake_node();
  ~fake_node();
  fake_node(const fake_node&) = delete;
  fake_node& operator=(const fake_node&) = delete;

  /// Answers "GET /health" and the like; anything else gets a 404 problem.
  void on(const std::string& method_and_path, reply answer);

  /// One answer after the other; the last one stays.
  void on(const std::string& method_and_path, std::vector<reply> answers);

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::vector<request> requests() const;

private:
  void serve();
  void answer(int connection);

  int listener_ = -1;
  int port_ = 0;
  mutable std::mutex lock_;
  std::map<std::string, std::vector<reply>> replies_; // never empty
  std::vector<request> requests_;
  std::thread thread_;
};

} // namespace rahat::ctl
