#include "apps/rahatctl/commands.hpp"
#include "apps/rahatctl/context.hpp"
#include "apps/rahatctl/output.hpp"

#include <CLI/CLI.hpp>

namespace rahat::ctl {

namespace {

int verify(context& ctx) {
  auto node = ctx.internal_client();
  if (!node)
    return exit_problem;
  // The whole journal is read: how long that takes is the journal's affair.
  auto document = ctx.accept(
      node->send({.path = "/internal/v1/audit/verify", .timeout = std::chrono::seconds{0}}));
  if (!document)
    return exit_problem;
  auto ok = member(*document, "ok");
  auto rows = number(member(*document, "rows"));
  if (!ok || !ok->is_bool() || !rows)
    return ctx.fail("the node's answer holds no verdict");
  if (!ctx.json) {
    if (ok->get_bool()) {
      ctx.out << "the audit chain is valid: " << *rows << " rows\n";
    } else {
      ctx.out << "THE AUDIT CHAIN IS BROKEN. The first row that does not fit:\n";
      if (auto bad = member(*document, "first_bad"); bad && bad->is_object())
        print_fields(ctx.out, bad->get_object());
    }
  }
  return ok->get_bool() ? exit_ok : exit_problem;
}

} // namespace

void add_audit(CLI::App& app, context& ctx) {
  auto* audit = app.add_subcommand("audit", "Proof that nobody has changed the past.");
  audit->require_subcommand(1);
  audit->footer(
      "Examples:\n"
      "  rahatctl audit verify");
  auto* command = audit->add_subcommand(
      "verify", "Recompute the hash chain over every event and transfer, and the signed heads.");
  command->footer(
      "Examples:\n"
      "  rahatctl audit verify\n"
      "  rahatctl audit verify --json > audit.json\n"
      "Exits with 1 if a row was altered, removed or cut off, and names the first.");
  command->callback([&ctx] { ctx.exit_code = verify(ctx); });
}

} // namespace rahat::ctl
