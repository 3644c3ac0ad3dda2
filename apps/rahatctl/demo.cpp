#include "apps/rahatctl/commands.hpp"
#include "apps/rahatctl/context.hpp"
#include "apps/rahatctl/demo_node.hpp"
#include "apps/rahatctl/demo_register.hpp"
#include "apps/rahatctl/demo_story.hpp"
#include "apps/rahatctl/interrupt.hpp"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>

#include <charconv>
#include <filesystem>
#include <iomanip>
#include <sstream>
#include <stdexcept>

namespace rahat::ctl {

namespace {

namespace json = boost::json;

constexpr std::uint64_t most_lines = 1'000'000;

struct demo_flags {
  std::string rahatd;
  std::string examples;
  std::uint64_t lines = 0; // 0: the register once
  bool keep = false;
};

/// A fresh folder that Postgres' own user can reach when we are root.
std::string make_data_folder() {
  auto pattern = (std::filesystem::temp_directory_path() / "rahat-demo-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr)
    throw std::runtime_error("cannot make a folder like " + pattern);
  std::filesystem::permissions(pattern, std::filesystem::perms{0755});
  return pattern;
}

void remove_folder(const std::string& data) {
  std::error_code ignored;
  std::filesystem::remove_all(data, ignored);
}

void show_summary(std::ostream& out, const demo_figures& is) {
  std::ostringstream summary;
  summary << std::fixed << std::setprecision(2) << "\n  lines paid   " << is.lines_paid << " of "
          << is.households << "\n  amount       " << demo_money(is.paid_minor)
          << "\n  seconds      " << is.seconds << "\n  lines/s      " << std::setprecision(0)
          << is.lines_per_second() << "\n  imbalance    "
          << (is.books_complete ? std::to_string(is.imbalance_minor) : "not known yet") << "\n";
  out << summary.str();
}

/// `node` is null unless the node stays up.
json::object summary_of(const demo_figures& is, bool good, const demo_node* node) {
  json::object out{{"ok", good},
                   {"households", is.households},
                   {"lines_paid", is.lines_paid},
                   {"paid_minor", is.paid_minor},
                   {"currency", demo_currency},
                   {"seconds", is.seconds},
                   {"lines_per_second", is.lines_per_second()},
                   {"shops", is.shops},
                   {"redemptions", is.redemptions},
                   {"settled_minor", is.settled_minor},
                   {"books_complete", is.books_complete},
                   {"imbalance_minor",
                    is.books_complete ? json::value(is.imbalance_minor) : json::value(nullptr)},
                   {"chain_valid", is.chain_valid},
                   {"journal_rows", is.journal_rows},
                   {"transfers", is.transfers},
                   {"node", nullptr}};
  if (node != nullptr)
    out["node"] = json::object{{"pid", node->pid()},
                               {"url", node->url()},
                               {"internal_url", node->internal_url()},
                               {"data", node->data()},
                               {"token_file", node->token_file()}};
  return out;
}

void tell_where_to_look(std::ostream& out, const demo_node& node) {
  out << "\nThe node stays up (stop it with: kill " << node.pid() << ").\n"
      << "  API        " << node.url() << "/v2/openapi.json\n"
      << "  operators  " << node.internal_url() << "/metrics\n"
      << "  data       " << node.data() << "\n"
      << "  token      " << node.token_file() << "\n"
      << "  try        curl -H \"Authorization: Bearer $(cat " << node.token_file() << ")\" "
      << node.url() << "/v2/projects\n";
}

/// Starts the node, tells the story, and stops the node unless it is to stay.
bool play(context& ctx, const demo_flags& flags, const demo_register& homes,
          const std::string& data, std::ostream& tale) {
  tale << "Starting a node in " << data << "\n" << std::flush;
  demo_node node{flags.rahatd, data};
  demo_figures is;
  try {
    is = tell_demo(ctx, node, homes, tale);
  } catch (const interrupted&) {
    tale << "\nInterrupted: stopping the node ...\n" << std::flush;
    throw;
  }
  show_summary(tale, is);
  bool good = is.good();
  if (flags.keep) {
    node.leave_running();
    tell_where_to_look(tale, node);
  } else if (auto code = node.stop(); code != 0) {
    ctx.err << "the node ended with code " << code << "\n";
    good = false;
  }
  if (ctx.json)
    ctx.out << json::serialize(summary_of(is, good, flags.keep ? &node : nullptr)) << "\n";
  return good;
}

int run_demo(context& ctx, const demo_flags& flags) {
  interrupt_guard signals;
  auto& tale = ctx.json ? ctx.err : ctx.out; // with --json only the summary goes to the output
  demo_register homes;
  std::string data;
  try {
    homes = read_demo_register(flags.examples, flags.lines);
    data = make_data_folder();
  } catch (const std::exception& e) {
    return ctx.fail(e.what());
  }
  bool good = false;
  try {
    good = play(ctx, flags, homes, data, tale);
  } catch (const interrupted&) {
    remove_folder(data);
    ctx.err << "Interrupted: the node is stopped and its data removed.\n";
    return exit_interrupted;
  } catch (const std::exception& e) {
    ctx.err << "\nThe demo failed: " << e.what() << "\nThe node's log is " << data
            << "/rahatd.log\n";
    return exit_problem;
  }
  if (!flags.keep && good) {
    remove_folder(data);
    tale << "\nThe node is stopped and its data removed. To look around: ./dev demo --keep leaves "
            "it up and shows its addresses and token; ./dev run starts an empty one that stays.\n";
  }
  tale << (good ? "\nEvery line paid once, books exact, chain valid.\n"
                : "\nSomething is wrong: see above. The node's log is " + data + "/rahatd.log\n");
  return good ? exit_ok : exit_problem;
}

std::string check_lines(const std::string& text) {
  std::uint64_t lines = 0;
  auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), lines);
  if (fault == std::errc{} && end == text.data() + text.size() && lines >= 1 && lines <= most_lines)
    return {};
  return "give 1 to " + std::to_string(most_lines) +
         " households, or leave --lines out to take the register once";
}

} // namespace

void add_demo(CLI::App& app, context& ctx) {
  auto* command = app.add_subcommand(
      "demo", "Start a node, pay a real household register, settle shops, prove the books.");
  auto flags = std::make_shared<demo_flags>();
  command->add_option("--rahatd", flags->rahatd, "The node's program")->required();
  command->add_option("--examples", flags->examples, "Folder with the example data")->required();
  command
      ->add_option("--lines", flags->lines,
                   "Repeat the register to this many households [once: all it has]")
      ->check(check_lines);
  command->add_flag("--keep", flags->keep, "Leave the node up");
  command->footer(
      "Examples:\n"
      "  ./dev demo\n"
      "  ./dev demo --lines 1000000\n"
      "  ./dev demo --keep\n"
      "  ./dev demo --json | jq .lines_per_second\n"
      "With --json the story goes to standard error and a summary to standard output. Exits with "
      "1\n"
      "unless every line was paid, the books are known to be exact and the chain is valid; Ctrl-C\n"
      "stops the node and exits with 130.");
  command->callback([&ctx, flags] { ctx.exit_code = run_demo(ctx, *flags); });
}

} // namespace rahat::ctl
