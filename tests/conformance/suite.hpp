#pragma once

#include "tests/conformance/store_under_test.hpp"

#include <gtest/gtest.h>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace rahat::conformance {

/// Rings when a callback came, so that waiting needs no sleep.
class bell {
public:
  void ring();
  /// Waits for a ring since `seen` was read, a slice of time at most.
  void wait(std::uint64_t seen);
  std::uint64_t count() const;

private:
  mutable std::mutex mutex_;
  std::condition_variable rung_;
  std::uint64_t count_ = 0;
};

/// A host's ear: what it heard of its commits, in the order in which it heard.
class recorder final : public commit_listener {
public:
  struct heard {
    std::uint64_t seq = 0;
    std::uint64_t position = 0; // 0: failed
    std::optional<commit_refusal> refusal;
  };

  explicit recorder(std::shared_ptr<bell> b) : bell_(std::move(b)) {}

  void committed(std::uint64_t seq, std::uint64_t position) override;
  void failed(std::uint64_t seq, const commit_refusal& why) override;

  std::vector<heard> all() const;
  std::size_t count() const;

private:
  std::shared_ptr<bell> bell_;
  mutable std::mutex mutex_;
  std::vector<heard> heard_;
};

/// How long a case waits for anything. Units: seconds.
inline constexpr std::chrono::seconds patience{20};

class store_suite : public testing::TestWithParam<subject> {
protected:
  void SetUp() override;

  /// After each case, of every shard that it wrote to: positions are dense, hashes are those that
  /// rahat_chain computes, the head is the last row.
  void TearDown() override;

  rahat::store& store() { return under_test_->store(); }
  rahat::queries& queries() { return under_test_->queries(); }
  store_under_test& under_test() { return *under_test_; }

  // -- names, fresh in the whole process ----------------------------------------------------

  static uuid fresh_id();
  entity_ref fresh(const std::string& kind = "probe");
  entity_ref fresh_in(shard_id shard, const std::string& kind = "probe");

  // -- writing ------------------------------------------------------------------------------

  /// A host's incarnation and its ear.
  struct host {
    entity_ref entity;
    std::uint64_t incarnation = 0;
    std::shared_ptr<recorder> ear;
    std::uint64_t seq = 0; // of the last commit that was made
  };

  /// Loads (fails the case if that fails) and starts a host behind it.
  host start(const entity_ref& entity);

  /// The host's next commit, with a payload of its own and nothing else in it.
  commit next(host& h);

  /// Adds the marks that the commit's money needs, and sends it.
  void send(host& h, commit c);

  /// Sends and waits for what the host hears of it; a case fails when it hears nothing.
  recorder::heard send_and_wait(host& h, commit c);

  /// As above, and the commit has to land.
  void land(host& h, commit c);

  /// As above, and it has to fail.
  commit_failure refusal_of(host& h, commit c);

  /// Waits until the host has heard of that many commits.
  bool wait_heard(const host& h, std::size_t count);

  // -- reading ------------------------------------------------------------------------------

  template <class T>
  outcome<T> ask(const std::function<void(callback<T>)>& call) {
    auto box = std::make_shared<answer_box<T>>();
    call([box, ring = bell_](outcome<T> o) {
      {
        std::lock_guard guard(box->mutex);
        box->said = std::move(o);
        ++box->times;
      }
      ring->ring();
    });
    auto came = until([&] {
      std::lock_guard guard(box->mutex);
      return box->said.has_value();
    });
    if (!came)
      return error{errc::timed_out, "no callback came", {}};
    std::lock_guard guard(box->mutex);
    EXPECT_EQ(box->times, 1);
    return *box->said;
  }

  /// Fails the case on an error.
  template <class T>
  T must(outcome<T> o) {
    if (auto* e = std::get_if<error>(&o)) {
      ADD_FAILURE() << to_string(e->code) << ": " << e->message;
      return T{};
    }
    return std::get<T>(std::move(o));
  }

  loaded_entity load(const entity_ref& entity, std::uint64_t incarnation,
                     std::uint32_t evolve_version = 1);
  std::vector<journal_row> history(const entity_ref& entity);
  std::optional<request_row> request_of(const entity_ref& entity, const uuid& id);
  std::vector<entity_ref> pending(shard_id shard, std::uint32_t limit = 1000);
  shard_head head_of(shard_id shard);
  outcome<shard_grant> give_up(shard_id shard, std::uint64_t epoch);
  outcome<page> list(const list_query& q);
  std::vector<stored_line> lines_of(const uuid& list);
  wire::Feed feed(const feed_request& what);
  std::vector<parked_row> parked_of(const entity_ref& entity);

  /// Waits for it, and drives the store meanwhile. False when it did not come.
  bool until(const std::function<bool()>& condition);

  /// Waits until what `read` gives is as expected, asking again and again: for effects that have
  /// no callback.
  bool eventually(const std::function<bool()>& read);

  std::uint64_t fresh_incarnation() { return ++incarnations_; }
  std::vector<shard_id> fenced_shards() const;
  std::shared_ptr<bell> ring() const { return bell_; }
  void touch(shard_id shard) { touched_.insert(shard); }

private:
  template <class T>
  struct answer_box {
    std::mutex mutex;
    std::optional<outcome<T>> said;
    int times = 0;
  };

  void check_chain(shard_id shard);

  std::unique_ptr<store_under_test> under_test_;
  std::shared_ptr<bell> bell_ = std::make_shared<bell>();
  std::set<shard_id> touched_;
  std::uint64_t incarnations_ = 0;
  struct fences {
    std::mutex mutex;
    std::vector<shard_id> shards;
  };
  std::shared_ptr<fences> fences_ = std::make_shared<fences>();
};

/// What every store does.
class store_conformance : public store_suite {};

/// What a store does whose connection can be made to fail.
class store_faults : public store_suite {};

/// What a host never notices of such a connection.
class store_faults_hidden : public store_faults {
protected:
  /// Several entities write while the fault strikes: all land once, nobody hears of it.
  void expect_unnoticed(store_under_test::fault what, std::uint32_t batches);
};

/// Lists; every case has a kind of its own.
class listing : public store_conformance {
protected:
  void SetUp() override;
  uuid put(int n, std::int64_t created_us, uuid project = {}, uuid parent = {},
           std::string status = "active", std::optional<uuid> id = std::nullopt);
  list_query everything() const;
  std::vector<std::string> items(const list_query& q) { return must(list(q)).items; }
  void expect_invalid(const list_query& q);

  std::string kind_;
  host host_;
};

/// What a store does whose clock can be moved.
class store_retention : public store_suite {};

} // namespace rahat::conformance
