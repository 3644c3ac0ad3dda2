#include "apps/rahatctl/books.hpp"

#include "apps/rahatctl/commands.hpp"
#include "apps/rahatctl/context.hpp"
#include "apps/rahatctl/output.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <thread>

namespace rahat::ctl {

namespace {

using namespace std::chrono_literals;

constexpr auto look_every = 50ms;
constexpr int default_limit_s = 600; // a full recount

struct arguments {
  bool recount = false;
  int timeout_s = default_limit_s;
};

/// The node says that it has not read its journal to the end.
bool is_under_way(const boost::json::value& books) {
  auto* complete = member(books, "complete");
  return complete != nullptr && complete->is_bool() && !complete->get_bool();
}

/// The answer's meaning in a sentence, and what the shell is told.
int judge(context& ctx, const boost::json::value& document, const arguments& given) {
  auto imbalance = number(member(document, "imbalance_minor"));
  if (!imbalance)
    return ctx.fail("the node's answer holds no imbalance");
  if (is_under_way(document))
    return ctx.fail("the books are not known yet: after " + std::to_string(given.timeout_s) +
                    " s the node has not read its journal to the end. Ask again, or with a longer "
                    "--timeout");
  if (!are_complete(document))
    return ctx.fail("the node's answer does not say whether the books are complete");
  if (!ctx.json) {
    ctx.out << (given.recount ? "every transfer counted anew: " : "")
            << (*imbalance == 0 ? "the books are balanced\n" : "THE BOOKS ARE NOT BALANCED\n");
    print_fields(ctx.out, document.get_object());
  }
  return *imbalance == 0 ? exit_ok : exit_problem;
}

int books(context& ctx, const arguments& given) {
  auto node = ctx.internal_client();
  if (!node)
    return exit_problem;
  auto document =
      ctx.accept(ask_books(*node, given.recount, std::chrono::seconds(given.timeout_s)));
  return document ? judge(ctx, *document, given) : exit_problem;
}

} // namespace

answer ask_books(client& node, bool recount, std::chrono::seconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  const std::string path = recount ? "/internal/v1/books?recount=true" : "/internal/v1/books";
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::seconds>(end - std::chrono::steady_clock::now());
    auto got = node.send({.path = path, .timeout = std::max(left, 1s)});
    auto document = got.ok() ? parse_json(got.body) : std::nullopt;
    if (!document || !is_under_way(*document) || std::chrono::steady_clock::now() >= end)
      return got;
    std::this_thread::sleep_for(look_every);
  }
}

bool are_complete(const boost::json::value& books) {
  return is_true(member(books, "complete"));
}

void add_books(CLI::App& app, context& ctx) {
  auto given = std::make_shared<arguments>();
  auto* command = app.add_subcommand(
      "books", "Compare what every owner of an account knows with the transfers themselves.");
  command->add_flag("--recount", given->recount,
                    "Count every transfer anew; checks the auditor's own sums as well");
  command->add_option("--timeout", given->timeout_s, "Seconds until it is given up")
      ->check(CLI::Range(1, 86'400))
      ->capture_default_str();
  command->footer(
      "Examples:\n"
      "  rahatctl books\n"
      "  rahatctl books --recount\n"
      "  rahatctl books --json | jq .imbalance_minor\n"
      "Amounts are in minor units (cents, paisa). Exits with 1 unless the imbalance is 0, and when "
      "it\n"
      "is not known yet because the auditor has not read the journal to its end.");
  command->callback([&ctx, given] { ctx.exit_code = books(ctx, *given); });
}

} // namespace rahat::ctl
