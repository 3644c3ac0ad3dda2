#include "config/load.hpp"

#include "config/sources.hpp"

#include <arpa/inet.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <initializer_list>
#include <ostream>
#include <set>

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

/// "10.0.0.7", "::1", "fe80::1%eth0".
bool is_numeric_address(const std::string& text) {
  in_addr v4{};
  in6_addr v6{};
  return inet_pton(AF_INET, text.c_str(), &v4) == 1 ||
         inet_pton(AF_INET6, text.substr(0, text.find('%')).c_str(), &v6) == 1;
}

/// What is wrong between settings, or with a single one beyond its bounds. A rule that needs a
/// setting which could not be read says nothing: what it said would only confuse.
class relations {
public:
  using names = std::initializer_list<const char*>;

  relations(const load_result& loaded, std::vector<config_error>& errors)
      : loaded_(loaded), errors_(errors) {
    for (const auto& e : errors) {
      blind_ = blind_ || e.setting.empty();
      unread_.insert(find_setting(e.setting) ? e.setting : nearest_name(e.setting));
    }
  }

  /// A whole source could not be read: nobody knows what it says.
  bool blind() const { return blind_; }

  /// `also`: what else the rule has looked at.
  void wrong(const std::string& name, names also, std::string message) {
    if (unread_.contains(name) || std::any_of(also.begin(), also.end(), [this](const char* other) {
          return unread_.contains(other);
        }))
      return;
    auto origin = loaded_.origins.find(name);
    errors_.push_back(
        {origin == loaded_.origins.end() ? "default" : origin->second, name, std::move(message)});
  }

private:
  const load_result& loaded_;
  std::vector<config_error>& errors_;
  std::set<std::string> unread_;
  bool blind_ = false;
};

void check_addresses(const config& c, relations& check) {
  constexpr const char* numeric =
      "must be a numeric address, such as 127.0.0.1, 0.0.0.0 (all of the host's) or ::1";
  if (!is_numeric_address(c.http.public_host))
    check.wrong("http.public_host", {}, numeric);
  if (!is_numeric_address(c.http.internal_host))
    check.wrong("http.internal_host", {}, numeric);
  if (!c.cluster.host.empty() && !is_numeric_address(c.cluster.host))
    check.wrong("cluster.host", {}, numeric);
  if (c.http.public_port != 0 && c.http.public_port == c.http.internal_port &&
      c.http.public_host == c.http.internal_host)
    check.wrong("http.internal_port",
                {"http.public_port", "http.public_host", "http.internal_host"},
                "must differ from http.public_port on the same address");
}

void check_cluster(const config& c, relations& check) {
  if (c.cluster.host.empty())
    return;
  if (c.database.url.empty())
    check.wrong("cluster.host", {"database.url"},
                "needs database.url: the nodes of a cluster share one Postgres");
  if (c.lease.renew_ms * 2 >= c.lease.ttl_ms)
    check.wrong("lease.renew_ms", {"lease.ttl_ms", "cluster.host"},
                "must be less than half of lease.ttl_ms in a cluster: a node with "
                "longer gaps would never judge its peers");
  if (c.cluster.insecure)
    return;
  if (c.cluster.certificate.empty() || c.cluster.key.empty() || c.cluster.ca.empty())
    check.wrong("cluster.certificate",
                {"cluster.key", "cluster.ca", "cluster.host", "cluster.insecure"},
                "must be set together with cluster.key and cluster.ca (rahatctl certs makes them); "
                "only for trials on one machine: cluster.insecure = true");
  for (auto [name, file] :
       {std::pair{"cluster.certificate", &c.cluster.certificate},
        std::pair{"cluster.key", &c.cluster.key}, std::pair{"cluster.ca", &c.cluster.ca}})
    if (!file->empty() && !read_text(*file))
      check.wrong(name, {"cluster.host", "cluster.insecure"},
                  "cannot be read: " + *file + ": " + std::strerror(errno));
}

void check_values(const config& c, relations& check) {
  if (!is_name(c.node.name))
    check.wrong("node.name", {}, "must be 1 to 40 letters, digits, '-', '.' or '_'");
  if (c.lease.renew_ms + c.lease.margin_ms >= c.lease.ttl_ms)
    check.wrong("lease.ttl_ms", {"lease.renew_ms", "lease.margin_ms"},
                "must be more than lease.renew_ms + lease.margin_ms (" +
                    std::to_string(c.lease.renew_ms + c.lease.margin_ms) +
                    "), or the node would stop between two renewals");
  if (c.persistence.batch_bytes > c.persistence.queue_bytes)
    check.wrong("persistence.queue_bytes", {"persistence.batch_bytes"},
                "must be at least persistence.batch_bytes");
}

void check_secrets(const config& c, relations& check) {
  if (!c.database.url.empty() && !is_database_url(c.database.url.reveal()))
    check.wrong("database.url", {}, "must look like postgresql://user@host:5432/name");
  if (!c.database.admin_url.empty() && !is_database_url(c.database.admin_url.reveal()))
    check.wrong("database.admin_url", {}, "must look like postgresql://owner@host:5432/name");
  if (!c.database.admin_url.empty() && c.database.url.empty())
    check.wrong("database.admin_url", {"database.url"},
                "needs database.url, the same server for the node's own work");
  if (!c.trust.master_key.empty() && !is_master_key(c.trust.master_key.reveal()))
    check.wrong("trust.master_key", {},
                "must be 64 hex digits; make one with: openssl rand -hex 32");
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
  relations check{loaded, errors};
  if (check.blind())
    return;
  check_addresses(loaded.values, check);
  check_cluster(loaded.values, check);
  check_values(loaded.values, check);
  check_secrets(loaded.values, check);
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
