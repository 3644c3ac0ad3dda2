#include "bench/bench.hpp"
#include "bench/bench_node.hpp"
#include "bench/process.hpp"
#include "runtime/entity/caf_host.hpp"
#include "runtime/ports/clock.hpp"
#include "runtime/ports/random.hpp"

#include <google/protobuf/empty.pb.h>
#include <google/protobuf/struct.pb.h>
#include <malloc.h>
#include <unistd.h>
#include <atomic>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <thread>

/// What an entity costs in memory beyond its own state: the real host, region and actor of a kind
/// whose state is empty, over a store that keeps nothing.
namespace rahat::bench {

namespace {

constexpr std::uint64_t idle_entities = 50'000;
constexpr std::uint64_t warm_up_entities = 2'000;
constexpr double limit_bytes = 3'072;
constexpr std::chrono::hours for_ever{24};

/// Commits at once and remembers nothing, so that only the host's memory grows.
class forgetful_store final : public store {
public:
  void write(commit c, std::shared_ptr<commit_listener> listener) override {
    listener->committed(c.seq, c.seq);
  }
  std::int64_t writer_credit(shard_id) const override { return 1 << 20; }
  void load(const entity_ref&, std::uint64_t, std::uint32_t,
            callback<loaded_entity> done) override {
    done(loaded_entity{});
  }
  void find_request(const entity_ref&, const uuid&,
                    callback<std::optional<request_row>> done) override {
    done(std::optional<request_row>{});
  }
  void feed(const feed_request&, callback<wire::Feed> done) override { done(wire::Feed{}); }
  void save_snapshot(snapshot_row) override {}
  void acknowledged(const entity_ref&, const entity_ref&, std::uint64_t) override {}
  void pending(shard_id, std::uint32_t, callback<std::vector<entity_ref>> done) override {
    done(std::vector<entity_ref>{});
  }
  void park(parked_row) override {}
  void parked(std::uint64_t, std::uint32_t, callback<std::vector<parked_row>> done) override {
    done(std::vector<parked_row>{});
  }
  void release(const entity_ref&, callback<std::uint64_t> done) override { done(std::uint64_t{0}); }
  void journal(shard_id, std::uint64_t, std::uint32_t,
               callback<std::vector<journal_row>> done) override {
    done(std::vector<journal_row>{});
  }
  void history(const entity_ref&, std::uint64_t, std::uint32_t,
               callback<std::vector<journal_row>> done) override {
    done(std::vector<journal_row>{});
  }
  void heads(callback<std::vector<shard_head>> done) override { done(std::vector<shard_head>{}); }
  void on_fenced(std::function<void(std::vector<shard_id>)>) override {}
};

/// A kind without a state: each command is one event that changes nothing.
struct empty_kind {
  static constexpr std::string_view name = "empty";
  static constexpr std::uint32_t evolve_version = 1;
  using state = google::protobuf::Empty;
  using command = google::protobuf::Empty;
  using message = google::protobuf::Empty;
  using event = google::protobuf::Value;
  using answer = google::protobuf::Empty;

  static result decide(const state&, const command&, const context&) {
    event happened;
    happened.set_bool_value(true);
    decision d;
    d.record(happened);
    return d;
  }
  static decision told(const state&, const message&, const context&) { return {}; }
  static decision credited(const state&, const wire::Credit&, const context&) { return {}; }
  static void evolve(state&, const event&) {}
  static query_keys keys(const state&) { return {}; }
  static std::vector<owned_total> totals(const state&) { return {}; }
};

presenter<empty_kind> empty_presenter() {
  return {[](const google::protobuf::Empty&, const entity_ref&, std::uint64_t) {
            return std::string{"{}"};
          },
          [](const google::protobuf::Empty&) { return std::string{"{}"}; }};
}

/// Creates entities by a command each and waits until all have answered.
class crowd {
public:
  explicit crowd(region& all) : all_(all) {}

  void grow(std::uint64_t count) {
    auto until = made_ + count;
    for (; made_ < until; ++made_) {
      request r;
      auto n = std::to_string(made_);
      r.target = {"empty", derive_id({"entity", n})};
      r.id = derive_id({"request", n});
      r.who = {"bench", "maker"};
      r.deadline = std::chrono::steady_clock::now() + for_ever;
      all_.ask(std::move(r), [this](std::variant<wire::Reply, error> got) {
        if (std::holds_alternative<error>(got))
          ++refused_;
        ++answered_;
      });
    }
    while (answered_ < made_)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    if (refused_ > 0)
      throw std::runtime_error(std::to_string(refused_) + " entities could not be made");
  }

private:
  region& all_;
  std::uint64_t made_ = 0;
  std::atomic<std::uint64_t> answered_{0};
  std::atomic<std::uint64_t> refused_{0};
};

double own_bytes() {
  ::malloc_trim(0); // what is freed does not count
  return pss_bytes(::getpid());
}

} // namespace

int count_idle(std::uint64_t count) {
  forgetful_store db;
  system_clock_port time;
  system_random dice;
  entity_probe probe;
  kind_registry kinds;
  kinds.add(std::make_unique<kind_of<empty_kind>>(empty_presenter()));
  caf::actor_system_config config;
  config.set("scheduler.max-threads", std::size_t{2});
  auto system = std::make_unique<caf::actor_system>(config);
  host_limits limits;
  limits.passivate_after = for_ever;
  limits.resident = count + warm_up_entities;
  region all{{.db = db,
              .time = time,
              .dice = dice,
              .kinds = kinds,
              .probe = probe,
              .limits = limits,
              .spawn = caf_host_spawner(*system),
              .serving = [] { return true; },
              .publish = [](const live_event&) {}}};
  crowd people{all};
  people.grow(warm_up_entities);
  auto before = own_bytes();
  people.grow(count);
  auto each = (own_bytes() - before) / static_cast<double>(count);
  std::printf("%.1f\n", each);
  all.stop();
  system.reset();
  return 0;
}

std::vector<measurement> idle_entity(const settings& how) {
  std::vector<double> bytes;
  for (unsigned round = 0; round < how.rounds; ++round) {
    bytes.push_back(
        std::stod(output_of({"/proc/self/exe", "--count-idle", std::to_string(idle_entities)})));
    say("round " + std::to_string(round + 1) + ": " + std::to_string(bytes.back()) + " bytes");
  }
  return {{"idle_entity", median(bytes), "bytes", limit_bytes, at_most(1.0)}};
}

} // namespace rahat::bench
