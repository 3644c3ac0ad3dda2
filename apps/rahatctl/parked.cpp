#include "apps/rahatctl/commands.hpp"
#include "apps/rahatctl/context.hpp"
#include "apps/rahatctl/paged.hpp"

#include <CLI/CLI.hpp>

namespace rahat::ctl {

namespace {

int list(context& ctx) {
  auto node = ctx.internal_client();
  if (!node)
    return exit_problem;
  auto rows = all_rows(ctx, *node, "/internal/v1/parked", "parked");
  if (!rows)
    return exit_problem;
  print_rows(ctx, "parked", std::move(*rows), "nothing is parked");
  return exit_ok;
}

int release(context& ctx, const std::string& entity) {
  auto node = ctx.internal_client();
  if (!node)
    return exit_problem;
  if (!ctx.accept(node->post("/internal/v1/parked/" + entity + "/release", "{}")))
    return exit_problem;
  if (!ctx.json)
    ctx.out << entity << " is released: its work is tried again\n";
  return exit_ok;
}

// "kind/id", which becomes a part of a path.
std::string check_entity(const std::string& text) {
  auto slash = text.find('/');
  bool plain = text.find_first_not_of(
                   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                   "0123456789_-/") == std::string::npos;
  bool two_parts = slash != std::string::npos && slash > 0 && slash + 1 < text.size() &&
                   text.find('/', slash + 1) == std::string::npos;
  return plain && two_parts ? "" : "must be kind/id as rahatctl parked list shows it";
}

} // namespace

void add_parked(CLI::App& app, context& ctx) {
  auto* parked = app.add_subcommand(
      "parked", "Entities that could not go on and wait for a person to look at them.");
  parked->require_subcommand(1);
  parked->footer(
      "Examples:\n"
      "  rahatctl parked list\n"
      "  rahatctl parked release disbursement/0f8fad5b-d9cb-869f-a165-70867728950e");
  auto* show = parked->add_subcommand("list", "Show them with their errors.");
  show->footer(
      "Examples:\n"
      "  rahatctl parked list\n"
      "  rahatctl parked list --json | jq '.parked | length'\n"
      "All of them, however many pages the node gives.");
  show->callback([&ctx] { ctx.exit_code = list(ctx); });

  auto* free = parked->add_subcommand("release", "Let one try again, once its cause is mended.");
  auto entity = std::make_shared<std::string>();
  free->add_option("entity", *entity, "kind/id")->required()->check(check_entity);
  free->footer(
      "Examples:\n"
      "  rahatctl parked release disbursement/0f8fad5b-d9cb-869f-a165-70867728950e");
  free->callback([&ctx, entity] { ctx.exit_code = release(ctx, *entity); });
}

} // namespace rahat::ctl
