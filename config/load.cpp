#include "config/load.hpp"

#include "config/sources.hpp"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <ostream>

namespace rahat {

namespace {

using namespace config_detail;

constexpr const char* default_file = "/etc/rahat/rahatd.toml";
constexpr std::size_t max_name_length = 40; // part of Postgres's application_name (63 bytes)

std::string value_or(const environment& env, const std::string& name, std::string otherwise) {
  auto found = env.find(name);
  return found == env.end() || found->second.empty() ? std::move(otherwise) : found->second;
}

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0')
    return "rahat";
  return std::string(name.data()).substr(0, max_name_length);
}

void fill_in_defaults(config& c, const environment& env) {
  if (c.node.data_dir.empty())
    c.node.data_dir = default_data_dir(env);
  c.node.data_dir = std::filesystem::absolute(c.node.data_dir).lexically_normal().string();
  if (c.node.data_dir.size() > 1 && c.node.data_dir.ends_with('/'))
    c.node.data_dir.pop_back();
  if (c.node.name.empty())
    c.node.name = host_name();
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= max_name_length &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return std::isalnum(c) || c == '-' || c == '.' || c == '_';
         });
}

bool is_database_url(std::string_view text) {
  return text.starts_with("postgresql://") || text.starts_with("postgres://") ||
         (text.find("://") == std::string_view::npos && text.find('=') != std::string_view::npos);
}

bool is_master_key(std::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(),
                                          [](unsigned char c) { return std::isxdigit(c) != 0; });
}

} // namespace

