#include "persistence/embedded/programs.hpp"

#include "persistence/embedded/child.hpp"
#include "persistence/embedded/errors.hpp"

#include <unistd.h>
#include <algorithm>
#include <charconv>
#include <fstream>
#include <string>

namespace rahat {

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto version_limit = 10s;

/// The caller's own rights: asking a program for its version needs no other account.
os_account myself() {
  os_account account;
  account.uid = geteuid();
  account.gid = getegid();
  return account;
}

/// "postgres (PostgreSQL) 15.18 (Debian ...)" -> 15; 0 when it says something else.
int major_of(const fs::path& postgres) {
  const auto said = run_program({postgres.string(), "--version"}, myself(), version_limit).output;
  const auto at = said.find("(PostgreSQL) ");
  if (at == std::string::npos)
    return 0;
  int major = 0;
  const auto* first = said.data() + at + 13;
  std::from_chars(first, said.data() + said.size(), major);
  return major;
}

std::vector<fs::path> places_to_look() {
  std::vector<fs::path> places;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator{"/usr/lib/postgresql", ignored})
    places.push_back(entry.path() / "bin");
  for (const auto& entry : fs::directory_iterator{"/usr", ignored})
    if (entry.path().filename().string().starts_with("pgsql-"))
      places.push_back(entry.path() / "bin");
  for (const char* config : {"/usr/bin/pg_config", "/usr/local/bin/pg_config"}) {
    if (access(config, X_OK) != 0)
      continue;
    auto said = run_program({config, "--bindir"}, myself(), version_limit).output;
    said.erase(said.find_last_not_of(" \n") + 1);
    if (said.starts_with("/"))
      places.emplace_back(said);
  }
  places.emplace_back("/usr/local/pgsql/bin");
  places.emplace_back("/usr/local/bin");
  places.emplace_back("/usr/bin");
  return places;
}

std::string upgrade_advice(const fs::path& cluster, int from, const postgres_programs& to) {
  const auto parent = cluster.parent_path();
  const auto fresh = (parent / ("postgres." + std::to_string(to.major))).string();
  const auto old_bin = "/usr/lib/postgresql/" + std::to_string(from) + "/bin";
  return "install postgresql-" + std::to_string(from) +
         ", or upgrade the cluster while rahatd is"
         " stopped, as the user that owns it: " +
         to.program("initdb").string() + " -D " + fresh +
         " -U rahat_admin --data-checksums -E UTF8 --locale=C.UTF-8 && " +
         to.program("pg_upgrade").string() + " -b " + old_bin + " -B " + to.bin.string() + " -d " +
         cluster.string() + " -D " + fresh + " -U rahat_admin && mv " + cluster.string() + " " +
         cluster.string() + "." + std::to_string(from) + " && mv " + fresh + " " + cluster.string();
}

} // namespace

std::vector<postgres_programs> installed_postgres() {
  std::vector<postgres_programs> found;
  for (const auto& bin : places_to_look()) {
    postgres_programs programs{bin, 0};
    if (access(programs.program("postgres").c_str(), X_OK) != 0 ||
        access(programs.program("initdb").c_str(), X_OK) != 0)
      continue;
    programs.major = major_of(programs.program("postgres"));
    const auto known = std::any_of(found.begin(), found.end(), [&programs](const auto& other) {
      return other.major == programs.major;
    });
    if (programs.major > 0 && !known)
      found.push_back(programs);
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.major > b.major; });
  return found;
}

std::optional<int> cluster_version(const fs::path& cluster) {
  std::ifstream file{cluster / "PG_VERSION"};
  int major = 0;
  if (!(file >> major))
    return std::nullopt;
  return major;
}

postgres_programs choose_postgres(const fs::path& cluster,
                                  const std::vector<postgres_programs>& installed) {
  if (installed.empty() || installed.front().major < oldest_postgres) {
    throw embedded_error{"no PostgreSQL server of version " + std::to_string(oldest_postgres) +
                         " or newer is installed: install the Debian package postgresql, or set "
                         "database.url to a server that runs elsewhere"};
  }
  const auto wanted = cluster_version(cluster);
  if (!wanted)
    return installed.front();
  for (const auto& programs : installed)
    if (programs.major == *wanted)
      return programs;
  throw embedded_error{"the cluster in " + cluster.string() + " was made by PostgreSQL " +
                       std::to_string(*wanted) + ", but this machine has PostgreSQL " +
                       std::to_string(installed.front().major) + ": " +
                       upgrade_advice(cluster, *wanted, installed.front())};
}

} // namespace rahat
