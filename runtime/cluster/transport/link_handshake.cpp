#include "runtime/cluster/transport/link.hpp"

#include <algorithm>
#include <utility>

/// Who is at the other end: hello, proof, welcome.
namespace rahat::cluster {

namespace {

std::string name_of(const member_id& who) {
  return "node " + who.str();
}

link_role other_end(link_role role) {
  return role == link_role::dialler ? link_role::listener : link_role::dialler;
}

} // namespace

void link::begin() {
  my_nonce_ = make_proof_nonce(dice_);
  auto& hello = *wanted_.messages.emplace_back().mutable_hello();
  hello.set_protocol(link_protocol);
  hello.set_build_level(static_cast<std::uint32_t>(self_.build_level));
  hello.set_node(self_.id.node.raw());
  hello.set_incarnation(static_cast<std::uint64_t>(self_.id.incarnation));
  hello.set_transport_id(self_.transport_id);
  hello.set_nonce(my_nonce_.data(), my_nonce_.size());
  hello.set_insecure(self_.insecure);
  if (!self_.insecure)
    hello.set_certificate(self_.signer->certificate());
}

void link::refuse(std::string sentence) {
  if (phase_ == phase::over)
    return;
  if (phase_ != phase::up)
    wanted_.messages.emplace_back().mutable_refused()->set_why(sentence);
  finish(link_end::refused, std::move(sentence));
}

void link::heard_hello(const wire::Hello& hello, time_point now) {
  if (peer_)
    return finish(link_end::violation, "it said hello twice");
  peer_ = member_id{uuid::from_raw(hello.node()), static_cast<std::int64_t>(hello.incarnation())};
  if (hello.protocol() != link_protocol)
    return refuse(name_of(self_.id) + " speaks version " + std::to_string(link_protocol) +
                  " of the protocol of links, " + name_of(*peer_) + " version " +
                  std::to_string(hello.protocol()) + ": upgrade one release at a time");
  if (peer_->node.is_nil() || hello.nonce().size() != my_nonce_.size())
    return finish(link_end::violation, "its hello is not whole");
  if (peer_->node == self_.id.node)
    return refuse("both ends are " + name_of(self_.id) +
                  ": two processes share a data folder, or an address leads back");
  if (hello.transport_id() != remote_id_)
    return refuse(name_of(*peer_) + " names another process than the one that speaks");
  if (hello.insecure() != self_.insecure)
    return refuse(std::string("cluster.insecure is ") + (self_.insecure ? "true" : "false") +
                  " at " + name_of(self_.id) + " and not at " + name_of(*peer_) +
                  ": give all nodes certificates, or none");
  std::copy(hello.nonce().begin(), hello.nonce().end(), its_nonce_.begin());
  its_certificate_ = hello.certificate();
  judge_hello(now);
}

/// Asks the view. Who is not in it may have joined a moment ago: it waits for a newer one.
void link::judge_hello(time_point now) {
  const auto found = judge_(*peer_);
  if (found.what == admission::verdict::welcome) {
    unknown_since_.reset();
    admitted_ = true;
    phase_ = phase::proving;
    return advance(now);
  }
  if (found.what == admission::verdict::refused)
    return refuse(found.why);
  if (!unknown_since_)
    unknown_since_ = now;
  else if (now - *unknown_since_ >= self_.terms.admission)
    refuse(name_of(*peer_) + " is no member in the view of " + name_of(self_.id));
}

void link::view_changed(time_point now) {
  if (phase_ == phase::greeting && peer_ && !admitted_)
    judge_hello(now);
}

void link::heard_proof(wire::Proof proof, time_point now) {
  if (!peer_ || its_proof_ || self_.insecure)
    return finish(link_end::violation, "its proof comes out of turn");
  its_proof_ = std::move(proof);
  advance(now);
}

void link::heard_welcome(const wire::Welcome& welcome, time_point now) {
  const bool in_turn = peer_ && !welcome_heard_ && (proof_sent_ || self_.insecure);
  if (!in_turn || welcome.secret().size() != link_secret_bytes)
    return finish(link_end::violation, "its welcome comes out of turn");
  welcome_heard_ = true;
  its_secret_ = welcome.secret();
  if (peer_->node < self_.id.node)
    link_number_ = welcome.link();
  advance(now);
}

/// Takes the steps whose turn it is.
void link::advance(time_point now) {
  if (!admitted_)
    return;
  if (self_.insecure)
    proven_ = true;
  else if (!proof_sent_)
    prove();
  if (!proven_ && its_proof_ && !check_proof())
    return;
  // The smaller uuid is the last to welcome: it alone says when a link is up, and in which order.
  const bool last = self_.id.node < peer_->node;
  if (proven_ && !welcome_sent_ && (!last || welcome_heard_))
    say_welcome();
  if (welcome_sent_ && welcome_heard_) {
    phase_ = phase::up;
    heard_at_ = now;
  }
}

/// One signed statement is the same for both ends, seen from either of them.
proof_statement link::statement(link_role signer) const {
  const link_identity mine{self_.id.node, static_cast<std::uint64_t>(self_.id.incarnation),
                           self_.transport_id};
  const link_identity its{peer_->node, static_cast<std::uint64_t>(peer_->incarnation), remote_id_};
  const bool own = signer == role_;
  return {signer, own ? mine : its, own ? its : mine, own ? its_nonce_ : my_nonce_,
          own ? my_nonce_ : its_nonce_};
}

void link::prove() {
  proof_sent_ = true;
  const auto signed_by_me = self_.signer->sign(statement(role_));
  auto& out = *wanted_.messages.emplace_back().mutable_proof();
  out.set_role(static_cast<std::uint32_t>(signed_by_me.role));
  out.set_answers(signed_by_me.answers.data(), signed_by_me.answers.size());
  out.set_signature(signed_by_me.signature);
}

bool link::check_proof() {
  node_proof proof;
  proof.role = its_proof_->role() == static_cast<std::uint32_t>(link_role::dialler)
                   ? link_role::dialler
                   : link_role::listener;
  if (its_proof_->answers().size() == proof.answers.size())
    std::copy(its_proof_->answers().begin(), its_proof_->answers().end(), proof.answers.begin());
  proof.signature = its_proof_->signature();
  const auto found = self_.verifier->verify(statement(other_end(role_)), proof, its_certificate_);
  proven_ = found == proof_verdict::proven;
  if (!proven_)
    refuse(name_of(*peer_) + " has not proven who it is: " + std::string(to_string(found)));
  return proven_;
}

void link::say_welcome() {
  welcome_sent_ = true;
  my_secret_.resize(link_secret_bytes);
  dice_.fill(my_secret_.data(), my_secret_.size());
  if (self_.id.node < peer_->node)
    link_number_ = ++last_link_;
  auto& out = *wanted_.messages.emplace_back().mutable_welcome();
  out.set_secret(my_secret_);
  out.set_link(link_number_);
}

} // namespace rahat::cluster
