#pragma once

#include <sys/types.h>
#include <string>

namespace rahat::ctl {

/// A node that the demo starts for itself, in a data folder of its own.
class demo_node {
public:
  /// Starts `program` on free ports and waits until it is ready. Throws std::runtime_error with the
  /// end of its log when it does not come up, and `interrupted` after a signal; in both cases it is
  /// stopped again.
  demo_node(std::string program, std::string data);
  ~demo_node(); // stops it, unless `leave_running` was said

  demo_node(const demo_node&) = delete;
  demo_node& operator=(const demo_node&) = delete;

  void leave_running() { keep_ = true; }

  /// SIGTERM and wait; returns its exit code. One that does not end within a minute and a half is
  /// killed: 137.
  int stop();

  const std::string& url() const { return url_; }
  const std::string& internal_url() const { return internal_url_; }
  const std::string& data() const { return data_; }
  std::string token_file() const { return data_ + "/admin.token"; }
  pid_t pid() const { return pid_; }

private:
  void spawn(const std::string& program);
  void wait_until_ready();

  std::string data_;
  std::string url_;
  std::string internal_url_;
  pid_t pid_ = -1;
  int output_ = -1;
  bool keep_ = false;
};

} // namespace rahat::ctl
