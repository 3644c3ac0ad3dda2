#pragma once

namespace CLI {
class App;
}

/// One function a command, each in the file of its name: it adds the command with its flags, help
/// and examples, and a callback that sets `context::exit_code`.
namespace rahat::ctl {

struct context;

/// All of them, in the order in which the help lists them.
void add_all(CLI::App& app, context& ctx);

void add_health(CLI::App& app, context& ctx);
void add_token(CLI::App& app, context& ctx);
void add_audit(CLI::App& app, context& ctx);
void add_books(CLI::App& app, context& ctx);
void add_actors(CLI::App& app, context& ctx);
void add_parked(CLI::App& app, context& ctx);
void add_doctor(CLI::App& app, context& ctx);
void add_demo(CLI::App& app, context& ctx);
void add_certs(CLI::App& app, context& ctx);
void add_cluster(CLI::App& app, context& ctx);

} // namespace rahat::ctl
