#pragma once

#include "tests/cluster/load.hpp"

namespace rahat::test {

/// One register, and disbursements over all of it, one after another until `stop`: draft, lock,
/// approve, pay, each through any node and repeated until it is answered.
class payments {
public:
  /// Makes the project and uploads the register: on a cluster that is well.
  payments(const cluster_process& cluster, const people& who, history& book, std::size_t lines,
           std::uint64_t seed);
  ~payments();

  void start();
  /// The one under way, or else the first, is the last.
  void finish() { ended_ = true; }
  bool done() const { return done_; }
  /// Waits for the one under way to be completed. Throws what went wrong.
  void stop();

  std::size_t lines() const { return lines_; }
  const std::string& project() const { return project_; }
  /// Pay lists of the completed ones; after `stop`.
  const std::vector<std::string>& lists() const { return lists_; }

private:
  void upload();
  void pay_once();
  /// Looks, through failures, until it has this status.
  boost::json::value until(const std::string& path, const std::string& status);

  const std::size_t lines_;
  client maker_;
  client checker_;
  std::string project_;
  std::vector<std::string> lists_;
  std::atomic<bool> ended_{false};
  std::atomic<bool> done_{false};
  std::string failure_;
  std::thread thread_;
};

} // namespace rahat::test
