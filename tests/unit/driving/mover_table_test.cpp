// The mover does what the table in docs/protocols/moves.md says, and nothing where it says nothing.
#include "tests/unit/actors/support/state_table.hpp"
#include "tests/unit/driving/fakes.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace rahat::test {
namespace {

using namespace std::chrono_literals;
using cluster::shard_phase;

constexpr shard_id shard = 7;
constexpr const char* page = "docs/protocols/moves.md";

/// Answers the last call of that sort, if there was one: where the table has no row it is the
/// answer to a call of a former turn.
template <class Calls, class Answer>
void answer(Calls& calls, Answer what) {
  if (calls.empty())
    return;
  auto done = calls.back().second;
  done(what);
}

/// Each comes once from the tables, and is told once.
template <class Answer>
void sessions(mover_scene& s, Answer what) {
  if (s.tables.ends.empty())
    return;
  auto done = s.tables.ends.back().second;
  s.tables.ends.clear();
  done(what);
}

using input = std::function<void(mover_scene&)>;

const std::map<std::string, input>& inputs() {
  static const std::map<std::string, input> all{
      {"take_free",
       [](mover_scene& s) {
         s.seen.shards[shard].owner = {};
         s.moves->take({shard}, s.seen);
       }},
      {"take_dead",
       [](mover_scene& s) {
         s.seen.shards[shard].owner = mover_scene::other;
         s.moves->take({shard}, s.seen);
       }},
      {"sessions_gone", [](mover_scene& s) { sessions(s, 2); }},
      {"sessions_stay", [](mover_scene& s) { sessions(s, mover_scene::unavailable); }},
      {"taken",
       [](mover_scene& s) {
         answer(s.tables.takes, shard_grant{shard, 5, 70, {}});
       }},
      {"refused",
       [](mover_scene& s) {
         answer(s.tables.takes, std::optional<shard_grant>{});
         answer(s.tables.releases, swap::refused);
       }},
      {"no_answer",
       [](mover_scene& s) {
         answer(s.tables.takes, mover_scene::unavailable);
         answer(s.tables.releases, mover_scene::unavailable);
         s.tick_after(200ms);
       }},
      {"ready", [](mover_scene& s) { s.preparing.empty() ? void() : s.preparing.back().second(); }},
      {"release", [](mover_scene& s) { s.moves->release({shard}); }},
      {"drained",
       [](mover_scene& s) {
         s.hosts.handed_over.empty() ? void() : s.hosts.handed_over.back().second();
       }},
      {"too_long", [](mover_scene& s) { s.tick_after(900ms); }},
      {"much_too_long",
       [](mover_scene& s) {
         s.tick_after(900ms);
         s.tick_after(900ms);
       }},
      {"given_up",
       [](mover_scene& s) {
         answer(s.writers.given_up, shard_grant{shard, 5, 72, {}});
       }},
      {"not_ours",
       [](mover_scene& s) {
         answer(s.writers.given_up, error{errc::moved, "another has taken it", {}});
       }},
      {"released", [](mover_scene& s) { answer(s.tables.releases, swap::done); }},
      {"fenced",
       [](mover_scene& s) {
         s.moves->fenced({{shard, 5}});
       }},
      {"row_mine", [](mover_scene& s) { s.row(shard, mover_scene::me, 6); }},
      {"row_not_mine", [](mover_scene& s) { s.row(shard, mover_scene::other, 6); }},
  };
  return all;
}

TEST(mover, says_what_the_table_says) {
  std::map<std::pair<std::string, std::string>, testing::table_row> rows;
  for (auto& row : testing::state_table(page, "move")) {
    EXPECT_TRUE(inputs().contains(row.input)) << page << ":" << row.line << ": unknown input";
    EXPECT_TRUE(rows.emplace(std::pair{row.status, row.input}, row).second)
        << page << ":" << row.line << " stands twice in the table";
  }
  std::size_t used = 0;
  for (int i = 0; i <= static_cast<int>(shard_phase::releasing); ++i) {
    const auto phase = static_cast<shard_phase>(i);
    const std::string status{to_string(phase)};
    for (auto& [name, hand] : inputs()) {
      const auto row = rows.find({status, name});
      SCOPED_TRACE(status + " x " + name);
      mover_scene s;
      s.bring(shard, phase);
      ASSERT_EQ(s.moves->phase(shard), phase);
      s.forget();
      hand(s);
      const auto after = std::string{to_string(s.moves->phase(shard))};
      const auto said = row == rows.end() ? testing::table_row{} : row->second;
      used += row == rows.end() ? 0 : 1;
      EXPECT_EQ(after, said.next.empty() || said.next == "=" ? status : said.next);
      EXPECT_EQ(testing::joined(s.events), said.events);
      EXPECT_EQ(testing::joined(s.told), said.effects);
      EXPECT_EQ(said.error, "") << "a move has no errors";
    }
  }
  EXPECT_EQ(used, rows.size()) << "the table names a status that there is not";
}

} // namespace
} // namespace rahat::test
