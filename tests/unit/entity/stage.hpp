#pragma once

#include "persistence/memory/hand_clock.hpp"
#include "persistence/memory/memory_store.hpp"
#include "runtime/entity/region.hpp"
#include "tests/support/seeded_random.hpp"
#include "tests/unit/entity/hand_shell.hpp"
#include "tests/unit/entity/ledger_probe.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace rahat {

/// Counts what hosts report.
class counting_probe final : public entity_probe {
public:
  void mail_posted(std::string_view) override { ++mailbox; }
  void mail_taken(std::string_view) override { --mailbox; }
  void host_started(std::string_view) override { ++started; }
  void host_stopped(std::string_view) override { ++stopped; }
  void host_restarted(std::string_view, std::string_view) override { ++restarted; }
  void entity_parked(std::string_view, std::string_view) override { ++parked; }
  void message_sent_again(std::string_view) override { ++sent_again; }
  void request_repeated(std::string_view) override { ++repeated; }
  void dead_letter(std::string_view) override { ++dead_letters; }

  std::atomic<std::int64_t> mailbox{0};
  std::atomic<int> started{0};
  std::atomic<int> stopped{0};
  std::atomic<int> restarted{0};
  std::atomic<int> parked{0};
  std::atomic<int> sent_again{0};
  std::atomic<int> repeated{0};
  std::atomic<int> dead_letters{0};
};

/// What became of one request or look.
struct heard {
  int times = 0;
  std::variant<std::monostate, wire::Reply, entity_view, error> what;

  bool answered() const { return times > 0; }
  const wire::Reply* reply() const { return std::get_if<wire::Reply>(&what); }
  const entity_view* view() const { return std::get_if<entity_view>(&what); }

  /// The code of an error, or of a refusal that was committed; "ok", or "nothing" so far.
  std::string code() const;
  std::string body() const;
};
using hearing = std::shared_ptr<heard>;

/// One node over the twin of the store, everything moved by hand.
class stage {
public:
  explicit stage(std::uint64_t seed = 0, host_limits limits = {});
  ~stage();

  // -- asking -------------------------------------------------------------------------------
  hearing ask(const entity_ref& target, const probe::Command& what, const std::string& key);
  hearing ask(request r);
  request request_of(const entity_ref& target, const probe::Command& what,
                     const std::string& key) const;
  hearing look(const entity_ref& target);

  // Each with a key of its own.
  hearing add(const entity_ref& to, std::int64_t n = 1);
  hearing tell(const entity_ref& from, const entity_ref& to, std::int64_t n = 1);
  std::string fresh_key() { return "key-" + std::to_string(++keys_); }

  // -- moving -------------------------------------------------------------------------------

  /// One step of hosts, store or ticks, whichever the seed says.
  bool step();

  /// Until nothing moves any more; time stands still.
  void settle();

  /// Lets time pass from one tick to the next, settling at each.
  void pass(std::chrono::milliseconds time);

  /// The process dies and another one starts over the same rows.
  void crash();
  void start();

  /// The node loses the shard and takes it again.
  void reopen(shard_id shard) {
    node->drop(shard);
    node->open(shard);
  }

  /// Wakes whoever has something left, as a node does at its start.
  void wake();

  // -- looking ------------------------------------------------------------------------------
  std::string view(const entity_ref& of); // settles
  std::size_t commits(const entity_ref& of) const { return rows->journal_of(of).size(); }
  std::vector<std::string> timers(const entity_ref& of) const;
  std::vector<parked_row> parked();

  const std::uint64_t seed;
  host_limits limits;
  hand_clock time;
  std::shared_ptr<memory_database> rows = std::make_shared<memory_database>();
  counting_probe counts;
  kind_registry kinds;
  seeded_random luck;
  std::mt19937_64 dice;
  bool serving = true;
  std::uint32_t attempts = 10; // of the next store
  std::vector<live_event> events;
  elsewhere* beyond = nullptr;     // of the next start
  cluster::level reads = 1;        // of the next start
  std::vector<entity_ref> too_new; // whom this build could not read
  hand_shell hosts;
  std::unique_ptr<memory_store> db;
  std::unique_ptr<region> node;

private:
  void stop();

  std::uint64_t keys_ = 0;
};

// Commands in short.
probe::Command add_of(std::int64_t n);
probe::Command tell_of(const entity_ref& to, std::int64_t n);
probe::Command timer_of(const std::string& name, std::int64_t due_us);
probe::Command work_of(int steps, bool feed = false);

} // namespace rahat
