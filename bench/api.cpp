#include "bench/api.hpp"

#include "apps/rahatctl/output.hpp"

#include <boost/json.hpp>
#include <fstream>
#include <iostream>
#include <pqxx/pqxx>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace rahat::bench {

namespace {

namespace json = boost::json;

constexpr std::chrono::seconds longest_call{1'800};
constexpr std::chrono::milliseconds retry_pause{20};

json::value document_of(const ctl::call& what, const ctl::answer& got) {
  if (!got.fault.empty())
    throw std::runtime_error(got.fault);
  auto document = ctl::parse_json(got.body);
  if (!got.ok() || !document)
    throw std::runtime_error(what.method + " " + what.path + " got " + std::to_string(got.status) +
                             ": " + got.body);
  return *document;
}

} // namespace

void api::introduce(const std::string& internal_url, const std::string& admin_token) {
  ctl::client admin{internal_url, admin_token};
  auto token_for = [&](const char* user, const char* role) {
    json::object body{{"user", user}, {"role", role}};
    return text_of(
        ask(admin,
            {.method = "POST", .path = "/internal/v1/tokens", .body = json::serialize(body)}),
        "token");
  };
  maker_token_ = token_for("bench-maker", "maker");
  checker_token_ = token_for("bench-checker", "checker");
}

void api::connect(const std::string& url, std::chrono::seconds patience) {
  patience_ = patience;
  maker_ = std::make_unique<ctl::client>(url, maker_token_);
  checker_ = std::make_unique<ctl::client>(url, checker_token_);
}

json::value api::ask(ctl::client& who, ctl::call what) const {
  if (what.method == "POST")
    what.idempotency_key = ctl::random_key();
  const auto until = now_seconds() + static_cast<double>(patience_.count());
  auto got = who.send(what);
  while (worth_a_retry(got) && what.upload == nullptr && now_seconds() < until) {
    std::this_thread::sleep_for(retry_pause);
    got = who.send(what);
  }
  return document_of(what, got);
}

json::value api::get(const std::string& path) {
  return ask(*maker_, {.path = path});
}

json::value api::post(const std::string& path, const std::string& body) {
  return ask(*maker_, {.method = "POST", .path = path, .body = body});
}

json::value api::post_as_checker(const std::string& path, const std::string& body) {
  return ask(*checker_, {.method = "POST", .path = path, .body = body});
}

json::value api::upload(const std::string& path, const std::string& csv) {
  std::istringstream in{csv};
  return ask(*maker_, {.method = "POST",
                       .path = path,
                       .content_type = "text/csv",
                       .upload = &in,
                       .timeout = longest_call});
}

void api::sql(const std::string& statement) const {
  pqxx::connection connection{conninfo()};
  pqxx::nontransaction work{connection};
  work.exec(statement);
}

std::vector<std::string> api::column(const std::string& query) const {
  pqxx::connection connection{conninfo()};
  pqxx::nontransaction work{connection};
  std::vector<std::string> out;
  for (const auto& row : work.exec(query))
    out.emplace_back(row[0].c_str());
  return out;
}

std::vector<std::string> api::make_projects(std::size_t count) {
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < count; ++i) {
    json::object body{
        {"name", "Project " + std::to_string(i)}, {"type", "cash"}, {"currency", "NPR"}};
    ids.push_back(text_of(post("/v2/projects", json::serialize(body)), "id"));
    post("/v2/projects/" + ids.back() + "/activate");
  }
  return ids;
}

std::string text_of(const json::value& view, std::string_view name) {
  auto* found = ctl::member(view, name);
  if (found == nullptr || !found->is_string())
    throw std::runtime_error("an answer has no " + std::string{name} + ": " +
                             json::serialize(view));
  return std::string{found->as_string()};
}

std::int64_t count_of(const json::value& view, std::string_view name) {
  return ctl::number(ctl::member(view, name)).value_or(0);
}

bool worth_a_retry(const ctl::answer& got) {
  return !got.fault.empty() || got.status == 503 || got.status == 504 ||
         (got.status == 409 && got.body.find("idempotency_key_in_flight") != std::string::npos);
}

std::string first_line(const std::string& file) {
  std::ifstream in{file};
  std::string line;
  if (!std::getline(in, line))
    throw std::runtime_error("cannot read " + file);
  return line;
}

double now_seconds() {
  auto t = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(t).count();
}

void say(const std::string& line) {
  std::cerr << "  " << line << std::endl;
}

} // namespace rahat::bench
