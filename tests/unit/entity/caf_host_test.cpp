// Hosts on a real actor system over the threaded twin.
#include "runtime/entity/caf_host.hpp"

#include "tests/unit/entity/stage.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include <malloc.h>
#include <condition_variable>
#include <fstream>
#include <future>
#include <iostream>
#include <mutex>
#include <thread>

#include <gtest/gtest.h>

namespace rahat {
namespace {

using namespace std::chrono_literals;

constexpr auto patience = 60s;

/// Callbacks that are still owed.
class owed {
public:
  void take() {
    std::unique_lock lock{mutex_};
    ++open_;
  }
  void give(const std::string& what) {
    {
      std::unique_lock lock{mutex_};
      --open_;
      ++outcomes_[what];
    }
    changed_.notify_all();
  }
  bool wait(std::chrono::seconds bound, int left = 0) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, bound, [&] { return open_ <= left; });
  }
  int count(const std::string& what) {
    std::unique_lock lock{mutex_};
    return outcomes_[what];
  }
  int open() {
    std::unique_lock lock{mutex_};
    return open_;
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int open_ = 0;
  std::map<std::string, int> outcomes_;
};

/// A node's hosts as rahatd runs them, with the twin as store.
class caf_hosts : public testing::Test {
protected:
  explicit caf_hosts(host_limits bounds = {}) : limits(bounds) {
    kinds.add(probe_kind());
    system = std::make_unique<caf::actor_system>(config);
    node = std::make_unique<region>(region::dependencies{.db = db,
                                                         .time = time,
                                                         .dice = dice,
                                                         .kinds = kinds,
                                                         .probe = counts,
                                                         .limits = limits,
                                                         .spawn = caf_host_spawner(*system),
                                                         .serving = [] { return true; },
                                                         .publish = {}});
  }

  ~caf_hosts() override { shut_down(); }

  /// As rahatd does it: no more work, then the actors, then what they used.
  void shut_down() {
    node->stop();
    system.reset(); // waits for every actor
  }

  void ask(const entity_ref& to, const probe::Command& what, const std::string& key, owed& o) {
    request r;
    r.target = to;
    r.command = what.SerializeAsString();
    r.id = request_id_of("user", "POST", "/probe", key);
    r.payload_hash = 1;
    r.who = {"user", "maker"};
    r.deadline = time.steady() + patience;
    o.take();
    node->ask(std::move(r), [&o](std::variant<wire::Reply, error> said) {
      auto* e = std::get_if<error>(&said);
      o.give(e == nullptr ? "ok" : std::string{to_string(e->code)});
    });
  }

  std::string view(const entity_ref& of) {
    std::promise<std::string> said;
    node->look(of, time.steady() + patience, [&](std::variant<entity_view, error> what) {
      auto* v = std::get_if<entity_view>(&what);
      said.set_value(v != nullptr ? *v->json : std::get<error>(what).message);
    });
    return said.get_future().get();
  }

