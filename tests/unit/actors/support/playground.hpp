#pragma once

#include "runtime/decider/account.hpp"
#include "runtime/decider/kind.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rahat::testing {

/// What a client of the playground has been told.
struct reply {
  bool pending = false;
  std::uint32_t status = 0; // 0 for a refusal
  std::string answer;       // serialised Answer; empty: the entity's view
  std::optional<error> refusal;

  bool ok() const { return !pending && !refusal; }
  std::string error_name() const {
    return refusal ? std::string(to_string(refusal->code)) : std::string();
  }
};

/// A world of entities in memory. Messages and credits arrive exactly once and in order per
/// (source, target); which of them comes next, and when own work goes on, is drawn from the seed.
///
/// After every commit it checks the books as the auditor does: for each owner and currency, known
/// balance + money on its way = sum of the owner's transfers; all owners together hold 0; no
/// account but `outside` is overdrawn; no transfer key is used twice. A broken rule throws
/// broken_invariant.
///
/// Kinds that were not added are mute: they take every message and credit and do nothing; a test
/// speaks for them with `tell` and `pay`.
class playground {
public:
  explicit playground(std::uint64_t seed = 1) : random_(seed) {}

  template <class D>
  void add_kind() {
    presenter<D> silent{
        [](const typename D::state&, const entity_ref&, std::uint64_t) { return std::string(); },
        [](const typename D::answer&) { return std::string(); }};
    kinds_[std::string(D::name)] = std::make_unique<kind_of<D>>(silent);
  }

  /// A client's command. With a `request` used before for that entity the first reply comes again.
  reply ask(const entity_ref& to, const google::protobuf::Message& command, principal who,
            std::optional<uuid> request = std::nullopt);
  const uuid& last_request() const { return last_request_; }
  /// The reply to a request, as it stands now.
  reply reply_to(const entity_ref& entity, const uuid& request) const;
  /// The id of the next request that `ask` makes up.
  uuid next_request() const { return derive_id({"request", std::to_string(requests_ + 1)}); }

  /// A message from a mute entity.
  void tell(const entity_ref& from, const entity_ref& to, const google::protobuf::Message& m);
  /// A transfer from a mute entity, which may overdraw its account.
  void pay(const entity_ref& from, transfer t);
  /// A mute disbursement's chunk, told by `notice` to the owner of the wallets.
  void pay_chunk(const entity_ref& from, const line_payment& payment,
                 const google::protobuf::Message& notice);

  /// One message, credit or turn of own work, drawn at random; false when nothing is left to do.
  bool step();
  /// Steps until nothing is left; the number of steps. Throws when there is no end in sight.
  std::size_t run(std::size_t most = 10'000'000);
  /// Holds back what goes from `source` to `target` until `release`.
  void hold(const entity_ref& source, const entity_ref& target);
  void release();

  /// Moves the clock and fires the timers that are due, without delivering anything.
  void advance(std::int64_t by_us);
  std::int64_t now_us() const { return now_us_; }

  template <class D>
  typename D::state state_of(const uuid& id) const {
    auto found = entities_.find({std::string(D::name), id});
    return found == entities_.end()
               ? typename D::state{}
               : detail::parsed<typename D::state>(found->second.state->save(), "unreadable state");
  }

  /// Bytes of the messages (not credits) that a mute entity got, in order.
  std::vector<std::string> mail_of(const entity_ref& mute) const;
  std::vector<wire::Credit> credits_of(const entity_ref& mute) const;

  /// What the ledger says, whether or not the owner has been told.
  std::int64_t balance(const uuid& account, const std::string& currency = "NPR") const;
  bool is_open(const uuid& account) const;
  std::size_t transfer_count() const { return transfer_keys_.size(); }
  std::size_t mail_on_its_way() const;
  const std::vector<std::string>& events_of(const entity_ref& entity) const;
  const std::vector<query_entry>& published() const { return published_; }
  const std::vector<staged_row>& rows_of(const uuid& upload) { return rows_[upload]; }
  const std::vector<staged_error>& errors_of(const uuid& upload) { return errors_[upload]; }
  std::vector<line_row> lines_of(const uuid& list) const;

  /// Each entity's events, evolved from the start, give its state again, and a saved state loads.
  void check_replay() const;

  /// What a feed request would return now.
  wire::Feed feed(const feed_request& what) const;

private:
  struct entity {
    std::unique_ptr<model> state; // nullptr: mute
    std::vector<std::string> events;
    std::map<std::string, std::int64_t> timers;
    std::map<uuid, reply> replies;
    std::map<std::string, std::int64_t> totals; // by currency
    bool waits = false;                         // its last turn of own work decided nothing
    std::vector<std::string> mail;
    std::vector<wire::Credit> credits;
  };
  struct letter {
    bool is_credit = false;
    std::string message;
    wire::Credit credit;
    std::int64_t money_minor = 0;
    std::string currency;
  };
  using pair = std::pair<entity_ref, entity_ref>;
  using money = std::map<std::pair<entity_ref, std::string>, std::int64_t>;
  struct account {
    std::map<std::string, std::int64_t> balances; // by currency
    std::string role;                             // empty: never opened
  };

  entity& at(const entity_ref& ref);
  context context_for(const entity_ref& self) const;
  void apply(const entity_ref& self, entity& e, const decision& d, const context& ctx);
  void deliver(const pair& way);
  void work(const entity_ref& self, entity& e);
  void post(const entity_ref& self, const transfer& t, std::uint32_t line, bool may_overdraw);
  void pay_lines(const entity_ref& self, const line_payment& payment);
  void send_credit(const entity_ref& self, const transfer& t);
  void open(const account_range& range);
  void answer_late(entity& e, const decision& d);
  void check_books(const entity_ref& owner);

  std::mt19937_64 random_;
  std::int64_t now_us_ = 1'800'000'000'000'000;
  std::uint64_t requests_ = 0;
  uuid last_request_;
  std::map<std::string, std::unique_ptr<kind>> kinds_;
  std::map<entity_ref, entity> entities_;
  std::map<pair, std::deque<letter>> mail_;
  std::set<pair> held_;
  std::map<uuid, account> accounts_;
  std::set<std::pair<uuid, std::uint32_t>> transfer_keys_;
  money posted_;
  money on_its_way_;
  std::map<std::string, std::int64_t> everything_; // known balances + money on its way
  std::map<uuid, std::map<std::uint32_t, line_row>> lines_;
  std::map<uuid, std::vector<staged_row>> rows_;
  std::map<uuid, std::vector<staged_error>> errors_;
  std::vector<query_entry> published_;
};

} // namespace rahat::testing