namespace config_detail {

config_error unknown_setting(std::string where, std::string name, const std::string& suggestion) {
  auto message = suggestion.empty()
                     ? std::string("there is no such setting; rahatd --reference-config lists all")
                     : "there is no such setting; did you mean " + suggestion + "?";
  return {std::move(where), std::move(name), std::move(message)};
}

std::vector<written> read_environment(const environment& env, std::vector<config_error>& errors) {
  std::vector<written> out;
  for (const auto& [name, value] : env) {
    const setting* match = nullptr;
    const section* in = nullptr;
    for (const auto& row : settings())
      if (row.environment_name() == name)
        match = &row;
    for (const auto& s : sections()) {
      setting prefix{s.name, text_slot{nullptr}, "", ""};
      if (name.starts_with(prefix.environment_name() + "_"))
        in = &s;
    }
    if (match) {
      out.push_back({match, value, source::environment, "environment " + name});
    } else if (in) {
      // Other RAHAT_ variables may belong to tools and orchestrators; one of a section is a slip.
      auto key = name.substr(std::string("RAHAT_").size() + in->name.size() + 1);
      std::transform(key.begin(), key.end(), key.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      auto full = std::string(in->name) + "." + key;
      auto row = find_setting(nearest_name(full));
      errors.push_back(
          unknown_setting("environment " + name, full, row ? row->environment_name() : ""));
    }
  }
  return out;
}

void check_relations(const load_result& loaded, std::vector<config_error>& errors) {
  const auto& c = loaded.values;
  auto wrong = [&](const std::string& name, std::string message) {
    auto origin = loaded.origins.find(name);
    errors.push_back(
        {origin == loaded.origins.end() ? "default" : origin->second, name, std::move(message)});
  };
  if (!is_name(c.node.name))
    wrong("node.name", "must be 1 to 40 letters, digits, '-', '.' or '_'");
  if (c.http.public_port != 0 && c.http.public_port == c.http.internal_port &&
      c.http.public_host == c.http.internal_host)
    wrong("http.internal_port", "must differ from http.public_port on the same address");
  if (!c.cluster.host.empty()) {
    if (c.database.url.empty())
      wrong("cluster.host", "needs database.url: the nodes of a cluster share one Postgres");
    if (!c.cluster.insecure &&
        (c.cluster.certificate.empty() || c.cluster.key.empty() || c.cluster.ca.empty()))
      wrong("cluster.certificate",
            "must be set together with cluster.key and cluster.ca (rahatctl certs makes them); "
            "only for trials on one machine: cluster.insecure = true");
  }
  if (!c.cluster.host.empty() && c.lease.renew_ms * 2 >= c.lease.ttl_ms)
    wrong("lease.renew_ms",
          "must be less than half of lease.ttl_ms in a cluster: a node with "
          "longer gaps would never judge its peers");
  if (c.lease.renew_ms + c.lease.margin_ms >= c.lease.ttl_ms)
    wrong("lease.ttl_ms", "must be more than lease.renew_ms + lease.margin_ms (" +
                              std::to_string(c.lease.renew_ms + c.lease.margin_ms) +
                              "), or the node would stop between two renewals");
  if (c.persistence.batch_bytes > c.persistence.queue_bytes)
    wrong("persistence.queue_bytes", "must be at least persistence.batch_bytes");
  if (!c.database.url.empty() && !is_database_url(c.database.url.reveal()))
    wrong("database.url", "must look like postgresql://user@host:5432/name");
  if (!c.database.admin_url.empty() && !is_database_url(c.database.admin_url.reveal()))
    wrong("database.admin_url", "must look like postgresql://owner@host:5432/name");
  if (!c.database.admin_url.empty() && c.database.url.empty())
    wrong("database.admin_url", "needs database.url, the same server for the node's own work");
  if (!c.trust.master_key.empty() && !is_master_key(c.trust.master_key.reveal()))
    wrong("trust.master_key", "must be 64 hex digits; make one with: openssl rand -hex 32");
}

} // namespace config_detail

environment process_environment() {
  environment out;
  for (char** entry = environ; entry && *entry; ++entry) {
    std::string_view text = *entry;
    if (auto equals = text.find('='); equals != std::string_view::npos)
      out.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return out;
}

std::string config_error::str() const {
  return where + (setting.empty() ? "" : ": " + setting) + ": " + message;
}

std::string default_data_dir(const environment& env) {
  if (geteuid() == 0)
    return "/var/lib/rahat";
  // The XDG rules say that a relative path there is to be ignored.
  auto state = value_or(env, "XDG_STATE_HOME", "");
  if (state.starts_with('/'))
    return state + "/rahat";
  auto home = value_or(env, "HOME", "");
  if (home.empty())
    if (const auto* user = getpwuid(geteuid()))
      home = user->pw_dir;
  return (home.empty() ? "/tmp" : home) + "/.local/state/rahat";
}

load_result load(int argc, const char* const* argv, const environment& env) {
  load_result out;
  auto flags = read_flags(argc, argv, out.errors);
  if (flags.message) {
    out.errors.clear();
    out.message = flags.message;
    return out;
  }
  out.check_only = flags.check_only;

  std::vector<written> all;
  auto append = [&](std::vector<written> part) {
    std::move(part.begin(), part.end(), std::back_inserter(all));
  };
  auto file = flags.file ? *flags.file : value_or(env, "RAHAT_CONFIG", "");
  if (!file.empty())
    append(read_file(file, out.errors));
  else if (std::error_code ignored; std::filesystem::exists(default_file, ignored))
    append(read_file(default_file, out.errors));
  append(read_environment(env, out.errors));
  append(std::move(flags.values));

  for (const auto& w : all) { // in the order of precedence: the last one stays
    assign(w, env, out.values, out.errors);
    out.origins[std::string(w.row->name)] = w.where;
  }
  fill_in_defaults(out.values, env);
  // Relations between values that are wrong themselves would only confuse.
  if (out.errors.empty())
    check_relations(out, out.errors);
  return out;
}

void print(std::ostream& out, const std::vector<config_error>& errors) {
  for (const auto& e : errors)
    out << "rahatd: " << e.str() << '\n';
}

std::string describe(const load_result& loaded) {
  std::string out;
  for (const auto& row : settings()) {
    auto origin = loaded.origins.find(std::string(row.name));
    out += std::string(row.name) + " = " + value_text(row, loaded.values) + "  # " +
           (origin == loaded.origins.end() ? "default" : origin->second) + '\n';
  }
  return out;
}

} // namespace rahat
