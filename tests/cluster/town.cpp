#include "tests/cluster/town.hpp"

#include "runtime/decider/id.hpp"
#include "tests/cluster/checker.hpp"
#include "tests/e2e/office.hpp"

#include <chrono>

namespace rahat::test {

namespace {

constexpr std::int64_t amount_minor = 125;
constexpr std::chrono::seconds funding_limit{60};
constexpr std::uint64_t makers_seed = 1;

} // namespace

std::unique_ptr<people> populate(cluster_process& cluster, std::size_t nodes) {
  cluster.start(0);
  auto who = std::make_unique<people>(cluster.node(0));
  for (std::size_t i = 1; i < (nodes == 0 ? cluster.count() : nodes); ++i)
    cluster.start(i);
  cluster.wait_settled();
  return who;
}

std::vector<std::string> active_projects(client& maker, std::size_t count) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < count; ++i) {
    const auto made =
        maker.must("/v2/projects", {{"name", "Flood"}, {"type", "cash"}, {"currency", "NPR"}});
    out.push_back(text(made, "id"));
    maker.must("/v2/projects/" + out.back() + "/activate", json::object{});
  }
  return out;
}

std::vector<std::string> projects_of(const cluster_process& cluster, std::size_t node,
                                     const std::vector<std::string>& projects) {
  const auto owned = ledger{cluster.owner_conninfo()}.text(
      "SELECT ',' || coalesce(string_agg(shard::text, ','), '') || ',' FROM shard WHERE owner = '" +
      cluster.uuid_of(node) + "'");
  std::vector<std::string> out;
  for (const auto& id : projects)
    if (const auto shard = shard_of({"project", uuid::parse(id).value()});
        owned.find("," + std::to_string(shard) + ",") != std::string::npos)
      out.push_back(id);
  return out;
}

void town::open(std::size_t count, manners of_maker) {
  who = populate(cluster);
  maker = std::make_unique<client>(cluster, who->maker, book, makers_seed, of_maker);
  projects = active_projects(*maker, count);
}

void town::fund(const std::string& project) {
  request ask;
  ask.path = "/v2/projects/" + project + "/fundings";
  ask.body = json::serialize(
      json::object{{"amount_minor", amount_minor}, {"currency", "NPR"}, {"reference", "D"}});
  ask.amount_minor = amount_minor;
  maker->must(std::move(ask), funding_limit);
}

void town::fund_all() {
  for (const auto& id : projects)
    fund(id);
}

std::vector<std::string> town::damage() {
  return checker{cluster, *who, book}.everything(nullptr);
}

} // namespace rahat::test
