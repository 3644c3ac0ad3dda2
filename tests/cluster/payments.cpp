#include "tests/cluster/payments.hpp"

#include "tests/e2e/office.hpp"

#include <poll.h>

namespace rahat::test {

namespace {

using namespace std::chrono_literals;

constexpr auto status_limit = 240s; // with all the faults in it
constexpr auto rest_between = 2s;   // or a long run has tens of millions of transfers to check
constexpr int look_every_ms = 50;

bool is_final(const std::string& status) {
  return status == "rejected" || status == "abandoned" || status == "failed" ||
         status == "cancelled" || status == "completed_with_errors";
}

} // namespace

payments::payments(const cluster_process& cluster, const people& who, history& book,
                   std::size_t lines, std::uint64_t seed)
    : lines_(lines),
      maker_(cluster, who.maker, book, seed * 1'000 + 901, manners{.answer_limit = 60s}),
      checker_(cluster, who.checker, book, seed * 1'000 + 902) {
  auto made =
      maker_.must("/v2/projects", {{"name", "Winter"}, {"type", "cash"}, {"currency", "NPR"}});
  project_ = text(made, "id");
  maker_.must("/v2/projects/" + project_ + "/activate", json::object{});
  upload();
}

payments::~payments() {
  ended_ = true;
  if (thread_.joinable())
    thread_.join();
}

void payments::upload() {
  request ask;
  ask.path = "/v2/projects/" + project_ + "/uploads";
  ask.type = "text/csv";
  ask.body = register_csv(lines_);
  until("/v2/uploads/" + text(maker_.must(std::move(ask), 120s), "id"), "accepted");
}

json::value payments::until(const std::string& path, const std::string& status) {
  std::string last;
  json::value view;
  const auto good = eventually(
      [&] {
        const auto reply = maker_.get(path);
        last = reply.fault.empty() ? std::to_string(reply.status) + " " + reply.body : reply.fault;
        if (!reply.ok())
          return false;
        view = parse(reply);
        const auto now = text(view, "status");
        if (is_final(now))
          throw std::runtime_error(path + " was to be " + status + ": " + last);
        return now == status;
      },
      status_limit, look_every_ms);
  if (!good)
    throw std::runtime_error(path + " did not become " + status + "; it says " + last);
  return view;
}

void payments::pay_once() {
  const auto sum = register_sum(lines_);
  request fund;
  fund.path = "/v2/projects/" + project_ + "/fundings";
  fund.body = json::serialize(
      json::object{{"amount_minor", sum}, {"currency", "NPR"}, {"reference", "DONOR"}});
  fund.amount_minor = sum;
  maker_.must(std::move(fund), status_limit);
  const auto path =
      "/v2/disbursements/" +
      text(maker_.must("/v2/disbursements", {{"project_id", project_}, {"name", "Again"}}), "id");
  maker_.must(path + "/lock", json::object{});
  const auto digest = text(until(path, "locked"), "digest");
  checker_.must(path + "/approve", {{"digest", digest}});
  maker_.must(path + "/pay", json::object{});
  lists_.push_back(text(until(path, "completed"), "list_id"));
}

void payments::start() {
  thread_ = std::thread{[this] {
    try {
      do {
        pay_once();
      } while (!eventually([this] { return ended_.load(); }, rest_between, look_every_ms));
    } catch (const std::exception& failed) {
      failure_ = failed.what();
    }
    done_ = true;
  }};
}

void payments::stop() {
  ended_ = true;
  if (thread_.joinable())
    thread_.join();
  if (!failure_.empty())
    throw std::runtime_error("the disbursement: " + failure_);
}

} // namespace rahat::test
