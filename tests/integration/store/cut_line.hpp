#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

namespace rahat::test {

/// A line to a Postgres socket that can be cut: clients connect to `folder()` as if it were the
/// server's socket folder. Cuts are real: the server sees its client vanish, the client its server.
class cut_line {
public:
  /// `server_socket` is the full path of the server's socket.
  cut_line(std::filesystem::path folder, std::string server_socket);
  ~cut_line();

  cut_line(const cut_line&) = delete;
  cut_line& operator=(const cut_line&) = delete;

  std::string folder() const { return folder_.string(); }

  /// The next n batches do not reach the server.
  void cut_before_batch(std::uint32_t n) { before_ += n; }
  /// The next n batches are committed, their replies are lost.
  void cut_after_batch(std::uint32_t n) { after_ += n; }
  /// All connections end and none is made until `back`.
  void away() { away_ = true; }
  void back() { away_ = false; }

private:
  struct wire {
    int client = -1;
    int server = -1;
    bool lose_reply = false;
  };

  void run();
  void accept_one();
  bool forward(wire& w, bool from_client);
  static void hang_up(wire& w);

  std::filesystem::path folder_;
  std::string server_socket_;
  int listener_ = -1;
  std::atomic<std::uint32_t> before_{0};
  std::atomic<std::uint32_t> after_{0};
  std::atomic<bool> away_{false};
  std::atomic<bool> stop_{false};
  std::vector<wire> wires_;
  std::thread thread_;
};

} // namespace rahat::test
