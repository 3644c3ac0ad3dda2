#include "apps/rahatctl/commands.hpp"
#include "apps/rahatctl/context.hpp"
#include "apps/rahatctl/output.hpp"

#include <CLI/CLI.hpp>

namespace rahat::ctl {

namespace json = boost::json;

namespace {

json::value body_of(const answer& got) {
  auto document = parse_json(got.body);
  return document ? *document : json::value(json::string(got.body));
}

int health(context& ctx) {
  client node(ctx.internal_url, ""); // both answer without a token
  auto alive = node.get("/health");
  if (!alive.fault.empty())
    return ctx.fail(alive.fault);
  auto ready = node.get("/readiness");
  if (!ready.fault.empty())
    return ctx.fail(ready.fault);
  if (ctx.json) {
    ctx.out << json::serialize(
                   json::object{{"health", body_of(alive)}, {"readiness", body_of(ready)}})
            << '\n';
  } else {
    ctx.out << (alive.ok() ? "alive" : "not alive") << ", " << (ready.ok() ? "ready" : "not ready")
            << '\n';
    auto details = body_of(ready);
    if (details.is_object())
      print_fields(ctx.out, details.get_object());
  }
  return alive.ok() && ready.ok() ? exit_ok : exit_problem;
}

} // namespace

void add_health(CLI::App& app, context& ctx) {
  auto* command = app.add_subcommand("health", "Is the node alive, and ready for work?");
  command->footer(
      "Examples:\n"
      "  rahatctl health\n"
      "  rahatctl health --internal-url http://10.0.0.7:9090 --json\n"
      "Exits with 1 unless the node is ready.");
  command->callback([&ctx] { ctx.exit_code = health(ctx); });
}

} // namespace rahat::ctl
