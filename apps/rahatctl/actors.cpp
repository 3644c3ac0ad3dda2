#include "apps/rahatctl/commands.hpp"
#include "apps/rahatctl/context.hpp"
#include "apps/rahatctl/output.hpp"

#include <CLI/CLI.hpp>

namespace rahat::ctl {

namespace {

int actors(context& ctx) {
  auto node = ctx.internal_client();
  if (!node)
    return exit_problem;
  auto document = ctx.accept(node->get("/internal/v1/actors"));
  if (!document)
    return exit_problem;
  auto rows = member(*document, "actors");
  if (!rows || !rows->is_array())
    return ctx.fail("the node's answer holds no actors");
  if (!ctx.json)
    print_table(ctx.out, rows->get_array());
  return exit_ok;
}

} // namespace

void add_actors(CLI::App& app, context& ctx) {
  auto* command =
      app.add_subcommand("actors", "The supervision tree: what runs, and how it fares.");
  command->footer(
      "Examples:\n"
      "  rahatctl actors\n"
      "  rahatctl actors --json | jq '.actors[] | select(.restarts > 0)'");
  command->callback([&ctx] { ctx.exit_code = actors(ctx); });
}

} // namespace rahat::ctl