  host_limits limits;
  system_clock_port time;
  system_random dice;
  kind_registry kinds;
  counting_probe counts;
  caf::actor_system_config config;
  std::shared_ptr<memory_database> rows = std::make_shared<memory_database>();
  memory_store db{rows};
  std::unique_ptr<caf::actor_system> system;
  std::unique_ptr<region> node;
};

TEST_F(caf_hosts, many_clients_at_once_lose_no_reply) {
  constexpr int clients = 4, each = 2'000, entities = 20;
  owed o;
  std::vector<std::thread> threads;
  for (int c = 0; c < clients; ++c)
    threads.emplace_back([&, c] {
      for (int i = 0; i < each; ++i) {
        o.wait(10s, 500); // within the credits of all
        ask(probe_ref(i % entities), add_of(1), std::to_string(c) + '/' + std::to_string(i), o);
      }
    });
  for (auto& t : threads)
    t.join();
  ASSERT_TRUE(o.wait(patience)) << o.open() << " replies are missing";
  EXPECT_EQ(o.count("ok") + o.count("overloaded"), clients * each);
  std::size_t committed = rows->journal().size();
  EXPECT_EQ(committed, static_cast<std::size_t>(o.count("ok")));
  EXPECT_EQ(counts.mailbox, 0);
}

TEST_F(caf_hosts, mail_for_a_host_that_ends_is_answered) {
  owed o;
  probe::Command broken;
  broken.set_break_event(true);
  for (int i = 0; i < 3'000; ++i) {
    ask(probe_ref(i % 3), i % 50 == 0 ? broken : add_of(1), std::to_string(i), o);
    if (i % 200 == 0) {
      node->drop(shard_of(probe_ref(i % 3)));
      node->open(shard_of(probe_ref(i % 3)));
    }
  }
  ASSERT_TRUE(o.wait(patience)) << o.open() << " replies are missing";
}

TEST_F(caf_hosts, the_system_ends_with_mail_on_its_way_and_everybody_hears_of_it) {
  owed o;
  for (int i = 0; i < 5'000; ++i)
    ask(probe_ref(i % 200), add_of(1), std::to_string(i), o);
  shut_down();
  EXPECT_TRUE(o.wait(patience)) << o.open() << " replies are missing";
  EXPECT_EQ(counts.mailbox, 0);
  EXPECT_EQ(counts.started, counts.stopped);
}

TEST_F(caf_hosts, messages_arrive_once) {
  owed o;
  auto to = probe_ref(99);
  for (int i = 0; i < 200; ++i)
    ask(probe_ref(i % 10), tell_of(to, 1), std::to_string(i), o);
  ASSERT_TRUE(o.wait(patience));
  auto ok = std::to_string(o.count("ok"));
  auto until = time.steady() + patience;
  while (view(to).find("\"noted\":" + ok + ",") == std::string::npos && time.steady() < until)
    std::this_thread::yield();
  EXPECT_NE(view(to).find("\"noted\":" + ok + ","), std::string::npos) << view(to);
}

std::size_t resident_bytes() {
  std::ifstream file{"/proc/self/statm"};
  std::size_t pages = 0, resident_pages = 0;
  file >> pages >> resident_pages;
  return resident_pages * 4'096;
}

/// What an entity costs that is in memory and does nothing: empty rings, empty state.
TEST_F(caf_hosts, an_idle_entity_takes_at_most_3_kib) {
  constexpr int count = 100'000;
  constexpr std::size_t bar = 3 * 1'024;
  // Each has one commit behind it, written before the measurement by hosts that have left again.
  std::vector<entity_ref> all;
  for (int i = 0; i < count; ++i)
    all.push_back(probe_ref(i));
  auto give_rows = [&](memory::tables& t) {
    wire::Commit payload;
    probe::Event e;
    e.mutable_added()->set_n(1);
    payload.add_events(e.SerializeAsString());
    for (auto& entity : all) {
      journal_row row;
      row.entity = entity;
      row.seq = 1;
      row.payload = payload.SerializeAsString();
      t.journal[{entity, 1}] = row;
    }
  };
  rows->with(give_rows);
  owed o;
  malloc_trim(0);
  auto before = resident_bytes();
  for (auto& entity : all) {
    o.wait(patience, 1'000);
    o.take();
    node->look(entity, time.steady() + patience, [&o](std::variant<entity_view, error> what) {
      o.give(std::holds_alternative<entity_view>(what) ? "ok" : "error");
    });
  }
  ASSERT_TRUE(o.wait(patience));
  ASSERT_EQ(o.count("ok"), count);
  ASSERT_EQ(node->resident_count(), static_cast<std::size_t>(count));
  auto each = (resident_bytes() - before) / count;
  std::cout << "an idle entity takes " << each << " bytes, of them the host " << sizeof(host)
            << '\n';
  RecordProperty("idle_entity_bytes", static_cast<int>(each));
  EXPECT_LE(each, bar);
}

} // namespace
} // namespace rahat
