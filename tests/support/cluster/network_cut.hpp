#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace rahat::test {

/// A network of this test's own, in which packets can be dropped without a word: a bridge with one
/// network namespace a node, and the database at the bridge.
///
///   the thread's new namespace: bridge, the clients' address, the database's address
///     +- node 0's namespace: one address
///     +- node 1's namespace ...
///
/// No namespace has a name and none is the machine's: addresses and interfaces of two runs cannot
/// meet, and the kernel removes everything with the last process in it, also after a crash.
///
/// The thread that makes it is inside from then on, with the threads and processes that it starts
/// later, and is back where it was when the object goes. One thread. A machine on which
/// `refusal()` says nothing.
class network_cut {
public:
  /// Why this machine does not permit it, as a sentence that says what to do; else empty.
  static std::string refusal();

  /// Throws std::runtime_error.
  explicit network_cut(std::size_t nodes);
  ~network_cut();
  network_cut(const network_cut&) = delete;
  network_cut& operator=(const network_cut&) = delete;

  std::string address_of(std::size_t node) const;
  std::string database_address() const;
  /// The descriptor of a node's namespace, for setns(2).
  int space_of(std::size_t node) const { return spaces_[node]; }

  /// What `from` sends to `to` is dropped where it arrives; the other direction passes.
  void cut_one_way(std::size_t from, std::size_t to);
  void cut_between(std::size_t one, std::size_t other);
  /// Both directions, between this node and every other.
  void cut_from_peers(std::size_t node);
  /// Both directions.
  void cut_from_database(std::size_t node);
  /// Everything passes again.
  void heal();

private:
  void enter_own_space();
  void build(std::size_t nodes);
  void leave();
  void add_node(std::size_t node);

  int former_ = -1; // the namespace to go back to
  std::vector<int> spaces_;
};

} // namespace rahat::test
