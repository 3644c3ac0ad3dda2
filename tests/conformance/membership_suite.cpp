#include "tests/conformance/membership_suite.hpp"

namespace rahat::conformance {

uuid membership_suite::node(std::uint8_t n) {
  uuid id;
  id.bytes[15] = n;
  return id;
}

enrolment membership_suite::paper(std::uint8_t n) {
  enrolment who;
  who.node = node(n);
  who.name = "node-" + std::to_string(n);
  who.address = "10.0.0." + std::to_string(n);
  who.port = static_cast<std::uint16_t>(7400 + n);
  who.operators = who.address + ":8081";
  who.build = "1.2.3";
  who.key_check = std::string{"\x00\xff key", 6};
  return who;
}

cluster::member_id membership_suite::joining(std::uint8_t n) {
  auto got = db().enrol(paper(n), case_ttl);
  if (auto* why = std::get_if<std::string>(&got)) {
    ADD_FAILURE() << *why;
    return {};
  }
  return std::get<id>(got);
}

cluster::member_id membership_suite::active(std::uint8_t n) {
  auto me = joining(n);
  EXPECT_EQ(change(me, status::joining, status::active), swap::done);
  return me;
}

std::string membership_suite::refusal(const enrolment& who, std::chrono::milliseconds ttl) {
  auto got = db().enrol(who, ttl);
  auto* why = std::get_if<std::string>(&got);
  return why == nullptr ? "(was not refused)" : *why;
}

cluster_reading membership_suite::read(const id& as) {
  return must(ask<cluster_reading>([&](auto done) { db().store(as).read(done); }));
}

cluster::member_status membership_suite::status_of(const id& who, const id& as) {
  const auto seen = read(as);
  const auto* m = seen.now.find(who);
  EXPECT_NE(m, nullptr) << who.str() << " has no row";
  return m == nullptr ? status::dead : m->status;
}

swap membership_suite::change(const id& who, status from, status to) {
  const auto seen = version(who);
  return must(
      ask<swap>([&](auto done) { db().store(who).change(from, to, "a case", seen, done); }));
}

swap membership_suite::vote(const id& voter, const id& against) {
  return must(ask<swap>([&](auto done) { db().store(voter).vote(against, done); }));
}

swap membership_suite::bury(const id& judge, const id& who, cluster::death_reason why) {
  const auto seen = read(judge);
  const auto* m = seen.now.find(who);
  const cluster::declare_dead what{seen.now.version, who, why,
                                   m == nullptr ? 0 : m->lease_until_us};
  return must(ask<swap>([&](auto done) { db().store(judge).declare(what, done); }));
}

std::optional<shard_grant> membership_suite::take(const id& who, shard_id shard) {
  return must(
      ask<std::optional<shard_grant>>([&](auto done) { db().store(who).take(shard, done); }));
}

swap membership_suite::release(const id& who, const shard_grant& as) {
  return must(ask<swap>([&](auto done) { db().store(who).release(as, done); }));
}

} // namespace rahat::conformance
