#pragma once

#include "persistence/memory/hand_clock.hpp"
#include "runtime/cluster/transport/link.hpp"
#include "tests/support/seeded_random.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rahat::test {

/// Node number n: numbers order them.
inline cluster::member_id member_number(int n, std::int64_t incarnation = 1) {
  uuid id;
  id.bytes[0] = 0x0a;
  id.bytes[15] = static_cast<std::uint8_t>(n);
  return {id, incarnation};
}

/// Certificates of nodes 1 to 4 by one authority, made once for all tests.
const key_pair& certificate_of(int n);
const std::string& authority();
/// A certificate for node n of somebody else's authority.
const key_pair& foreign_certificate_of(int n);

/// Two ends of one channel without mesh or channels: messages are passed by hand.
class link_pair {
public:
  struct end {
    cluster::link_self self;
    std::optional<proof_signer> signer;
    std::optional<proof_verifier> verifier;
    std::string remote;
    std::function<cluster::admission(const cluster::member_id&)> judge;
    std::unique_ptr<cluster::link> l;
    std::uint64_t last_link = 0;
    std::vector<wire::LinkMessage> going; // out of it, not yet passed on
    std::vector<cluster::link::delivery> frames;
    std::size_t strangers = 0;
    bool takes = true; // confirms what it is given
  };

  explicit link_pair(bool insecure = false);

  /// After changes of `a` and `b`: makes the links, which say hello. a has dialled.
  void open();

  /// Passes messages until none is left.
  void pass();

  /// One end's messages only, and not what they lead to.
  void pass_from(end& from);

  /// Time passes in steps of 50 ms, with ticks and messages.
  void run(std::chrono::milliseconds time);

  /// open, pass; true if both are up.
  bool up();

  void harvest(end& from);

  hand_clock time;
  seeded_random dice{7};
  end a; // node 1
  end b; // node 2

  /// Sees or changes a message on its way; false: it is lost.
  std::function<bool(const end& from, wire::LinkMessage& m)> on_the_way;

private:
  void prepare(end& e, int number, bool insecure);
  end& other(const end& e) { return &e == &a ? b : a; }
};

} // namespace rahat::test
