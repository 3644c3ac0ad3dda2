#pragma once

#include "actors/batch/batch.hpp"
#include "actors/disbursement/disbursement.hpp"
#include "actors/project/project.hpp"
#include "actors/settlement/settlement.hpp"
#include "actors/upload/upload.hpp"
#include "actors/vendor/vendor.hpp"
#include "tests/unit/actors/support/playground.hpp"

#include <random>
#include <string>
#include <vector>

namespace rahat::testing {

/// One aid project with all the kinds around it, and the people who work on it. What they ask goes
/// through the playground, which checks the books after every commit. Everything that is drawn, is
/// drawn from the seed.
class world {
public:
  explicit world(std::uint64_t seed);

  playground& play() { return play_; }
  const playground& play() const { return play_; }
  /// A number in [0, end).
  std::uint64_t draw(std::uint64_t end) { return random_() % end; }
  /// Delivers up to `most` messages or turns of own work: people do not wait until all is quiet.
  void stir(std::uint64_t most = 12);

  const entity_ref& project() const { return project_; }
  void activate();
  void suspend();
  reply close();
  void fund(std::int64_t amount_minor);

  /// A register of `rows` households that each ask for `amount_minor`, staged and closed. Persons
  /// are numbered from `first_person`; two registers with one number share a household.
  entity_ref upload_register(std::uint32_t rows, std::int64_t amount_minor,
                             std::uint64_t first_person);
  std::vector<entity_ref> batches() const;

  /// Waits, like its client, until the project has answered; it may have moved on by then.
  entity_ref create_disbursement(std::int64_t amount_each_minor = 0);
  reply lock(const entity_ref& disbursement);
  reply approve(const entity_ref& disbursement); // of the list as it stands
  reply reject(const entity_ref& disbursement);
  reply pay(const entity_ref& disbursement);
  reply pause(const entity_ref& disbursement);
  reply resume(const entity_ref& disbursement);
  reply cancel(const entity_ref& disbursement);
  pb::DisbursementState disbursement_state(const entity_ref& disbursement) const;

  entity_ref register_vendor();
  reply verify(const entity_ref& vendor);
  reply suspend(const entity_ref& vendor);
  reply reactivate(const entity_ref& vendor);

  /// Issues a code and spends from the wallet with it.
  reply redeem(const entity_ref& batch, std::uint32_t member, const entity_ref& vendor,
               std::int64_t amount_minor);
  reply freeze(const entity_ref& batch);
  reply thaw(const entity_ref& batch);

  entity_ref open_settlement(const entity_ref& vendor);
  reply request(const entity_ref& settlement);
  reply approve_settlement(const entity_ref& settlement);
  reply pay_settlement(const entity_ref& settlement);
  reply withdraw(const entity_ref& settlement);
  pb::SettlementState settlement_state(const entity_ref& settlement) const;

  std::int64_t outside_minor() const;
  std::int64_t budget_minor() const;
  std::int64_t wallets_minor() const;
  std::int64_t vendors_minor() const;

  /// What holds when nothing is on its way any more: the sums agree, no account is left over, the
  /// events give the states again.
  void check_at_rest();

private:
  reply ask(const entity_ref& to, const google::protobuf::Message& command,
            const std::string& user);
  entity_ref fresh(const std::string& kind);
  /// A client's request whose answer waits for others; steps until it has come.
  reply ask_and_wait(const entity_ref& to, const google::protobuf::Message& command,
                     const std::string& user);

  playground play_;
  std::mt19937_64 random_;
  entity_ref project_;
  std::uint64_t made_ = 0;
  std::int64_t funded_minor_ = 0;
  std::vector<entity_ref> disbursements_;
  std::vector<entity_ref> vendors_;
};

} // namespace rahat::testing
