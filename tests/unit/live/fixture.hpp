#pragma once

#include "gateways/live/live_hub.hpp"
#include "persistence/memory/hand_clock.hpp"
#include "persistence/memory/memory_store.hpp"

#include <gtest/gtest.h>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

/// A hub over the twin of the store in manual mode: each read happens when the test says so.
namespace rahat::live::test {

/// A frame as a client reads it.
struct got {
  std::string topic;
  std::string token; // empty: not resumable
  std::string type;
  std::string data;
};

got parse(const std::string& frame);

/// A client: keeps what it was sent. With a bound it leaves like a slow one.
class listener final : public sink {
public:
  explicit listener(std::size_t bound = 100'000) : bound_(bound) {}

  bool push(std::shared_ptr<const event> what) override;

  std::vector<got> all() const;
  std::vector<got> of_type(const std::string& type) const;

  /// Types in order, without the current state that ends a replay.
  std::vector<std::string> types() const;

  /// Of the last frame that has one: where a client that leaves now comes back.
  std::string last_token() const;

private:
  const std::size_t bound_;
  mutable std::mutex mutex_;
  std::vector<got> frames_;
};

/// Answers every look with a document that names the entity.
class quiet_entities final : public entities {
public:
  void ask(request, reply_callback) override {}
  void look(const entity_ref& target, std::chrono::steady_clock::time_point,
            view_callback done) override;

  std::map<entity_ref, std::uint64_t> versions; // written by the test's thread between settles
};

class hub_test : public testing::Test, public commit_listener {
protected:
  hub_test();
  ~hub_test() override;

  /// Commits an event of the entity: it stands in the journal, nobody has heard of it.
  live_event commit_event(const entity_ref& entity, const std::string& type = "project.noted");

  /// Commits it and announces it, as a host does.
  live_event happen(const entity_ref& entity, const std::string& type = "project.noted");

  std::optional<error> subscribe(const std::string& topic, const std::shared_ptr<listener>& to,
                                 const std::optional<std::string>& after = {});

  /// The store does all that is waiting.
  void settle() { db->run_all(); }

  /// The hub's own thread looks at the clock: moves it and waits until `condition` holds.
  template <class Condition>
  bool in_time(Condition condition, std::chrono::milliseconds step);

  static entity_ref entity(std::uint8_t number, const std::string& kind = "project");

  /// An entity that lives in this shard.
  static entity_ref entity_in(shard_id shard, std::uint16_t from = 0);

  void committed(std::uint64_t, std::uint64_t position) override { position_ = position; }
  void failed(std::uint64_t, const commit_refusal& why) override { FAIL() << why.message; }

  hub_options options;
  hand_clock time;
  std::shared_ptr<memory_database> rows = std::make_shared<memory_database>();
  std::unique_ptr<memory_store> db;
  quiet_entities all;
  std::unique_ptr<live_hub> hub;

private:
  std::map<entity_ref, std::uint64_t> seqs_;
  std::uint64_t position_ = 0;
};

template <class Condition>
bool hub_test::in_time(Condition condition, std::chrono::milliseconds step) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until)
      return false;
    time.advance_us(std::chrono::microseconds(step).count());
    std::this_thread::yield();
    db->run_all();
  }
  return true;
}

} // namespace rahat::live::test
