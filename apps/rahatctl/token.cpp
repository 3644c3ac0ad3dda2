#include "apps/rahatctl/commands.hpp"
#include "apps/rahatctl/context.hpp"
#include "apps/rahatctl/output.hpp"
#include "apps/rahatctl/paged.hpp"

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

int list(context& ctx) {
  auto node = ctx.internal_client();
  if (!node)
    return exit_problem;
  auto rows = all_rows(ctx, *node, "/internal/v1/tokens", "tokens");
  if (!rows)
    return exit_problem;
  print_rows(ctx, "tokens", std::move(*rows), "there is no token");
  return exit_ok;
}

int revoke(context& ctx, const std::string& id) {
  auto node = ctx.internal_client();
  if (!node)
    return exit_problem;
  auto gone = ctx.accept(node->post("/internal/v1/tokens/" + id + "/revoke", "{}"));
  if (!gone)
    return exit_problem;
  if (!ctx.json) {
    auto* user = member(*gone, "user");
    ctx.out << "token " << id << (user != nullptr ? " of " + plain(*user) : "")
            << " is revoked: nobody is let in with it any more\n";
  }
  return exit_ok;
}

// It becomes a part of a path.
std::string check_id(const std::string& text) {
  bool is_one =
      !text.empty() && text.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
  return is_one ? "" : "must be an id as rahatctl token list shows it";
}

void add_create(CLI::App* token, context& ctx) {
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

} // namespace

void add_token(CLI::App& app, context& ctx) {
  auto* token = app.add_subcommand("token", "Tokens that people and programs call the API with.");
  token->require_subcommand(1);
  token->footer(
      "Examples:\n"
      "  rahatctl token create --user asha --role maker\n"
      "  rahatctl token list\n"
      "  rahatctl token revoke 3f9a1c0be5d27788");
  add_create(token, ctx);

  auto* show = token->add_subcommand("list", "Show whose they are; never the tokens themselves.");
  show->footer(
      "Examples:\n"
      "  rahatctl token list\n"
      "  rahatctl token list --json | jq '.tokens[] | select(.revoked_at == null)'");
  show->callback([&ctx] { ctx.exit_code = list(ctx); });

  auto* end = token->add_subcommand("revoke", "Let nobody in with a token any more.");
  auto id = std::make_shared<std::string>();
  end->add_option("id", *id, "As rahatctl token list shows it")->required()->check(check_id);
  end->footer(
      "Examples:\n"
      "  rahatctl token revoke 3f9a1c0be5d27788\n"
      "Revoking again changes nothing.");
  end->callback([&ctx, id] { ctx.exit_code = revoke(ctx, *id); });
}

} // namespace rahat::ctl
