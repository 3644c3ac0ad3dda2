#include "apps/rahatctl/app.hpp"

#include "apps/rahatctl/commands.hpp"
#include "apps/rahatctl/context.hpp"

#include <CLI/CLI.hpp>

namespace rahat::ctl {

namespace {

std::string first_of(std::string flag, const environment& env, const std::string& name,
                     std::string otherwise) {
  if (!flag.empty())
    return flag;
  auto found = env.find(name);
  return found != env.end() && !found->second.empty() ? found->second : otherwise;
}

void add_global_flags(CLI::App& app, context& ctx) {
  app.add_option("--url", ctx.url, "The API [$RAHAT_URL, else http://127.0.0.1:8080]");
  app.add_option("--internal-url", ctx.internal_url,
                 "The internal listener [$RAHAT_INTERNAL_URL, else http://127.0.0.1:9090]");
  app.add_option("--token", ctx.token, "The token itself; others on this host may see it")
      ->group("Options");
  app.add_option("--token-file", ctx.token_file,
                 "File with the token [$RAHAT_TOKEN, $RAHAT_TOKEN_FILE, <data>/admin.token]");
  app.add_option("--data", ctx.data,
                 "The node's data folder [$RAHAT_NODE_DATA_DIR, else the node's default]");
  app.add_flag("--json", ctx.json, "Write the node's answer as it is");
}

} // namespace

void add_all(CLI::App& app, context& ctx) {
  for (auto add : {add_demo, add_health, add_doctor, add_books, add_audit, add_actors, add_parked,
                   add_token, add_certs, add_cluster})
    add(app, ctx);
}

int run(int argc, const char* const* argv, const environment& env, std::ostream& out,
        std::ostream& err) {
  context ctx{env, out, err};
  CLI::App app{"rahatctl: asks and steers a node of Rahat.", "rahatctl"};
  app.set_version_flag("--version", "rahatctl " RAHAT_VERSION);
  app.footer(
      "Examples:\n"
      "  rahatctl health\n"
      "  rahatctl books --recount\n"
      "  rahatctl parked list\n"
      "  rahatctl token create --user asha --role maker\n"
      "  rahatctl cluster status --internal-url http://10.0.0.7:9090\n"
      "Exit codes: 0 ok, 1 a problem was found or the command failed, 2 usage, 130 the demo was\n"
      "interrupted. rahatctl COMMAND --help says when a command exits with 1, with examples.");
  app.require_subcommand(1);
  app.fallthrough(); // global flags may stand behind the command
  add_global_flags(app, ctx);
  // Before any command runs, after all flags are known.
  app.parse_complete_callback([&] {
    ctx.url = first_of(ctx.url, env, "RAHAT_URL", "http://127.0.0.1:8080");
    ctx.internal_url =
        first_of(ctx.internal_url, env, "RAHAT_INTERNAL_URL", "http://127.0.0.1:9090");
    ctx.data = first_of(ctx.data, env, "RAHAT_NODE_DATA_DIR", default_data_dir(env));
  });
  add_all(app, ctx);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e, out, err) == 0 ? exit_ok : exit_usage;
  }
  return ctx.exit_code;
}

} // namespace rahat::ctl
