#include "tests/conformance/suite.hpp"
#include "tests/integration/store/store_kit.hpp"

/// The conformance suites for the store on Postgres.
namespace rahat::conformance {

namespace {

class pg_under_test final : public store_under_test {
public:
  pg_under_test(unsigned writers, fence_listener listener)
      : kit_(options(writers), std::move(listener)) {}

  rahat::store& store() override { return kit_.store(); }
  rahat::queries& queries() override { return kit_.store(); }
  rahat::shard_store& shards() override { return kit_.store(); }
  void reopen() override { kit_.reopen(); }
  void fence(shard_id shard) override { kit_.fence(shard); }
  void take_over(shard_id shard) override { kit_.take_over(shard); }

  void alter_line(const uuid& list, std::uint32_t no, std::int64_t amount_minor) override {
    kit_.sql("UPDATE line SET amount_minor = " + std::to_string(amount_minor) + " WHERE list = '" +
             list.str() + "' AND no = " + std::to_string(no));
  }

  void inject(fault what, std::uint32_t batches) override {
    switch (what) {
      case fault::fail_before_commit: return kit_.line().cut_before_batch(batches);
      case fault::lose_reply: return kit_.line().cut_after_batch(batches);
      case fault::deadlock: return kit_.refuse_batches("40P01", static_cast<int>(batches));
      case fault::serialisation: return kit_.refuse_batches("40001", static_cast<int>(batches));
      case fault::disk_full: return kit_.refuse_batches("53100", static_cast<int>(batches));
    }
  }

  void deadly(const entity_ref& entity) override { kit_.die_of(entity.id); }
  void server_away() override { kit_.line().away(); }
  void server_back() override { kit_.line().back(); }

private:
  static pg::store_options options(unsigned writers) {
    pg::store_options o;
    o.writers = writers;
    o.condition_patience = std::chrono::seconds{2};
    o.stop_patience = std::chrono::milliseconds{0}; // as kill -9: what is queued is lost
    return o;
  }

  test::store_kit kit_;
};

subject postgres(std::string name, unsigned writers) {
  return {std::move(name), [writers](fence_listener listener) -> std::unique_ptr<store_under_test> {
            return std::make_unique<pg_under_test>(writers, std::move(listener));
          }};
}

auto subjects() {
  return testing::Values(postgres("one_writer", 1), postgres("three_writers", 3));
}

std::string name_of(const testing::TestParamInfo<subject>& info) {
  return info.param.name;
}

} // namespace

// Retention follows the database's clock here, which nobody moves: see rights_test.cpp.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(store_retention);

INSTANTIATE_TEST_SUITE_P(postgres, store_conformance, subjects(), name_of);
INSTANTIATE_TEST_SUITE_P(postgres, listing, subjects(), name_of);
INSTANTIATE_TEST_SUITE_P(postgres, store_faults, subjects(), name_of);
INSTANTIATE_TEST_SUITE_P(postgres, store_faults_hidden, subjects(), name_of);

} // namespace rahat::conformance
