// Live events at one node about entities of another one, which dies and comes back meanwhile.
#include "tests/cluster/town.hpp"
#include "tests/e2e/follower.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <algorithm>

namespace rahat::test {
namespace {

using testing::ElementsAreArray;
using testing::IsEmpty;
using testing::Not;

constexpr std::size_t some_projects = 12; // of which the second node has some

class following : public testing::Test, protected town {
protected:
  following() : town(cluster_plan{.nodes = 2}) {}

  /// Follows a project and the feed, and has been told that it does.
  void follow(follower& ear, const json::object& after = {}) const {
    ASSERT_TRUE(ear.accepted());
    ear.subscribe({topic_, "feed"}, after);
    std::size_t told = 0;
    ASSERT_TRUE(
        ear.read_until([&](const live_frame& f) { return f.type == "subscribed" && ++told == 2; }));
  }

  /// Until both topics have told of this version.
  void hear(follower& ear, std::int64_t version) const {
    const auto told = [&] {
      const auto own = ear.versions(topic_), feed = ear.versions_in_feed(topic_);
      return !own.empty() && own.back() >= version && !feed.empty() && feed.back() >= version;
    };
    if (!told()) {
      EXPECT_TRUE(ear.read_until([&](const live_frame&) { return told(); }))
          << "version " << version << (ear.ended() ? ": the connection has ended" : "");
    }
  }

  const json::value& last_change(const follower& ear) const {
    const auto last = std::find_if(ear.frames.rbegin(), ear.frames.rend(), [&](const auto& f) {
      return f.topic == topic_ && f.is_change();
    });
    return last->data;
  }

  std::vector<std::int64_t> journal(std::int64_t after) const {
    std::vector<std::int64_t> out;
    const auto last = books().seq_of(topic_.substr(topic_.find('/') + 1));
    for (auto n = after + 1; n <= last; ++n)
      out.push_back(n);
    return out;
  }
  std::int64_t version() const { return journal(0).back(); }

  void expect_each_once(const follower& ear, std::int64_t after) const {
    EXPECT_THAT(ear.versions(topic_), ElementsAreArray(journal(after)));
    EXPECT_THAT(ear.versions_in_feed(topic_), ElementsAreArray(journal(after)));
  }

  std::string project_, topic_;
};

TEST_F(following, events_of_another_node_arrive_and_survive_its_death) {
  open(some_projects);
  const auto far = projects_of(cluster, 1, projects);
  ASSERT_THAT(far, Not(IsEmpty()));
  project_ = far.front();
  topic_ = "project/" + project_;
  const auto before = version();

  follower ear{cluster.node(0), who->reader};
  follow(ear);
  // The first ones may be read from the journal: until the owner knows that somebody listens here.
  EXPECT_TRUE(eventually([&] {
    fund(project_);
    hear(ear, version());
    return HasFailure() || last_change(ear).as_object().contains("id");
  })) << "told by its owner, an event comes with the document";
  const auto kept = ear.tokens;
  const auto told = version();

  fund(project_); // committed and answered, perhaps not yet told here
  cluster.kill(1);
  fund(project_); // as soon as node 0 has taken the shard
  hear(ear, version());
  expect_each_once(ear, before);

  follower again{cluster.node(0), who->reader}; // who was away during all of it
  follow(again, kept);
  hear(again, version());
  expect_each_once(again, told);

  cluster.start(1);
  cluster.wait_settled();
  fund(project_); // wherever its shard is now
  for (auto* one : {&ear, &again})
    hear(*one, version());
  expect_each_once(ear, before);
  expect_each_once(again, told);
  EXPECT_THAT(damage(), IsEmpty());
}

} // namespace
} // namespace rahat::test
