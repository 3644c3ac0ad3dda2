#include "apps/rahatctl/commands.hpp"
#include "apps/rahatctl/context.hpp"
#include "apps/rahatctl/output.hpp"

#include <CLI/CLI.hpp>

namespace rahat::ctl {

namespace {

int doctor(context& ctx) {
  auto node = ctx.internal_client();
  if (!node)
    return exit_problem;
  auto document = ctx.accept(node->get("/internal/v1/doctor"));
  if (!document)
    return exit_problem;
  auto checks = member(*document, "checks");
  auto ok = member(*document, "ok");
  if (!ok || !ok->is_bool() || !checks || !checks->is_array())
    return ctx.fail("the node's answer holds no checks");
  if (!ctx.json)
    for (const auto& check : checks->get_array()) {
      auto name = member(check, "name");
      auto detail = member(check, "detail");
      ctx.out << (is_true(member(check, "ok")) ? "ok       " : "PROBLEM  ")
              << (name ? plain(*name) : "?") << (detail ? ": " + plain(*detail) : "") << '\n';
    }
  return ok->get_bool() ? exit_ok : exit_problem;
}

} // namespace

void add_doctor(CLI::App& app, context& ctx) {
  auto* command = app.add_subcommand(
      "doctor", "Look for what endangers money or data: fsync off, a standby that lags, ...");
  command->footer(
      "Examples:\n"
      "  rahatctl doctor\n"
      "  rahatctl doctor --json | jq '.checks[] | select(.ok | not)'\n"
      "Exits with 1 if a problem was found.");
  command->callback([&ctx] { ctx.exit_code = doctor(ctx); });
}

} // namespace rahat::ctl
