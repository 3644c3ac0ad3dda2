#include "apps/rahatctl/commands.hpp"
#include "apps/rahatctl/context.hpp"
#include "apps/rahatctl/output.hpp"

#include <CLI/CLI.hpp>

namespace rahat::ctl {

namespace {

int create(context& ctx, const std::string& user, const std::string& role) {
  auto node = ctx.internal_client();
  if (!node)
    return exit_problem;
  auto ask = boost::json::serialize(boost::json::object{{"user", user}, {"role", role}});
  auto document = ctx.accept(node->post("/internal/v1/tokens", ask));
  if (!document)
    return exit_problem;
  auto token = member(*document, "token");
  if (!token || !token->is_string())
    return ctx.fail("the node's answer holds no token");
  if (!ctx.json) {
    ctx.out << plain(*token) << '\n';
    ctx.err << "This is the only time that the token is shown. " << user << " is "
            << (role == "admin" || role == "operator" ? "an " : "a ") << role << ".\n";
  }
  return exit_ok;
}

} // namespace

void add_token(CLI::App& app, context& ctx) {
  auto* token = app.add_subcommand("token", "Tokens that people and programs call the API with.");
  token->require_subcommand(1);
  auto* command = token->add_subcommand("create", "Make a token for a user and print it.");
  struct arguments {
    std::string user;
    std::string role;
  };
  auto given = std::make_shared<arguments>();
  command->add_option("--user", given->user, "Name of the user; the audit trail shows it")
      ->required()
      ->check([](const std::string& name) {
        return std::string(name.empty() ? "must not be empty" : "");
      });
  command->add_option("--role", given->role, "What the token may do")
      ->required()
      ->check(CLI::IsMember({"admin", "maker", "checker", "operator", "reader"}));
  command->footer(
      "Examples:\n"
      "  rahatctl token create --user asha --role maker\n"
      "  TOKEN=$(rahatctl token create --user binod --role checker)\n"
      "The token goes to standard output, and nothing else does.");
  command->callback([&ctx, given] { ctx.exit_code = create(ctx, given->user, given->role); });
}

} // namespace rahat::ctl
