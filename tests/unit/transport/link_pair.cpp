#include "link_pair.hpp"

#include <array>
#include <stdexcept>
#include <utility>

namespace rahat::test {

namespace {

using namespace std::chrono_literals;

key_pair must(key_pair_result made) {
  if (auto* failed = std::get_if<error>(&made))
    throw std::runtime_error(failed->message);
  return std::get<key_pair>(std::move(made));
}

struct world_of_keys {
  explicit world_of_keys(std::uint64_t seed) {
    hand_clock time;
    seeded_random dice{seed};
    const issue_terms terms{300, time.now_us(), key_kind::ed25519};
    root = must(make_authority("aid", terms, dice));
    for (int n = 1; n <= 4; ++n)
      nodes[static_cast<std::size_t>(n)] =
          must(make_node_certificate(root, member_number(n).node, terms, dice));
  }

  key_pair root;
  std::array<key_pair, 5> nodes;
};

const world_of_keys& ours() {
  static const world_of_keys all{1};
  return all;
}

} // namespace

const key_pair& certificate_of(int n) {
  return ours().nodes.at(static_cast<std::size_t>(n));
}

const std::string& authority() {
  return ours().root.certificate;
}

const key_pair& foreign_certificate_of(int n) {
  static const world_of_keys all{2};
  return all.nodes.at(static_cast<std::size_t>(n));
}

link_pair::link_pair(bool insecure) {
  prepare(a, 1, insecure);
  prepare(b, 2, insecure);
  a.remote = b.self.transport_id;
  b.remote = a.self.transport_id;
}

void link_pair::prepare(end& e, int number, bool insecure) {
  e.self.id = member_number(number);
  e.self.transport_id = "process-" + std::to_string(number);
  e.self.insecure = insecure;
  e.judge = [](const cluster::member_id&) {
    return cluster::admission{cluster::admission::verdict::welcome, {}};
  };
  if (insecure)
    return;
  e.signer.emplace(std::get<proof_signer>(proof_signer::make(certificate_of(number))));
  e.verifier.emplace(std::get<proof_verifier>(proof_verifier::make(authority(), time)));
  e.self.signer = &*e.signer;
  e.self.verifier = &*e.verifier;
}

void link_pair::open() {
  for (auto* e : {&a, &b}) {
    e->l = std::make_unique<cluster::link>(
        e->self, e == &a ? link_role::dialler : link_role::listener, e->remote,
        [e](const cluster::member_id& who) { return e->judge(who); }, dice, e->last_link,
        time.steady());
    e->l->begin();
  }
}

void link_pair::harvest(end& from) {
  for (;;) {
    auto out = from.l->take_output();
    from.strangers += out.strangers;
    for (auto& m : out.messages)
      from.going.push_back(std::move(m));
    if (out.frames.empty())
      return;
    for (auto& f : out.frames) {
      if (from.takes)
        from.l->taken(f, time.steady());
      from.frames.push_back(std::move(f));
    }
  }
}

void link_pair::pass_from(end& from) {
  harvest(from);
  auto& to = other(from);
  for (auto& m : std::exchange(from.going, {}))
    if (!on_the_way || on_the_way(from, m))
      to.l->received(m.SerializeAsString(), time.steady());
}

void link_pair::pass() {
  for (harvest(a), harvest(b); !a.going.empty() || !b.going.empty(); harvest(a), harvest(b)) {
    pass_from(a);
    pass_from(b);
  }
}

void link_pair::run(std::chrono::milliseconds span) {
  for (; span > 0ms; span -= 50ms) {
    time.pass(50ms);
    a.l->tick(time.steady(), 1);
    b.l->tick(time.steady(), 1);
    pass();
  }
}

bool link_pair::up() {
  open();
  pass();
  using phase = cluster::link::phase;
  return a.l->now_in() == phase::up && b.l->now_in() == phase::up;
}

} // namespace rahat::test
