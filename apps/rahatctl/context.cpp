#include "apps/rahatctl/context.hpp"

#include "apps/rahatctl/output.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <ostream>

namespace rahat::ctl {

namespace {

std::string value_of(const environment& env, const std::string& name) {
  auto found = env.find(name);
  return found == env.end() ? "" : found->second;
}

// The sentence of a problem document, else what is known.
std::string problem_text(const answer& got) {
  auto document = parse_json(got.body);
  std::string text;
  for (auto name : {"title", "detail"})
    if (auto found = document ? member(*document, name) : nullptr)
      text += (text.empty() ? "" : ": ") + plain(*found);
  if (text.empty())
    text = "the node answered with status " + std::to_string(got.status);
  if (got.status == 401)
    text += " (is the token of this node? see --token-file and --data)";
  return text;
}

} // namespace

int context::fail(const std::string& message) {
  err << "rahatctl: " << message << '\n';
  return exit_problem;
}

std::optional<std::string> context::find_token() {
  if (!token.empty())
    return token;
  auto file = token_file;
  if (file.empty()) {
    if (auto named = value_of(env, "RAHAT_TOKEN"); !named.empty())
      return named;
    file = value_of(env, "RAHAT_TOKEN_FILE");
  }
  if (file.empty())
    file = data + "/admin.token";
  std::ifstream in(file);
  std::string text;
  if (!in.is_open()) {
    fail("cannot read a token from " + file + ": " + std::strerror(errno) +
         "; a node writes its first one to <data>/admin.token: give --data, --token-file or "
         "RAHAT_TOKEN");
    return std::nullopt;
  }
  if (!std::getline(in, text) || text.empty()) {
    fail("there is no token in " + file);
    return std::nullopt;
  }
  return text;
}

std::unique_ptr<client> context::public_client() {
  auto found = find_token();
  return found ? std::make_unique<client>(url, *found) : nullptr;
}

std::unique_ptr<client> context::internal_client() {
  auto found = find_token();
  return found ? std::make_unique<client>(internal_url, *found) : nullptr;
}

std::optional<boost::json::value> context::accept(const answer& got) {
  if (!got.fault.empty()) {
    fail(got.fault);
    return std::nullopt;
  }
  if (json)
    out << got.body << (got.body.ends_with('\n') ? "" : "\n");
  if (!got.ok()) {
    fail(problem_text(got));
    return std::nullopt;
  }
  auto document = parse_json(got.body);
  if (!document)
    fail("the node's answer is not JSON: is this a node of Rahat?");
  return document;
}

} // namespace rahat::ctl
