#include "tests/e2e/office.hpp"

#include <unistd.h>
#include <atomic>
#include <iomanip>
#include <sstream>
#include <stdexcept>

namespace rahat::test {

namespace {

constexpr int retry_pause_ms = 50;

[[noreturn]] void fail(const std::string& what, const json::value& of) {
  throw std::runtime_error(what + ": " + json::serialize(of));
}

const json::value& member(const json::value& of, std::string_view name) {
  auto* fields = of.if_object();
  auto* found = fields != nullptr ? fields->if_contains({name.data(), name.size()}) : nullptr;
  if (found == nullptr)
    fail("no " + std::string{name}, of);
  return *found;
}

std::string said(const http_reply& reply) {
  return reply.fault.empty() ? std::to_string(reply.status) + " " + reply.body : reply.fault;
}

bool worth_a_retry(const http_reply& reply) {
  return reply.status == 0 || reply.status == 503 || reply.status == 504 ||
         (reply.status == 409 && reply.body.find("idempotency_key_in_flight") != std::string::npos);
}

} // namespace

std::string text(const json::value& of, std::string_view name) {
  auto& found = member(of, name);
  if (!found.is_string())
    fail(std::string{name} + " is not a text", of);
  return std::string{found.as_string()};
}

std::int64_t number(const json::value& of, std::string_view name) {
  auto& found = member(of, name);
  if (!found.is_int64())
    fail(std::string{name} + " is not a number", of);
  return found.as_int64();
}

const json::array& items(const json::value& of) {
  auto& found = member(of, "items");
  if (!found.is_array())
    fail("items is not a list", of);
  return found.as_array();
}

json::value parse(const http_reply& reply) {
  boost::system::error_code failed;
  auto out = json::parse(reply.body, failed);
  if (failed)
    throw std::runtime_error("the answer is not JSON: " + said(reply));
  return out;
}

std::string fresh_key() {
  static std::atomic<unsigned> made{0};
  return "test-" + std::to_string(getpid()) + "-" + std::to_string(++made);
}

http_reply user::send(std::string_view method, const std::string& path, std::string_view body,
                      header_list more) const {
  more.emplace_back("Authorization", "Bearer " + token_);
  return http_send(node_->port(), method, path, more, body);
}

http_reply user::try_post(const std::string& path, const json::value& body,
                          const std::string& key) const {
  return send(
      "POST", path, json::serialize(body),
      {{"Idempotency-Key", key.empty() ? fresh_key() : key}, {"Content-Type", "application/json"}});
}

json::value user::get(const std::string& path) const {
  auto reply = try_get(path);
  if (!reply.ok())
    throw std::runtime_error("GET " + path + ": " + said(reply));
  return parse(reply);
}

json::value user::post(const std::string& path, const json::value& body) const {
  auto reply = try_post(path, body);
  if (!reply.ok())
    throw std::runtime_error("POST " + path + ": " + said(reply));
  return parse(reply);
}

json::value user::insist(const std::string& path, const json::value& body,
                         std::chrono::seconds limit) const {
  const auto key = fresh_key();
  http_reply reply;
  await(
      "POST " + path + " was answered",
      [&] {
        reply = try_post(path, body, key);
        return !worth_a_retry(reply);
      },
      limit, retry_pause_ms);
  if (!reply.ok())
    throw std::runtime_error("POST " + path + ": " + said(reply));
  return parse(reply);
}

json::value user::follow(const std::string& path,
                         const std::function<bool(const json::value&)>& done,
                         std::chrono::milliseconds limit, int pause_ms) const {
  json::value view;
  std::string last;
  auto good = eventually(
      [&] {
        auto reply = try_get(path);
        last = said(reply);
        if (!reply.ok())
          return false;
        view = parse(reply);
        return done(view);
      },
      limit, pause_ms);
  if (!good)
    throw std::runtime_error("waited in vain at " + path + "; it says " + last + "\nlog:\n" +
                             node_->log_tail());
  return view;
}

office::office(const node_process& n)
    : node(n),
      maker(n, token_for(n, "asha", "maker")),
      checker(n, token_for(n, "bina", "checker")),
      operator_(n, token_for(n, "chandra", "operator")),
      reader(n, token_for(n, "dipa", "reader")) {}

std::string office::token_for(const node_process& node, const std::string& name,
                              const std::string& role) {
  auto reply = http_send(node.internal_port(), "POST", "/internal/v1/tokens",
                         {{"Authorization", "Bearer " + node.admin_token()},
                          {"Content-Type", "application/json"},
                          {"Idempotency-Key", fresh_key()}},
                         json::serialize(json::object{{"user", name}, {"role", role}}));
  if (reply.status != 201)
    throw std::runtime_error("no token for " + name + ": " + said(reply));
  return text(parse(reply), "token");
}

http_reply office::internal(std::string_view method, const std::string& path,
                            std::string_view body) const {
  header_list headers{{"Authorization", "Bearer " + node.admin_token()}};
  if (!body.empty())
    headers.emplace_back("Content-Type", "application/json");
  if (method == "POST")
    headers.emplace_back("Idempotency-Key", fresh_key());
  return http_send(node.internal_port(), method, path, headers, body, std::chrono::minutes{5});
}

std::string office::active_project(const std::string& currency) const {
  auto id = text(maker.post("/v2/projects",
                            {{"name", "Flood response"}, {"type", "cash"}, {"currency", currency}}),
                 "id");
  maker.post("/v2/projects/" + id + "/activate");
  return id;
}

void office::fund(const std::string& project, std::int64_t amount_minor,
                  const std::string& currency) const {
  maker.post("/v2/projects/" + project + "/fundings",
             {{"amount_minor", amount_minor}, {"currency", currency}, {"reference", "DONOR-1"}});
}

std::string office::import(const std::string& project, const std::string& body,
                           const std::string& content_type, const std::string& mode) const {
  auto reply = maker.send("POST", "/v2/projects/" + project + "/uploads?mode=" + mode, body,
                          {{"Idempotency-Key", fresh_key()}, {"Content-Type", content_type}});
  if (!reply.ok())
    throw std::runtime_error("the upload was refused: " + said(reply));
  auto id = text(parse(reply), "id");
  maker.follow(
      "/v2/uploads/" + id,
      [](const json::value& view) {
        auto status = text(view, "status");
        if (status == "rejected" || status == "abandoned" || status == "failed")
          fail("the register was rejected", view);
        return status == "accepted";
      },
      std::chrono::seconds{120});
  return id;
}

std::string office::verified_vendor(const std::string& name) const {
  auto id = text(maker.post("/v2/vendors", {{"name", name}, {"location", "Ward 3"}}), "id");
  checker.post("/v2/vendors/" + id + "/verify");
  return id;
}

std::string office::draft(const std::string& project, std::int64_t amount_each_minor) const {
  json::object ask{{"project_id", project}, {"name", "First"}};
  if (amount_each_minor > 0)
    ask["amount_each_minor"] = amount_each_minor;
  return text(maker.post("/v2/disbursements", ask), "id");
}

json::value office::until(const std::string& disbursement, const std::string& status,
                          std::chrono::milliseconds limit) const {
  return maker.follow(
      "/v2/disbursements/" + disbursement,
      [&](const json::value& view) { return text(view, "status") == status; }, limit);
}

json::value office::pay_out(const std::string& disbursement) const {
  const auto path = "/v2/disbursements/" + disbursement;
  maker.post(path + "/lock");
  auto digest = text(until(disbursement, "locked"), "digest");
  checker.post(path + "/approve", {{"digest", digest}, {"note", "counted"}});
  maker.post(path + "/pay");
  return until(disbursement, "completed");
}

std::string register_csv(std::size_t count, const std::string& prefix) {
  std::ostringstream out;
  out << "external_ref,name,phone,household_size,amount_minor,ward\n";
  for (std::size_t i = 0; i < count; ++i)
    out << prefix << '-' << i << ",Name " << i << ",98" << std::setw(8) << std::setfill('0') << i
        << ',' << i % 9 + 1 << ',' << 1000 + i % 7 << ",w" << i % 10 << '\n';
  return out.str();
}

std::int64_t register_sum(std::size_t count) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < count; ++i)
    sum += static_cast<std::int64_t>(1000 + i % 7);
  return sum;
}

} // namespace rahat::test
