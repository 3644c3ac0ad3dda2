#include "apps/rahatd/cluster_metrics.hpp"
#include "apps/rahatd/measures.hpp"
#include "apps/rahatd/tree_metrics.hpp"
#include "gateways/http/prometheus_probe.hpp"
#include "gateways/live/prometheus_live.hpp"
#include "persistence/audit/prometheus_audit.hpp"

#include <gtest/gtest.h>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>

/// docs/metrics.md is what alerts and dashboards are written from: it names every family that a
/// node can show, with its type and labels, and no other.
namespace rahat {
namespace {

struct family {
  std::string type;
  std::set<std::string> labels;
  bool operator==(const family&) const = default;
};

std::ostream& operator<<(std::ostream& out, const family& f) {
  out << f.type << " {";
  for (auto& label : f.labels)
    out << ' ' << label;
  return out << " }";
}

using catalogue = std::map<std::string, family>;

/// A family shows only once something was counted in it, so everything happens once.
void happen(entity_probe& probe) {
  probe.host_started("project");
  probe.host_stopped("project");
  probe.host_recovered("project", 0.1);
  probe.host_restarted("project", "store");
  probe.entity_parked("project", "kept_failing");
  probe.turn_finished("project", "command", "ok", 0.1);
  probe.mail_posted("project");
  probe.mail_taken("project");
  probe.mail_refused("project", "overloaded");
  probe.message_sent_again("project");
  probe.dead_letter("message_gap");
  probe.request_repeated("project");
  probe.transfers_committed(1);
  probe.message_applied("project", 0.1);
}

/// What shows only at a node of a cluster, and there only once it was counted.
void happen(cluster_metrics& clustered) {
  clustered.membership().acted(cluster::vote_against{}, swap::done);
  clustered.moves().shard_taken(1, true);
  clustered.routes().hop_finished("ask", "ok", 0.1);
  clustered.routes().call_again("moved");
  clustered.routes().message_lost("no_link");
  clustered.routes().live_gap("moved", 1);
  clustered.links().link_ended("silent", true, 0);
  clustered.links().frame_not_sent("no_room");
}

std::string everything_that_a_node_shows() {
  measures all{1};
  happen(all.entities());
  cluster_metrics clustered{all.registry()};
  happen(clustered);
  http::prometheus_probe edge{"public"};
  edge.request_finished("/v2/projects", http::method::get, 200, 0.1);
  prometheus_audit audit;
  books_report counted;
  counted.at_us = 1;
  audit.recounted(counted);
  audit.verified(verify_report{});
  live::prometheus_live sockets;
  supervision_tree tree;
  tree.set("root", "running", 1);
  tree_metrics supervised{tree};
  all.add(edge);
  all.add(sockets);
  all.add(supervised);
  all.add(audit);
  return all.text();
}

std::set<std::string> names_in(const std::string& text, const std::string& pattern) {
  std::set<std::string> out;
  const std::regex expression{pattern};
  for (std::sregex_iterator at{text.begin(), text.end(), expression}, end; at != end; ++at)
    out.insert((*at)[1].str());
  return out;
}

/// The text format: a line "# TYPE name type", then the family's samples.
catalogue shown() {
  catalogue out;
  std::istringstream lines{everything_that_a_node_shows()};
  std::string line;
  std::string name;
  while (std::getline(lines, line)) {
    std::smatch found;
    if (std::regex_match(line, found, std::regex{R"(# TYPE (\w+) (\w+))"})) {
      name = found[1];
      out[name].type = found[2];
    } else if (line.starts_with(name) && !name.empty()) {
      auto labels = names_in(line, R"re([{,](\w+)=")re");
      labels.erase("le"); // a histogram's own
      out[name].labels.merge(labels);
    }
  }
  return out;
}

/// Rows of the page: | `name` | type | unit | `label` `label` | meaning |
catalogue documented() {
  const std::filesystem::path root{RAHAT_ROOT};
  std::ifstream page{root / "docs" / "metrics.md"};
  catalogue out;
  std::string line;
  const std::regex row{R"(\| `(\w+)` \| (\w+) \| ([^|]+) \| ([^|]*) \| ([^|]+) \|)"};
  while (std::getline(page, line)) {
    std::smatch found;
    if (!std::regex_match(line, found, row))
      continue;
    EXPECT_FALSE(out.contains(found[1])) << found[1] << " stands twice in docs/metrics.md";
    out[found[1]] = {found[2], names_in(found[4], "`(\\w+)`")};
  }
  return out;
}

TEST(metrics_catalogue, names_what_a_node_shows_and_nothing_else) {
  const auto real = shown();
  const auto page = documented();
  ASSERT_GT(real.size(), 40U);
  for (auto& [name, f] : real) {
    auto found = page.find(name);
    if (found == page.end())
      ADD_FAILURE() << "docs/metrics.md lacks " << name << ": " << f;
    else
      EXPECT_EQ(found->second, f) << name;
  }
  for (auto& [name, f] : page)
    EXPECT_TRUE(real.contains(name)) << "docs/metrics.md names " << name << ": nothing counts it";
}

/// Units stand last in a name, as Prometheus's own conventions want it.
TEST(metrics_catalogue, counters_end_in_total_and_times_in_seconds) {
  for (auto& [name, f] : shown()) {
    EXPECT_EQ(f.type == "counter", name.ends_with("_total")) << name;
    EXPECT_FALSE(name.ends_with("_ms") || name.ends_with("_us")) << name;
  }
}

} // namespace
} // namespace rahat
