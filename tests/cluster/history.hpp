#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

namespace rahat::test {

/// One try of a request at one node.
struct attempt {
  std::size_t node = 0;
  std::int64_t at_ms = 0; // since the history began
  std::int64_t took_ms = 0;
  unsigned status = 0; // 0: no answer, see fault
  std::string fault;
};

/// A POST with its key, all tries of it, and how it ended.
struct request {
  std::string token;
  std::string path;
  std::string type = "application/json";
  std::string body;
  std::string key;
  std::int64_t amount_minor = 0; // of a funding, else 0
  std::vector<attempt> attempts;
  unsigned status = 0; // of the last answer that is one; 0: it was given up
  std::string answer;

  bool accepted() const { return status >= 200 && status < 300; }
  /// From the first try to the end of the last, in ms.
  std::int64_t took_ms() const;
};

/// Everything that clients asked for while a test ran. Thread-safe.
class history {
public:
  history();

  std::int64_t now_ms() const;
  void add(request one);
  /// Free text among the requests: what was done to the cluster.
  void note(const std::string& what);

  std::vector<request> all() const;
  std::size_t size() const;

  /// One JSON object a line, in the order in which they ended; tokens are left out.
  void write(const std::filesystem::path& file) const;

private:
  struct remark {
    std::size_t after; // so many requests
    std::int64_t at_ms;
    std::string what;
  };

  const std::int64_t began_ms_;
  mutable std::mutex mutex_;
  std::vector<request> requests_;
  std::vector<remark> remarks_;
};

} // namespace rahat::test
