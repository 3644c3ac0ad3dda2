#include "persistence/memory/hand_clock.hpp"
#include "persistence/memory/memory_store.hpp"
#include "tests/conformance/suite.hpp"

/// The suites for the in-memory twin, driven by hand and by its own thread.
namespace rahat::conformance {

namespace {

constexpr std::int64_t day_us = 86'400'000'000;

class memory_under_test final : public store_under_test {
public:
  memory_under_test(memory_options options, fence_listener on_fenced)
      : options_(options), on_fenced_(std::move(on_fenced)) {
    options_.time = &clock_;
    open();
  }

  rahat::store& store() override { return *twin_; }
  rahat::queries& queries() override { return *twin_; }
  rahat::shard_store& shards() override { return *twin_; }

  void reopen() override {
    twin_->crash();
    twin_.reset();
    open();
  }

  void fence(shard_id shard) override { rows_->fence(shard); }
  void take_over(shard_id shard) override { twin_->take_over(shard); }

  void alter_line(const uuid& list, std::uint32_t no, std::int64_t amount_minor) override {
    rows_->with([&](memory::tables& db) { db.lines.at({list, no}).amount_minor = amount_minor; });
  }

  progress drive() override {
    if (options_.mode == memory_options::drive::threaded)
      return progress::by_itself;
    return twin_->run_one() ? progress::stepped : progress::nothing_left;
  }

  void inject(fault what, std::uint32_t batches) override {
    switch (what) {
      case fault::fail_before_commit: return twin_->faults().fail_before_commit(batches);
      case fault::lose_reply: return twin_->faults().lose_reply(batches);
      case fault::deadlock: return twin_->faults().deadlock(batches);
      case fault::serialisation: return twin_->faults().serialisation(batches);
      case fault::disk_full: return twin_->faults().deadlock(batches); // it tells none apart
    }
  }

  void deadly(const entity_ref& entity) override { twin_->faults().deadly(entity); }
  void server_away() override { twin_->faults().down(); }
  void server_back() override { twin_->faults().heal(); }
  void advance_days(int days) override { clock_.advance_us(days * day_us); }

private:
  void open() {
    twin_ = std::make_unique<memory_store>(rows_, options_);
    twin_->on_fenced(on_fenced_);
  }

  hand_clock clock_{system_clock_port().now_us()};
  memory_options options_;
  fence_listener on_fenced_;
  std::shared_ptr<memory_database> rows_ = std::make_shared<memory_database>();
  std::unique_ptr<memory_store> twin_;
};

subject twin(std::string name, memory_options::drive mode, std::size_t batch_commits) {
  memory_options options;
  options.mode = mode;
  options.batch_commits = batch_commits;
  return {std::move(name), [options](fence_listener on_fenced) {
            return std::make_unique<memory_under_test>(options, std::move(on_fenced));
          }};
}

auto subjects() {
  using drive = memory_options::drive;
  return testing::Values(twin("by_hand", drive::manual, 64), twin("one_by_one", drive::manual, 1),
                         twin("threaded", drive::threaded, 64));
}

std::string name_of(const testing::TestParamInfo<subject>& info) {
  return info.param.name;
}

} // namespace

INSTANTIATE_TEST_SUITE_P(memory, store_conformance, subjects(), name_of);
INSTANTIATE_TEST_SUITE_P(memory, listing, subjects(), name_of);
INSTANTIATE_TEST_SUITE_P(memory, store_faults, subjects(), name_of);
INSTANTIATE_TEST_SUITE_P(memory, store_faults_hidden, subjects(), name_of);
INSTANTIATE_TEST_SUITE_P(memory, store_retention, subjects(), name_of);

} // namespace rahat::conformance
