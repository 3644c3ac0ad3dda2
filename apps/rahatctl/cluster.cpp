#include "apps/rahatctl/cluster.hpp"

#include "apps/rahatctl/commands.hpp"
#include "apps/rahatctl/context.hpp"
#include "apps/rahatctl/output.hpp"
#include "apps/rahatctl/progress.hpp"

#include <CLI/CLI.hpp>

#include <chrono>
#include <thread>

namespace rahat::ctl {

namespace json = boost::json;

namespace {

using namespace std::chrono_literals;

constexpr auto look_every = 250ms;
constexpr int default_wait_s = 300;
constexpr const char* cluster_path = "/internal/v1/cluster";

struct arguments {
  std::string node;
  bool all = false;
  bool undo = false;
  bool wait = false;
  int timeout_s = default_wait_s;
};

std::string text(const json::value& of, std::string_view name) {
  const auto* found = member(of, name);
  return found != nullptr && found->is_string() ? std::string{found->get_string()} : "";
}

/// A look whose answer is not written out, whatever the flags say.
std::optional<json::value> look(context& ctx, client& node) {
  const bool json = std::exchange(ctx.json, false);
  auto document = ctx.accept(node.get(cluster_path));
  ctx.json = json;
  return document;
}

int status(context& ctx, const arguments& given) {
  auto node = ctx.internal_client();
  if (!node)
    return exit_problem;
  auto document = ctx.accept(node->get(cluster_path));
  if (!document)
    return exit_problem;
  if (!cluster_members(*document))
    return ctx.fail("the node's answer holds no members: is it an older release?");
  if (!ctx.json)
    print_cluster(ctx.out, *document, given.all);
  const auto troubles = cluster_troubles(*document);
  if (!ctx.json)
    for (const auto& trouble : troubles)
      ctx.out << "! " << trouble << '\n';
  return troubles.empty() ? exit_ok : exit_problem;
}

struct drain_progress {
  bool over = false;
  std::uint64_t owned = 0;
  std::string status;
};

/// Where the member stands; a member that is gone has nothing left to give.
drain_progress progress_of(const json::value& cluster, const std::string& uuid) {
  for (const auto& m : *cluster_members(cluster)) {
    if (text(m, "uuid") != uuid)
      continue;
    const auto owned = static_cast<std::uint64_t>(number(member(m, "shards_owned")).value_or(0));
    return {false, owned, text(m, "status")};
  }
  return {true, 0, "gone"};
}

int follow(context& ctx, client& node, const json::value& asked, const arguments& given) {
  const auto uuid = text(asked, "uuid");
  const auto name = text(asked, "name");
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(given.timeout_s);
  const auto before = static_cast<std::uint64_t>(number(member(asked, "shards_owned")).value_or(0));
  progress bar{ctx.err, std::max<std::uint64_t>(before, 1)};
  for (;;) {
    auto now = look(ctx, node);
    if (!now)
      return exit_problem;
    if (!cluster_members(*now))
      return ctx.fail("the node's answer holds no members");
    const auto at = progress_of(*now, uuid);
    const bool done = given.undo ? at.status == "active" || at.over
                                 : at.over || (at.owned == 0 && at.status != "active");
    if (!given.undo)
      bar.show(before - std::min(before, at.owned),
               name + " still owns " + std::to_string(at.owned) + " shards");
    if (done) {
      bar.finish();
      return exit_ok;
    }
    if (std::chrono::steady_clock::now() >= limit) {
      bar.finish();
      return ctx.fail(name + " is " + at.status + " and owns " + std::to_string(at.owned) +
                      " shards after " + std::to_string(given.timeout_s) +
                      " s; it goes on. rahatctl cluster status says more");
    }
    std::this_thread::sleep_for(look_every);
  }
}

int drain(context& ctx, const arguments& given) {
  auto node = ctx.internal_client();
  if (!node)
    return exit_problem;
  auto now = look(ctx, *node);
  if (!now)
    return exit_problem;
  const auto found = find_member(*now, given.node);
  if (found.it == nullptr)
    return ctx.fail(found.why);
  const auto uuid = text(*found.it, "uuid");
  auto asked = ctx.accept(node->post(
      std::string{cluster_path} + "/members/" + uuid + (given.undo ? "/undrain" : "/drain"), "{}"));
  if (!asked)
    return exit_problem;
  const auto name = text(*asked, "name");
  if (given.wait)
    if (auto code = follow(ctx, *node, *asked, given); code != exit_ok)
      return code;
  if (ctx.json)
    return exit_ok;
  if (given.undo)
    ctx.out << name
            << (given.wait ? " is active and gets shards again\n"
                           : " is asked to stay: it gets shards again\n");
  else if (given.wait)
    ctx.out << name << " owns no shard: it may be stopped\n";
  else
    ctx.out << name << " is asked to give its " << plain(*member(*asked, "shards_owned"))
            << " shards away; rahatctl cluster status shows how far it is\n";
  return exit_ok;
}

int finish_upgrade(context& ctx) {
  auto node = ctx.internal_client();
  if (!node)
    return exit_problem;
  auto said = ctx.accept(node->post(std::string{cluster_path} + "/finish-upgrade", "{}"));
  if (!said)
    return exit_problem;
  const auto level = number(member(*said, "feature_level"));
  if (!level)
    return ctx.fail("the node's answer holds no feature level");
  if (ctx.json)
    return exit_ok;
  if (is_true(member(*said, "raised")))
    ctx.out << "the upgrade is finished: the cluster writes feature level " << *level
            << ", and no node can go back to the release before\n";
  else
    ctx.out << "nothing to finish: the cluster is at feature level " << *level << " already\n";
  return exit_ok;
}

void add_status(CLI::App* cluster, context& ctx) {
  auto given = std::make_shared<arguments>();
  auto* command = cluster->add_subcommand("status", "Members, leases, shards, links and moves.");
  command->add_flag("--all", given->all, "Also show the members that have left or died");
  command->footer(
      "Examples:\n"
      "  rahatctl cluster status\n"
      "  rahatctl cluster status --internal-url http://10.0.0.7:9090 --all\n"
      "  rahatctl cluster status --json | jq '.shards.unowned | length'\n"
      "Links and open shards are as the asked node sees them. Exits with 1 if something is wrong: "
      "a\n"
      "lapsed lease, a shard that nobody serves, a member out of reach, no answer of the "
      "database.");
  command->callback([&ctx, given] { ctx.exit_code = status(ctx, *given); });
}

void add_drain(CLI::App* cluster, context& ctx) {
  auto given = std::make_shared<arguments>();
  auto* command =
      cluster->add_subcommand("drain", "Ask a node to give its shards away, before it is stopped.");
  command->add_option("node", given->node, "Its name, its UUID, or the beginning of one of them")
      ->required();
  command->add_flag("--undo", given->undo, "Take it back: the node gets shards again");
  command->add_flag("--wait", given->wait, "Show the progress until it owns no shard");
  command->add_option("--timeout", given->timeout_s, "With --wait: seconds until it is given up")
      ->check(CLI::Range(1, 86'400))
      ->capture_default_str();
  command->footer(
      "Examples:\n"
      "  rahatctl cluster drain n2 --wait\n"
      "  rahatctl cluster drain 5f0c3b1e --undo\n"
      "Any node may be asked. The drained one serves on and stays a member. Its stop drains it as\n"
      "well: this command is for the time between.");
  command->callback([&ctx, given] { ctx.exit_code = drain(ctx, *given); });
}

void add_finish(CLI::App* cluster, context& ctx) {
  auto* command = cluster->add_subcommand(
      "finish-upgrade",
      "Let the nodes write what only the new release reads. There is no way back.");
  command->footer(
      "Examples:\n"
      "  rahatctl cluster status            # every node runs the new build?\n"
      "  rahatctl cluster finish-upgrade\n"
      "Exits with 1 and names who is behind while a member runs an older release.");
  command->callback([&ctx] { ctx.exit_code = finish_upgrade(ctx); });
}

} // namespace

void add_cluster(CLI::App& app, context& ctx) {
  auto* cluster = app.add_subcommand("cluster", "Several nodes over one database.");
  cluster->require_subcommand(1);
  cluster->footer(
      "Examples:\n"
      "  rahatctl cluster status\n"
      "  rahatctl cluster drain n2 --wait\n"
      "  rahatctl cluster finish-upgrade");
  add_status(cluster, ctx);
  add_drain(cluster, ctx);
  add_finish(cluster, ctx);
}

} // namespace rahat::ctl
