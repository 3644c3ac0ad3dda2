#pragma once

#include <string>
#include <vector>

namespace rahat::bench {

/// What wrk saw.
struct load_result {
  double per_second = 0; // answers of 2xx
  double answered = 0;   // of 2xx
  double refused = 0;    // other answers
  double p99_ms = 0;
};

/// One load of `wrk -t1`, the requests of which are built by a script of ours.
class load {
public:
  /// GET of each path in turn, with the token.
  static load of_reads(const std::string& folder, const std::vector<std::string>& paths,
                       const std::string& token);
  /// POST of the body to each path in turn; every request of every run has an Idempotency-Key of
  /// its own.
  static load of_posts(const std::string& folder, const std::vector<std::string>& paths,
                       const std::string& token, const std::string& json);

  /// Throws std::runtime_error when wrk fails or could not connect.
  load_result run(const std::string& url, unsigned seconds, unsigned connections = 64) const;

private:
  explicit load(std::string script) : script_(std::move(script)) {}

  std::string script_;
};

} // namespace rahat::bench
