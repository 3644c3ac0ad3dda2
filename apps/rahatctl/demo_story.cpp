#include "apps/rahatctl/demo_story.hpp"

#include "apps/rahatctl/books.hpp"
#include "apps/rahatctl/context.hpp"
#include "apps/rahatctl/demo_node.hpp"
#include "apps/rahatctl/demo_wait.hpp"
#include "apps/rahatctl/output.hpp"
#include "apps/rahatctl/progress.hpp"

#include <cstdio>
#include <iomanip>
#include <sstream>

namespace rahat::ctl {

namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

constexpr std::chrono::seconds upload_limit{1'800};
constexpr std::chrono::seconds proof_limit{1'800};
/// Patience with one step: so much, and a second more for so many households.
constexpr std::chrono::seconds least_patience{120};
constexpr std::uint64_t households_a_second = 1'000;
constexpr std::size_t most_shops = 3;
constexpr std::size_t customers_per_shop = 2;
constexpr std::int64_t purchase_minor = 4'200; // less than any household gets

std::string text(const json::value& of, std::string_view name) {
  auto* found = member(of, name);
  if (found == nullptr || !found->is_string())
    throw std::runtime_error("an answer has no " + std::string{name});
  return std::string{found->as_string()};
}

std::int64_t count(const json::value& of, std::string_view name) {
  return number(member(of, name)).value_or(0);
}

const json::array& items(const json::value& page) {
  auto* found = member(page, "items");
  if (found == nullptr || !found->is_array())
    throw std::runtime_error("a list has no items");
  return found->get_array();
}

std::string reason_of(const json::value& view) {
  auto* reason = member(view, "reason");
  return reason == nullptr ? "no reason given" : plain(*reason);
}

std::chrono::steady_clock::time_point now() {
  return std::chrono::steady_clock::now();
}

/// One telling; used once.
class story {
public:
  story(context& ctx, const demo_node& node, const demo_register& homes, std::ostream& out)
      : homes_(homes),
        out_(out),
        patience_(least_patience + std::chrono::seconds(homes.households / households_a_second)) {
    ctx.url = node.url();
    ctx.internal_url = node.internal_url();
    ctx.data = node.data();
    ctx.token.clear();
    ctx.token_file = node.token_file(); // this node's own, whatever flags and environment say
    admin_ = ctx.internal_client();
    if (!admin_)
      throw std::runtime_error("the node's admin token cannot be read");
    admin_->give_up_when(interrupt_guard::seen);
    maker_ = client_of("demo-maker", "maker", node.url());
    checker_ = client_of("demo-checker", "checker", node.url());
  }

  demo_figures tell() {
    is_.households = homes_.households;
    is_.promised_minor = homes_.amount_minor;
    open_project();
    import();
    lock();
    pay();
    shop_and_settle();
    verify();
    return is_;
  }

private:
  std::unique_ptr<client> client_of(const std::string& user, const std::string& role,
                                    const std::string& url) {
    auto token =
        text(post(*admin_, "/internal/v1/tokens", {{"user", user}, {"role", role}}), "token");
    auto made = std::make_unique<client>(url, token);
    made->give_up_when(interrupt_guard::seen);
    return made;
  }

  json::value taken(const answer& got, const std::string& asked) {
    interrupt_guard::check(); // whatever came of it
    if (!got.fault.empty())
      throw std::runtime_error(got.fault);
    auto document = parse_json(got.body);
    if (!got.ok())
      throw std::runtime_error(asked + " was refused with " + std::to_string(got.status) + ": " +
                               got.body);
    if (!document)
      throw std::runtime_error("the answer to " + asked + " is not JSON");
    return *document;
  }

  json::value ask(client& who, const call& what) {
    interrupt_guard::check();
    return taken(who.send(what), what.method + " " + what.path);
  }

  json::value post(client& who, const std::string& path, const json::object& body = {}) {
    return ask(who, {.method = "POST", .path = path, .body = json::serialize(body)});
  }

  json::value get(const std::string& path) { return ask(*maker_, {.path = path}); }

  /// Looks again until `done` says so; the view is passed on for progress.
  template <class Done>
  json::value follow(const std::string& what, const std::string& path, Done done) {
    return wait_until(
        what, patience_, [&] { return get(path); }, done);
  }

  void open_project() {
    step("A project with money");
    auto project =
        post(*maker_, "/v2/projects",
             {{"name", "Volta flood response"}, {"type", "cash"}, {"currency", demo_currency}});
    project_ = text(project, "id");
    post(*maker_, "/v2/projects/" + project_ + "/activate");
    post(*maker_, "/v2/projects/" + project_ + "/fundings",
         {{"amount_minor", homes_.amount_minor},
          {"currency", demo_currency},
          {"reference", "Donor pledge 2026-11"}});
    say("funded with " + demo_money(homes_.amount_minor));
  }

  void import() {
    step("Import of " + std::to_string(homes_.households) + " households");
    progress bar{out_, homes_.households};
    std::istringstream body{homes_.csv};
    auto started = now();
    auto upload = ask(*maker_, {.method = "POST",
                                .path = "/v2/projects/" + project_ + "/uploads?mode=all",
                                .content_type = "text/csv",
                                .upload = &body,
                                .idempotency_key = random_key(),
                                .timeout = upload_limit});
    follow("the register is accepted", "/v2/uploads/" + text(upload, "id"),
           [&](const json::value& view) {
             auto status = text(view, "status");
             if (status == "rejected" || status == "abandoned" || status == "failed")
               throw std::runtime_error("the register was rejected: " + reason_of(view));
             bar.show(static_cast<std::uint64_t>(count(view, "members")), status);
             return status == "accepted";
           });
    bar.finish();
    rate("households", homes_.households, started);
  }

  void lock() {
    step("A disbursement, each household its own amount");
    auto made = post(*maker_, "/v2/disbursements",
                     {{"project_id", project_}, {"name", "First distribution"}});
    path_ = "/v2/disbursements/" + text(made, "id");
    auto started = now();
    post(*maker_, path_ + "/lock");
    auto view = follow("the pay list is locked", path_, [&](const json::value& v) {
      auto status = text(v, "status");
      if (status == "draft")
        throw std::runtime_error("it could not be locked: " + reason_of(v));
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
    progress bar{out_, lines_};
    auto started = now();
    post(*maker_, path_ + "/pay");
    auto view = follow("every line is paid", path_, [&](const json::value& v) {
      auto status = text(v, "status");
      if (status == "locked" || status == "paused" || status == "cancelled")
        throw std::runtime_error("it was not paid: " + reason_of(v));
      bar.show(static_cast<std::uint64_t>(count(v, "lines_paid")), status);
      return status == "completed";
    });
    bar.finish();
    is_.lines_paid = static_cast<std::uint64_t>(count(view, "lines_paid"));
    is_.paid_minor = count(view, "paid_minor");
    is_.seconds = std::chrono::duration<double>(now() - started).count();
    rate("lines paid", is_.lines_paid, started);
  }

  /// Shops take their customers in turn; of a small register there may be too few for all shops.
  void shop_and_settle() {
    step("Shopping and settling");
    auto batches = get("/v2/batches?project=" + project_ + "&limit=1");
    if (items(batches).empty())
      throw std::runtime_error("the project has no batch");
    auto batch = text(items(batches)[0], "id");
    auto members = get("/v2/batches/" + batch +
                       "/members?limit=" + std::to_string(most_shops * customers_per_shop));
    auto& people = items(members);
    for (std::size_t next = 0; next < people.size() && is_.shops < most_shops;) {
      auto name = "Shop " + std::to_string(is_.shops + 1);
      auto vendor =
          text(post(*maker_, "/v2/vendors", {{"name", name}, {"location", "market"}}), "id");
      post(*checker_, "/v2/vendors/" + vendor + "/verify");
      auto customers = std::min(customers_per_shop, people.size() - next);
      for (std::size_t i = 0; i < customers; ++i)
        redeem(batch, text(people[next++], "id"), vendor);
      settle(vendor, customers);
      ++is_.shops;
    }
    say(std::to_string(is_.redemptions) + " redemptions at " + std::to_string(is_.shops) +
        " shops, " + demo_money(is_.settled_minor) + " settled");
  }

  void redeem(const std::string& batch, const std::string& member_id, const std::string& vendor) {
    auto code = post(*maker_, "/v2/batches/" + batch + "/members/" + member_id + "/codes");
    post(*maker_, "/v2/redemptions",
         {{"batch_id", batch},
          {"member_id", member_id},
          {"vendor_id", vendor},
          {"amount_minor", purchase_minor},
          {"currency", demo_currency},
          {"code", text(code, "code")}});
    ++is_.redemptions;
  }

  void settle(const std::string& vendor, std::size_t receipts) {
    // The vendor learns of a redemption by a message: wait until its account shows them all.
    follow("the shop has its " + std::to_string(receipts) + " receipts", "/v2/vendors/" + vendor,
           [&](const json::value& v) {
             auto* accounts = member(v, "accounts");
             return accounts != nullptr && accounts->is_array() && !accounts->as_array().empty() &&
                    count(accounts->as_array()[0], "receipts") ==
                        static_cast<std::int64_t>(receipts);
           });
    auto opened =
        post(*maker_, "/v2/settlements", {{"vendor_id", vendor}, {"project_id", project_}});
    auto path = "/v2/settlements/" + text(opened, "id");
    post(*maker_, path + "/request");
    post(*checker_, path + "/approve");
    auto paid = post(*maker_, path + "/pay");
    is_.settled_minor += count(paid, "paid_minor");
  }

  void verify() {
    step("Proof");
    auto books = taken(ask_books(*admin_, false, proof_limit), "GET /internal/v1/books");
    is_.books_complete = are_complete(books);
    is_.imbalance_minor = count(books, "imbalance_minor");
    say(is_.books_complete
            ? "books: imbalance " + std::to_string(is_.imbalance_minor) + " over " +
                  std::to_string(count(books, "owners_checked")) + " owners"
            : "books: NOT KNOWN YET, the auditor has not read the journal to its end");
    auto chain = ask(*admin_, {.path = "/internal/v1/audit/verify", .timeout = proof_limit});
    is_.chain_valid = is_true(member(chain, "ok"));
    is_.journal_rows = count(chain, "rows");
    is_.transfers = count(chain, "transfers");
    say("audit chain: " + std::string{is_.chain_valid ? "valid, " : "BROKEN, "} +
        std::to_string(is_.journal_rows) + " rows, " + std::to_string(is_.transfers) +
        " transfers");
  }

  void step(const std::string& title) { out_ << "\n" << title << "\n" << std::flush; }
  void say(const std::string& line) { out_ << "  " << line << "\n" << std::flush; }

  void rate(const char* what, std::uint64_t n, std::chrono::steady_clock::time_point since) {
    auto took = std::chrono::duration<double>(now() - since).count();
    std::ostringstream line;
    line << n << ' ' << what << " in " << std::fixed << std::setprecision(2) << took << " s ("
         << std::setprecision(0) << static_cast<double>(n) / took << "/s)";
    say(line.str());
  }

  const demo_register& homes_;
  std::ostream& out_;
  const std::chrono::seconds patience_;
  std::unique_ptr<client> admin_;
  std::unique_ptr<client> maker_;
  std::unique_ptr<client> checker_;
  std::string project_;
  std::string path_; // of the disbursement
  std::uint64_t lines_ = 0;
  demo_figures is_;
};

} // namespace

std::string demo_money(std::int64_t minor) {
  auto cents = std::to_string(minor % 100);
  return std::string{demo_currency} + " " + std::to_string(minor / 100) + "." +
         (cents.size() < 2 ? "0" : "") + cents;
}

double demo_figures::lines_per_second() const {
  return seconds > 0 ? static_cast<double>(lines_paid) / seconds : 0;
}

bool demo_figures::good() const {
  return lines_paid == households && paid_minor == promised_minor && books_complete &&
         imbalance_minor == 0 && chain_valid;
}

demo_figures tell_demo(context& ctx, const demo_node& node, const demo_register& homes,
                       std::ostream& out) {
  return story{ctx, node, homes, out}.tell();
}

} // namespace rahat::ctl
