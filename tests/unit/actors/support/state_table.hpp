#pragma once

#include "tests/unit/actors/support/given.hpp"

#include <gtest/gtest.h>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

/// The state tables of docs/protocols are tests. A table stands behind the line
///
///   <!-- state table: NAME -->
///
/// and has the columns `status | input | next | events | effects | error`. The first two may list
/// several values with commas: the row then speaks for each pair. `next` may be `=` (stays).
/// What `effects` says is in describe.hpp; the error `parked` is a broken invariant.
namespace rahat::testing {

struct table_row {
  std::string status;
  std::string input;
  std::string next;
  std::string events;
  std::string effects;
  std::string error;
  int line = 0; // in the file
};

/// The rows of one table, lists of statuses and inputs spread out. `path` is from the root of the
/// sources. Throws std::runtime_error when the file, the table or its columns are not there.
std::vector<table_row> state_table(const std::string& path, const std::string& name);

/// What the input does; a broken invariant is the error `parked`.
template <class D>
outcome_of<D> or_parked(const std::function<outcome_of<D>(given<D>)>& input,
                        const given<D>& before) {
  try {
    return input(before);
  } catch (const broken_invariant& why) {
    return {before.state(), before.state(), {}, reject(errc::parked, why.what()), true};
  }
}

/// Checks that the table has exactly one row for each (status, input), and that the decider does
/// what that row says. `statuses` make the state before (its name is that of the column),
/// `inputs` hand something to it, `status_name` names the state after.
template <class D>
void check_state_table(const std::string& path, const std::string& name,
                       const std::map<std::string, given<D>>& statuses,
                       const std::map<std::string, std::function<outcome_of<D>(given<D>)>>& inputs,
                       const std::function<std::string(const typename D::state&)>& status_name) {
  std::set<std::pair<std::string, std::string>> seen;
  for (auto& row : state_table(path, name)) {
    auto where = path + ":" + std::to_string(row.line) + ": " + row.status + " x " + row.input;
    SCOPED_TRACE(where);
    EXPECT_TRUE(seen.emplace(row.status, row.input).second) << "stands twice in the table";
    auto status = statuses.find(row.status);
    auto input = inputs.find(row.input);
    if (status == statuses.end() || input == inputs.end()) {
      ADD_FAILURE() << "the test does not know this "
                    << (status == statuses.end() ? "status" : "input");
      continue;
    }
    auto out = or_parked(input->second, status->second);
    auto before = status_name(out.before);
    EXPECT_EQ(status_name(out.after), row.next == "=" ? before : row.next);
    EXPECT_EQ(out.events(), row.events);
    EXPECT_EQ(out.effects(), row.effects);
    EXPECT_EQ(out.error_name(), row.error);
  }
  for (auto& [status, state] : statuses)
    for (auto& [input, hand] : inputs)
      EXPECT_TRUE(seen.contains({status, input}))
          << path << " does not say what happens: " << status << " x " << input;
}

} // namespace rahat::testing
