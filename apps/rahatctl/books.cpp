#include "apps/rahatctl/commands.hpp"
#include "apps/rahatctl/context.hpp"
#include "apps/rahatctl/output.hpp"

#include <CLI/CLI.hpp>

namespace rahat::ctl {

namespace {

constexpr std::chrono::seconds books_timeout{600}; // a full recount

int books(context& ctx) {
  auto node = ctx.internal_client();
  if (!node)
    return exit_problem;
  auto document = ctx.accept(node->send({.path = "/internal/v1/books", .timeout = books_timeout}));
  if (!document)
    return exit_problem;
  auto imbalance = number(member(*document, "imbalance_minor"));
  if (!imbalance)
    return ctx.fail("the node's answer holds no imbalance");
  if (!ctx.json) {
    ctx.out << (*imbalance == 0 ? "the books are balanced\n" : "THE BOOKS ARE NOT BALANCED\n");
    print_fields(ctx.out, document->get_object());
  }
  return *imbalance == 0 ? exit_ok : exit_problem;
}

} // namespace

void add_books(CLI::App& app, context& ctx) {
  auto* command = app.add_subcommand(
      "books", "Compare what every owner of an account knows with the transfers themselves.");
  command->footer(
      "Examples:\n"
      "  rahatctl books\n"
      "  rahatctl books --json | jq .imbalance_minor\n"
      "Amounts are in minor units (cents, paisa). Exits with 1 unless the imbalance is "
      "0.");
  command->callback([&ctx] { ctx.exit_code = books(ctx); });
}

} // namespace rahat::ctl
