#include "bench/distribution.hpp"

#include "apps/rahatctl/demo_register.hpp"
#include "runtime/decider/id.hpp"

#include <boost/json.hpp>
#include <chrono>
#include <stdexcept>
#include <thread>

namespace rahat::bench {

namespace {

namespace json = boost::json;

/// Fine enough for a second's work, and a hundredth of a core at most.
constexpr std::chrono::milliseconds poll_every{10};
constexpr double give_up_seconds = 300;

} // namespace

distribution::distribution(api& node, const settings& how, std::uint64_t lines) : node_(node) {
  auto homes = ctl::read_demo_register(how.examples, lines);
  lines_ = homes.households;
  amount_minor_ = homes.amount_minor;
  project_ = text_of(
      node_.post("/v2/projects", R"({"name":"Bench","type":"cash","currency":"GHS"})"), "id");
  node_.post("/v2/projects/" + project_ + "/activate");
  auto began = now_seconds();
  auto upload = node_.upload("/v2/projects/" + project_ + "/uploads?mode=all", homes.csv);
  auto path = "/v2/uploads/" + text_of(upload, "id");
  for (;;) {
    auto view = node_.get(path);
    auto status = text_of(view, "status");
    if (status == "accepted")
      break;
    if (status == "rejected" || status == "abandoned" || status == "failed")
      throw std::runtime_error("the register was not accepted: " + json::serialize(view));
    std::this_thread::sleep_for(poll_every);
  }
  auto took = now_seconds() - began;
  say("imported " + std::to_string(lines_) + " households in " + std::to_string(took) + " s");
}

double distribution::lock() {
  json::object money{{"amount_minor", amount_minor_}, {"currency", "GHS"}, {"reference", "bench"}};
  node_.post("/v2/projects/" + project_ + "/fundings", json::serialize(money));
  json::object draft{{"project_id", project_}, {"name", "Bench"}};
  disbursement_ = text_of(node_.post("/v2/disbursements", json::serialize(draft)), "id");
  auto began = now_seconds();
  node_.post(path() + "/lock");
  for (;;) {
    auto view = node_.get(path());
    auto status = text_of(view, "status");
    if (status == "draft")
      throw std::runtime_error("it could not be locked: " + json::serialize(view));
    if (status == "locked") {
      digest_ = text_of(view, "digest");
      auto took = now_seconds() - began;
      say("locked in " + std::to_string(took) + " s");
      return took;
    }
    std::this_thread::sleep_for(poll_every);
  }
}

void distribution::approve() {
  json::object consent{{"digest", digest_}, {"note", "bench"}};
  node_.post_as_checker(path() + "/approve", json::serialize(consent));
}

void distribution::begin_pay() {
  node_.post(path() + "/pay");
}

double distribution::approve_and_pay() {
  approve();
  auto began = now_seconds();
  begin_pay();
  return wait_completed(began);
}

double distribution::wait_completed(double began) {
  while (!completed()) {
    if (now_seconds() - began > give_up_seconds)
      throw std::runtime_error("the payment does not end");
    std::this_thread::sleep_for(poll_every);
  }
  return now_seconds() - began;
}

bool distribution::completed() {
  auto view = node_.get(path());
  auto status = text_of(view, "status");
  if (status == "locked" || status == "paused" || status == "cancelled")
    throw std::runtime_error("it was not paid: " + json::serialize(view));
  return status == "completed";
}

std::string distribution::list() const {
  // As actors/disbursement names a list; ours are locked once.
  return derive_id({"pay list", uuid::parse(disbursement_).value().raw(), "1"}).str();
}

std::uint64_t distribution::transfers() const {
  auto rows = node_.column("SELECT count(*) FROM transfer WHERE purpose = '" + list() + "'");
  return std::stoull(rows.at(0));
}

std::uint64_t distribution::lines_paid() {
  return static_cast<std::uint64_t>(count_of(node_.get(path()), "lines_paid"));
}

} // namespace rahat::bench
