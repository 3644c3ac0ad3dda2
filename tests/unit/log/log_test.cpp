#include "runtime/telemetry/log.hpp"

#include "tests/support/scratch_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

namespace rahat {
namespace {

using testing::HasSubstr;

class log_file : public testing::Test {
protected:
  void SetUp() override {
    how_.file = scratch_.file("node.log");
    how_.node = "a";
    how_.clock_ns = [] { return std::int64_t{0}; };
  }
  void TearDown() override { log::stop(); }

  std::vector<std::string> lines() const {
    std::ifstream in(how_.file);
    std::vector<std::string> out;
    for (std::string line; std::getline(in, line);)
      out.push_back(line);
    return out;
  }

  test::scratch_folder scratch_;
  const std::filesystem::path& dir_ = scratch_.path();
  log::options how_;
};

TEST_F(log_file, gets_each_line_before_the_call_returns) {
  ASSERT_EQ(log::start(how_), "");
  log::error("shard_lost", {{"shard", 3}});
  EXPECT_THAT(lines(),
              testing::ElementsAre(R"({"ts":"1970-01-01T00:00:00.000000Z","level":"error",)"
                                   R"("event":"shard_lost","node":"a","shard":3})"));
}

TEST_F(log_file, has_only_lines_that_are_severe_enough) {
  how_.least = log::level::warning;
  ASSERT_EQ(log::start(how_), "");
  log::debug("d");
  log::info("i");
  log::warning("w");
  log::error("e");
  EXPECT_THAT(lines(), testing::ElementsAre(HasSubstr("\"w\""), HasSubstr("\"e\"")));
  EXPECT_FALSE(log::enabled(log::level::info));
  EXPECT_TRUE(log::enabled(log::level::warning));
}

TEST_F(log_file, is_appended_to_and_reopened_by_a_second_start) {
  ASSERT_EQ(log::start(how_), "");
  log::info("one");
  ASSERT_EQ(log::start(how_), "");
  log::info("two");
  EXPECT_EQ(lines().size(), 2U);
  std::filesystem::rename(how_.file, how_.file + ".1");
  ASSERT_EQ(log::start(how_), "");
  log::info("three");
  EXPECT_THAT(lines(), testing::ElementsAre(HasSubstr("three")));
}

TEST_F(log_file, that_cannot_be_opened_is_told_and_changes_nothing) {
  ASSERT_EQ(log::start(how_), "");
  auto bad = how_;
  bad.file = dir_.string(); // a folder
  EXPECT_THAT(log::start(bad), HasSubstr("cannot log to " + dir_.string()));
  log::info("still_here");
  EXPECT_EQ(lines().size(), 1U);
}

TEST_F(log_file, is_never_interleaved_by_threads) {
  ASSERT_EQ(log::start(how_), "");
  constexpr int threads = 4;
  constexpr int each = 500;
  std::vector<std::thread> writers;
  for (int t = 0; t < threads; ++t)
    writers.emplace_back([t] {
      for (int i = 0; i < each; ++i)
        log::info("tick", {{"thread", t}, {"i", i}, {"pad", std::string(200, 'p')}});
    });
  for (auto& writer : writers)
    writer.join();
  auto all = lines();
  EXPECT_EQ(all.size(), std::size_t{threads * each});
  EXPECT_TRUE(std::all_of(all.begin(), all.end(), [](const std::string& line) {
    return line.starts_with("{\"ts\"") && line.ends_with("p\"}");
  }));
  EXPECT_EQ(log::lines_lost(), 0U);
}

TEST_F(log_file, may_be_replaced_while_others_write) {
  ASSERT_EQ(log::start(how_), "");
  std::thread writer([] {
    for (int i = 0; i < 2000; ++i)
      log::info("tick", {{"i", i}});
  });
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(log::start(how_), "");
  writer.join();
  EXPECT_EQ(lines().size(), 2000U);
}

TEST_F(log_file, names_persons_only_by_a_keyed_hash) {
  how_.hash_key = "key one";
  ASSERT_EQ(log::start(how_), "");
  auto first = log::hashed("+9779812345678");
  EXPECT_EQ(first.size(), 16U);
  EXPECT_EQ(first.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_EQ(first, log::hashed("+9779812345678"));
  EXPECT_NE(first, log::hashed("+9779812345679"));
  how_.hash_key = "key two";
  ASSERT_EQ(log::start(how_), "");
  EXPECT_NE(first, log::hashed("+9779812345678"));
}

TEST(log_level, is_read_from_its_name) {
  EXPECT_EQ(log::level_from("debug"), log::level::debug);
  EXPECT_EQ(log::level_from("info"), log::level::info);
  EXPECT_EQ(log::level_from("warning"), log::level::warning);
  EXPECT_EQ(log::level_from("error"), log::level::error);
}

} // namespace
} // namespace rahat
