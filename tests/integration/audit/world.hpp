#pragma once

#include "persistence/audit/options.hpp"
#include "runtime/decider/decision.hpp"
#include "runtime/ports/store.hpp"
#include "tests/support/pg_fixture.hpp"

#include <deque>
#include <map>
#include <pqxx/pqxx>
#include <string>
#include <vector>

namespace rahat::test {

/// A small aid programme on the books, written by plain SQL: every row as hosts and writers would
/// have left it, so that a test decides about each of them.
class world {
public:
  world();

  /// Where a commit stands.
  struct place {
    shard_id shard = 0;
    std::uint64_t position = 0;
  };

  const entity_ref project{"project", derive_id({"project of a test"})};
  const entity_ref disbursement{"disbursement", derive_id({"disbursement of a test"})};
  const entity_ref batch{"batch", derive_id({"batch of a test"})};
  const entity_ref vendor{"vendor", derive_id({"vendor of a test"})};
  const uuid list = derive_id({"list of a test"});

  // -- what happens ---------------------------------------------------------

  /// Accounts are open, the project has money and has reserved `reserve_minor` of it; nobody has
  /// applied anything.
  void fund(std::int64_t funds_minor, std::int64_t reserve_minor);
  /// The batch locks that many lines, line i over 100 + i.
  place lock(std::uint32_t lines);
  /// A chunk of the list is paid; the batch is told.
  place pay(std::uint32_t first, std::uint32_t count);
  place redeem(std::uint32_t member, std::int64_t amount_minor);
  /// A commit that moves nothing.
  place note(const entity_ref& who);
  /// `target` applies the oldest message of `source`.
  place apply(const entity_ref& target, const entity_ref& source);
  /// A message without money.
  place tell(const entity_ref& source, const entity_ref& target);

  /// All of the above once, everything applied but the last redemption.
  void live();
  place first_chunk; // of `live`: lines 0 to 19
  place redeemed;    // of `live`: member 3, 50

  // -- tampering and looking ------------------------------------------------

  pqxx::result sql(const std::string& text); // as superuser
  std::string count(const std::string& from);
  /// Computes the hashes of a shard's rows from a position on anew, and the head.
  void rehash(shard_id shard, std::uint64_t from);

  audit_options options() const;
  const test_database& database() const { return database_; }

private:
  struct told {
    std::uint64_t n = 0;
    std::string currency;
    std::int64_t amount_minor = 0; // 0: none
  };
  struct act {
    entity_ref who;
    std::string type;
    wire::Commit payload;
    std::vector<transfer> transfers;
    std::vector<std::pair<entity_ref, told>> tells; // in order, numbered by `commit`
  };

  void open(const entity_ref& owner, const uuid& first, const uuid& last, const char* role);
  void move(act& a, const transfer& t);
  place commit(act a);
  void save_transfers(pqxx::transaction_base& work, const act& a, place at);
  void save_totals(pqxx::transaction_base& work, const act& a);

  test_database database_;
  pqxx::connection admin_;
  scratch_folder files_;
  std::map<shard_id, std::pair<std::uint64_t, digest>> heads_;
  std::map<entity_ref, std::uint64_t> seqs_;
  std::map<std::pair<entity_ref, entity_ref>, std::uint64_t> numbers_;
  std::map<std::pair<entity_ref, entity_ref>, std::deque<told>> under_way_;
  std::map<entity_ref, std::int64_t> known_;
};

} // namespace rahat::test
