#include "persistence/chain/chain.hpp"
#include "persistence/memory/memory_database.hpp"
#include "runtime/decider/account.hpp"

#include <set>
#include <tuple>

/// The auditor's view of the twin: what must hold between its tables.
namespace rahat {

namespace {

using memory::tables;
using money_key = std::pair<entity_ref, std::string>; // owner, currency

class auditor {
public:
  explicit auditor(const tables& db) : db_(db) {}

  std::vector<std::string> run() {
    check_chain();
    read_marks();
    check_transfers();
    check_marks();
    check_owners();
    return std::move(faults_);
  }

private:
  void fault(std::string sentence) { faults_.push_back(std::move(sentence)); }

  void check_chain() {
    std::map<shard_id, std::pair<std::uint64_t, digest>> heads;
    for (auto& [place, key] : db_.positions) {
      auto& [position, hash] = heads[place.first];
      auto& row = db_.journal.at(key);
      if (place.second != position + 1)
        fault("shard " + std::to_string(place.first) + " has a hole before position " +
              std::to_string(place.second));
      position = place.second;
      hash = chain::next(hash, row);
      if (row.hash != view(hash))
        fault("the chain of shard " + std::to_string(place.first) + " breaks at position " +
              std::to_string(place.second));
      hash = chain::to_digest(row.hash);
    }
    for (auto& [shard, row] : db_.shards) {
      auto& [position, hash] = heads[shard];
      if (row.head_position != position || row.head_hash != view(hash))
        fault("the head of shard " + std::to_string(shard) + " is not its last row");
    }
    std::map<entity_ref, std::uint64_t> last;
    for (auto& [key, row] : db_.journal)
      if (++last[key.first] != key.second)
        fault(key.first.str() + " has a hole before seq " + std::to_string(key.second));
  }

  /// Notes of each commit what it told, heard and moved.
  void read_marks() {
    for (auto& [key, row] : db_.journal) {
      wire::Commit payload;
      if (!payload.ParseFromString(row.payload))
        continue; // tests of the store keep other things in there
      if (payload.has_inbox()) {
        auto& heard = heard_[{ref_of(payload.inbox().source()), key.first}];
        heard = std::max(heard, payload.inbox().n());
      }
      for (auto& mark : payload.transfers())
        marks_.push_back({key.first, &row, mark, told_to(payload, ref_of(mark.credit_owner()))});
    }
  }

  static std::uint64_t told_to(const wire::Commit& payload, const entity_ref& owner) {
    std::uint64_t n = 0;
    for (auto& mark : payload.outbox())
      if (ref_of(mark.target()) == owner)
        n = std::max(n, mark.n());
    return n;
  }

  const memory::account_row* account(const uuid& id) const {
    auto at = db_.accounts.upper_bound(id);
    if (at == db_.accounts.begin())
      return nullptr;
    --at;
    return at->second.range.last >= id ? &at->second : nullptr;
  }

  void check_transfers() {
    std::map<uuid, std::int64_t> balances;
    for (auto& [key, t] : db_.transfers) {
      auto name = "transfer " + key.first.str() + "/" + std::to_string(key.second);
      for (auto [id, amount] : {std::pair{t.debit, -t.amount_minor}, {t.credit, t.amount_minor}}) {
        auto* found = account(id);
        if (found == nullptr) {
          fault(name + " names an account that nobody has opened: " + id.str());
          continue;
        }
        if (found->range.currency != t.currency)
          fault(name + " is in another currency than its account " + id.str());
        sums_[{found->owner, t.currency}] += amount;
        balances[id] += amount;
      }
    }
    for (auto& [id, balance] : balances)
      if (balance < 0 && account(id)->range.role != "outside")
        fault("account " + id.str() + " is below zero");
  }

  /// Each mark's transfers stand there as marked, and no others.
  void check_marks() {
    std::size_t marked = 0;
    for (auto& m : marks_) {
      auto purpose = uuid::from_raw(m.mark.purpose());
      std::vector<line_row> found;
      auto at = db_.transfers.lower_bound({purpose, m.mark.first_line()});
      std::int64_t sum = 0;
      for (;
           at != db_.transfers.end() && at->first <= memory::line_key{purpose, m.mark.last_line()};
           ++at) {
        auto& t = at->second;
        if (t.debit.raw() != m.mark.debit_account() || t.currency != m.mark.currency() ||
            t.shard != m.row->shard || t.position != m.row->position)
          continue;
        found.push_back({at->first.second, {}, t.credit, t.amount_minor});
        sum += t.amount_minor;
      }
      marked += found.size();
      if (found.size() != m.mark.count() || sum != m.mark.sum_minor() ||
          view(digest_of(found)) != m.mark.digest())
        fault("the transfers of " + purpose.str() + " are not those which the journal marks");
    }
    if (marked != db_.transfers.size())
      fault("there are transfers that no journal row marks");
  }

  void check_owners() {
    for (auto& m : marks_) {
      auto owner = ref_of(m.mark.credit_owner());
      auto heard = heard_.find({m.by, owner});
      if (owner != m.by && (heard == heard_.end() || heard->second < m.told_n))
        waiting_[{owner, m.mark.currency()}] += m.mark.sum_minor();
    }
    std::set<money_key> owners;
    for (auto& [key, sum] : sums_)
      owners.insert(key);
    for (auto& [key, row] : db_.totals)
      owners.insert(key);
    for (auto& key : owners) {
      auto known = db_.totals.find(key);
      auto balance = (known == db_.totals.end() ? 0 : known->second.amount_minor) + waiting_[key];
      if (balance != sums_[key])
        fault(key.first.str() + " knows of " + std::to_string(balance - waiting_[key]) + " " +
              key.second + " and has " + std::to_string(waiting_[key]) +
              " to be told, but its transfers sum to " + std::to_string(sums_[key]));
    }
  }

  struct marked {
    entity_ref by;
    const journal_row* row;
    wire::TransferMark mark;
    std::uint64_t told_n; // the message by which the credited owner hears of it
  };

  const tables& db_;
  std::vector<std::string> faults_;
  std::vector<marked> marks_;
  std::map<memory::pair_key, std::uint64_t> heard_; // (source, receiver)
  std::map<money_key, std::int64_t> sums_;
  std::map<money_key, std::int64_t> waiting_;
};

} // namespace

std::vector<std::string> memory_database::check_books() const {
  return with([](const tables& db) { return auditor(db).run(); });
}

} // namespace rahat
