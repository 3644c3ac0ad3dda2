#pragma once

#include "persistence/cluster/pg_membership.hpp"
#include "tests/conformance/membership_suite.hpp"
#include "tests/support/pg_fixture.hpp"

#include <map>
#include <memory>
#include <pqxx/pqxx>
#include <string>

namespace rahat::conformance {

/// A database of its own, and the stores of its nodes.
class pg_cluster final : public cluster_under_test {
public:
  pg_cluster();

  std::variant<cluster::member_id, std::string> enrol(const enrolment& who,
                                                      std::chrono::milliseconds ttl) override;
  rahat::membership_store& store(const cluster::member_id& me) override;
  bool renew(const cluster::member_id& me) override;
  void set_lease(const cluster::member_id& of, std::chrono::milliseconds from_now) override;
  void age_votes(std::chrono::milliseconds by) override;
  void open_session(const cluster::member_id& of) override;
  std::size_t sessions(const cluster::member_id& of) override;
  void move_head(shard_id shard, std::int64_t to) override;
  void of_another_generation(shard_id shard) override;

  /// One statement as superuser.
  pqxx::result sql(const std::string& text);
  std::string ask(const std::string& text) { return sql(text)[0][0].c_str(); }

  std::unique_ptr<pg_membership> make(const cluster::member_id& me, const clock* time = nullptr);
  std::unique_ptr<pqxx::connection> session(const cluster::member_id& of, const std::string& part);
  const test::test_database& database() const { return database_; }

private:
  const test::test_database database_;
  pqxx::connection admin_;
  const generation now_;
  std::map<cluster::member_id, std::unique_ptr<pg_membership>> nodes_;
  std::vector<std::unique_ptr<pqxx::connection>> sessions_;
};

} // namespace rahat::conformance
