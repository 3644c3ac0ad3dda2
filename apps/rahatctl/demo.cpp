#include "apps/rahatctl/commands.hpp"
#include "apps/rahatctl/context.hpp"
#include "apps/rahatctl/demo_node.hpp"
#include "apps/rahatctl/demo_register.hpp"
#include "apps/rahatctl/output.hpp"
#include "apps/rahatctl/progress.hpp"

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace rahat::ctl {

namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

constexpr auto poll_every = 100ms;
constexpr std::chrono::seconds upload_limit{1'800};
constexpr std::size_t shops = 3;
constexpr std::size_t customers_per_shop = 2;

struct demo_flags {
  std::string rahatd;
  std::string examples;
  std::uint64_t lines = 0;
  bool keep = false;
};

/// The whole story of the product, as its users would tell it over HTTP.
class demo_story {
public:
  demo_story(context& ctx, demo_node& node) : ctx_(ctx), node_(node) {
    ctx_.url = node.url();
    ctx_.internal_url = node.internal_url();
    ctx_.data = node.data();
    admin_ = ctx_.internal_client();
    if (!admin_)
      throw std::runtime_error("the node's admin token cannot be read");
    auto url = node.url();
    maker_ = std::make_unique<client>(url, token_for("demo-maker", "maker"));
    checker_ = std::make_unique<client>(url, token_for("demo-checker", "checker"));
  }

  /// True when every line was paid and the books and the chain are in order.
  bool tell(const demo_register& homes) {
    open_project(homes);
    import(homes);
    lock();
    pay();
    shop_and_settle();
    return verify(homes);
  }

private:
  json::value ask(client& who, const call& what) {
    auto got = who.send(what);
    if (!got.fault.empty())
      throw std::runtime_error(got.fault);
    auto document = parse_json(got.body);
    if (!got.ok())
      throw std::runtime_error(what.method + " " + what.path + " was refused with " +
                               std::to_string(got.status) + ": " + got.body);
    if (!document)
      throw std::runtime_error("the answer to " + what.path + " is not JSON");
    return *document;
  }

  json::value post(client& who, const std::string& path, const json::object& body = {}) {
    return ask(who, {.method = "POST", .path = path, .body = json::serialize(body)});
  }

  json::value get(const std::string& path) { return ask(*maker_, {.path = path}); }

  static std::string text(const json::value& of, std::string_view name) {
    auto* found = member(of, name);
    if (found == nullptr || !found->is_string())
      throw std::runtime_error("an answer has no " + std::string{name});
    return std::string{found->as_string()};
  }

  static std::int64_t count(const json::value& of, std::string_view name) {
    return number(member(of, name)).value_or(0);
  }

  std::string token_for(const std::string& user, const std::string& role) {
    return text(post(*admin_, "/internal/v1/tokens", {{"user", user}, {"role", role}}), "token");
  }

  /// Looks again until `done` says so; the view is passed on for progress.
  template <class Done>
  json::value follow(const std::string& path, Done done) {
    for (;;) {
      auto view = get(path);
      if (done(view))
        return view;
      std::this_thread::sleep_for(poll_every);
    }
  }

  void open_project(const demo_register& homes) {
    step("A project with money");
    auto project = post(*maker_, "/v2/projects",
                        {{"name", "Volta flood response"}, {"type", "cash"}, {"currency", "GHS"}});
    project_ = text(project, "id");
    post(*maker_, "/v2/projects/" + project_ + "/activate");
    post(*maker_, "/v2/projects/" + project_ + "/fundings",
         {{"amount_minor", homes.amount_minor},
          {"currency", "GHS"},
          {"reference", "Donor pledge 2026-11"}});
    say("funded with " + money(homes.amount_minor));
  }

  void import(const demo_register& homes) {
    step("Import of " + std::to_string(homes.households) + " households");
    progress bar{ctx_.out, homes.households};
    std::istringstream body{homes.csv};
    auto started = now();
    auto upload = ask(*maker_, {.method = "POST",
                                .path = "/v2/projects/" + project_ + "/uploads?mode=all",
                                .content_type = "text/csv",
                                .upload = &body,
                                .idempotency_key = random_key(),
                                .timeout = upload_limit});
    auto id = text(upload, "id");
    follow("/v2/uploads/" + id, [&](const json::value& view) {
      auto status = text(view, "status");
      if (status == "rejected" || status == "abandoned" || status == "failed")
        throw std::runtime_error("the register was rejected: " + plain(*member(view, "reason")));
      bar.show(static_cast<std::uint64_t>(count(view, "members")), status);
      return status == "accepted";
    });
    bar.finish();
    rate("households", homes.households, started);
  }

  void lock() {
    step("A disbursement, each household its own amount");
    auto made = post(*maker_, "/v2/disbursements",
                     {{"project_id", project_}, {"name", "First distribution"}});
    disbursement_ = text(made, "id");
    path_ = "/v2/disbursements/" + disbursement_;
    auto started = now();
    post(*maker_, path_ + "/lock");
    auto view = follow(path_, [&](const json::value& v) {
      auto status = text(v, "status");
      if (status == "draft")
        throw std::runtime_error("it could not be locked: " + plain(*member(v, "reason")));
      return status == "locked";
    });
    lines_ = static_cast<std::uint64_t>(count(view, "lines"));
    rate("lines locked", lines_, started);
    // Whoever made it may not approve it: this must fail, and does.
    auto refused =
        maker_->post(path_ + "/approve", R"({"digest":")" + text(view, "digest") + "\"}");
    if (refused.ok())
      throw std::runtime_error("the maker could approve its own disbursement");
    post(*checker_, path_ + "/approve", {{"digest", text(view, "digest")}, {"note", "checked"}});
    say("approved by a second person");
  }

  void pay() {
    step("Payment");
    progress bar{ctx_.out, lines_};
    auto started = now();
    post(*maker_, path_ + "/pay");
    auto view = follow(path_, [&](const json::value& v) {
      auto status = text(v, "status");
      if (status == "locked" || status == "paused" || status == "cancelled")
        throw std::runtime_error("it was not paid: " + plain(*member(v, "reason")));
      bar.show(static_cast<std::uint64_t>(count(v, "lines_paid")), status);
      return status == "completed";
    });
    bar.finish();
    paid_lines_ = static_cast<std::uint64_t>(count(view, "lines_paid"));
    paid_minor_ = count(view, "paid_minor");
    seconds_ = std::chrono::duration<double>(now() - started).count();
    rate("lines paid", paid_lines_, started);
  }

  void shop_and_settle() {
    step("Shopping and settling");
    auto batches = get("/v2/batches?project=" + project_ + "&limit=1");
    auto batch = text(member(batches, "items")->as_array().at(0), "id");
    auto members = get("/v2/batches/" + batch +
                       "/members?limit=" + std::to_string(shops * customers_per_shop));
    auto& people = member(members, "items")->as_array();
    std::size_t next = 0;
    for (std::size_t shop = 0; shop < shops; ++shop) {
      auto name = "Shop " + std::to_string(shop + 1);
      auto vendor =
          text(post(*maker_, "/v2/vendors", {{"name", name}, {"location", "market"}}), "id");
      post(*checker_, "/v2/vendors/" + vendor + "/verify");
      for (std::size_t i = 0; i < customers_per_shop && next < people.size(); ++i)
        redeem(batch, text(people[next++], "id"), vendor);
      settle(vendor);
    }
    say(std::to_string(redeemed_) + " redemptions at " + std::to_string(shops) + " shops, " +
        money(settled_minor_) + " settled");
  }

  void redeem(const std::string& batch, const std::string& member_id, const std::string& vendor) {
    auto code = post(*maker_, "/v2/batches/" + batch + "/members/" + member_id + "/codes");
    post(*maker_, "/v2/redemptions",
         {{"batch_id", batch},
          {"member_id", member_id},
          {"vendor_id", vendor},
          {"amount_minor", 4'200},
          {"currency", "GHS"},
          {"code", text(code, "code")}});
    ++redeemed_;
  }

  void settle(const std::string& vendor) {
    // The vendor learns of a redemption by a message: wait until its account shows them all.
    follow("/v2/vendors/" + vendor, [](const json::value& v) {
      auto* accounts = member(v, "accounts");
      return accounts != nullptr && !accounts->as_array().empty() &&
             count(accounts->as_array()[0], "receipts") ==
                 static_cast<std::int64_t>(customers_per_shop);
    });
    auto opened =
        post(*maker_, "/v2/settlements", {{"vendor_id", vendor}, {"project_id", project_}});
    auto path = "/v2/settlements/" + text(opened, "id");
    post(*maker_, path + "/request");
    post(*checker_, path + "/approve");
    auto paid = post(*maker_, path + "/pay");
    settled_minor_ += count(paid, "paid_minor");
  }

  bool verify(const demo_register& homes) {
    step("Proof");
    auto books = ask(*admin_, {.path = "/internal/v1/books", .timeout = 600s});
    auto chain = ask(*admin_, {.path = "/internal/v1/audit/verify", .timeout = 600s});
    auto imbalance = count(books, "imbalance_minor");
    bool valid = is_true(member(chain, "ok"));
    bool all_paid = paid_lines_ == homes.households && paid_minor_ == homes.amount_minor;
    say("books: imbalance " + std::to_string(imbalance) + " over " +
        std::to_string(count(books, "owners_checked")) + " owners");
    say("audit chain: " + std::string{valid ? "valid, " : "BROKEN, "} +
        std::to_string(count(chain, "rows")) + " rows, " +
        std::to_string(count(chain, "transfers")) + " transfers");
    std::ostringstream summary;
    summary << std::fixed << std::setprecision(2) << "\n  lines paid   " << paid_lines_ << " of "
            << homes.households << "\n  amount       " << money(paid_minor_) << "\n  seconds      "
            << seconds_ << "\n  lines/s      " << std::setprecision(0)
            << static_cast<double>(paid_lines_) / seconds_ << "\n  imbalance    " << imbalance
            << "\n";
    ctx_.out << summary.str();
    return all_paid && imbalance == 0 && valid;
  }

  static std::string money(std::int64_t minor) {
    auto cents = std::to_string(minor % 100);
    return "GHS " + std::to_string(minor / 100) + "." + (cents.size() < 2 ? "0" : "") + cents;
  }

  void step(const std::string& title) { ctx_.out << "\n" << title << "\n" << std::flush; }
  void say(const std::string& line) { ctx_.out << "  " << line << "\n" << std::flush; }

  void rate(const char* what, std::uint64_t n, std::chrono::steady_clock::time_point since) {
    auto took = std::chrono::duration<double>(now() - since).count();
    std::ostringstream line;
    line << n << ' ' << what << " in " << std::fixed << std::setprecision(2) << took << " s ("
         << std::setprecision(0) << static_cast<double>(n) / took << "/s)";
    say(line.str());
  }

  static std::chrono::steady_clock::time_point now() { return std::chrono::steady_clock::now(); }

  context& ctx_;
  demo_node& node_;
  std::unique_ptr<client> admin_;
  std::unique_ptr<client> maker_;
  std::unique_ptr<client> checker_;
  std::string project_;
  std::string disbursement_;
  std::string path_;
  std::uint64_t lines_ = 0;
  std::uint64_t paid_lines_ = 0;
  std::int64_t paid_minor_ = 0;
  std::int64_t settled_minor_ = 0;
  std::size_t redeemed_ = 0;
  double seconds_ = 0;
};

/// A fresh folder that Postgres' own user can reach when we are root.
std::string make_data_folder() {
  auto pattern = (std::filesystem::temp_directory_path() / "rahat-demo-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr)
    throw std::runtime_error("cannot make a folder like " + pattern);
  std::filesystem::permissions(pattern, std::filesystem::perms{0755});
  return pattern;
}

int run_demo(context& ctx, const demo_flags& flags) {
  auto data = make_data_folder();
  bool good = false;
  bool kept = false;
  try {
    auto homes = read_demo_register(flags.examples, flags.lines);
    ctx.out << "Starting a node in " << data << "\n" << std::flush;
    demo_node node{flags.rahatd, data};
    good = demo_story{ctx, node}.tell(homes);
    if (flags.keep) {
      kept = true;
      node.leave_running();
      ctx.out << "\nThe node stays up (stop it with: kill " << node.pid() << ").\n"
              << "  API        " << node.url() << "/v2/openapi.json\n"
              << "  operators  " << node.internal_url() << "/metrics\n"
              << "  token      " << data << "/admin.token\n"
              << "  try        curl -H \"Authorization: Bearer $(cat " << data << "/admin.token)\" "
              << node.url() << "/v2/projects\n";
    } else if (auto code = node.stop(); code != 0) {
      ctx.err << "the node ended with code " << code << "\n";
      good = false;
    }
  } catch (const std::exception& e) {
    ctx.err << "\nThe demo failed: " << e.what() << "\nThe node's log is " << data
            << "/rahatd.log\n";
    return exit_problem;
  }
  if (!kept && good) {
    std::error_code ignored;
    std::filesystem::remove_all(data, ignored);
    ctx.out << "\nThe node is stopped and its data removed; --keep leaves it up to look around.\n";
  }
  ctx.out << (good ? "\nEvery line paid once, books exact, chain valid.\n"
                   : "\nSomething is wrong: see above.\n");
  return good ? exit_ok : exit_problem;
}

} // namespace

void add_demo(CLI::App& app, context& ctx) {
  auto* command = app.add_subcommand(
      "demo", "Start a node, pay a real household register, settle shops, prove the books.");
  auto flags = std::make_shared<demo_flags>();
  command->add_option("--rahatd", flags->rahatd, "The node's program")->required();
  command->add_option("--examples", flags->examples, "Folder with the example data")->required();
  command->add_option("--lines", flags->lines, "Repeat the register to this many households")
      ->check(CLI::Range(std::uint64_t{0}, std::uint64_t{1'000'000}));
  command->add_flag("--keep", flags->keep, "Leave the node up");
  command->footer(
      "Examples:\n"
      "  ./dev demo\n"
      "  ./dev demo --lines 1000000\n"
      "  ./dev demo --keep");
  command->callback([&ctx, flags] { ctx.exit_code = run_demo(ctx, *flags); });
}

} // namespace rahat::ctl
