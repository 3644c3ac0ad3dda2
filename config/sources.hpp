#pragma once

#include "config/load.hpp"
#include "config/settings.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

/// The three places that values come from. Private to config/.
namespace rahat::config_detail {

enum class source { file, environment, flag };

/// A value as somebody wrote it, before it is known to be right.
struct written {
  const setting* row = nullptr;
  std::variant<std::string, std::int64_t, bool> value;
  source from = source::file;
  std::string where;
};

/// The flags of a command line. CLI11 is seen in flags.cpp only.
struct command_line {
  std::vector<written> values;
  std::optional<std::string> file;
  std::optional<std::string> message; // --help, --version, --reference-config
  bool check_only = false;
};

/// A whole small file; nothing if it cannot be read (errno says why) or is longer than 1 MiB.
std::optional<std::string> read_text(const std::string& path);

command_line read_flags(int argc, const char* const* argv, std::vector<config_error>& errors);

/// toml++ is seen in toml_file.cpp only.
std::vector<written> read_file(const std::string& path, std::vector<config_error>& errors);

std::vector<written> read_environment(const environment& env, std::vector<config_error>& errors);

/// Types, bounds and secrets: puts the value into `into`, or says why not.
void assign(const written& w, const environment& env, config& into,
            std::vector<config_error>& errors);

/// What no single setting can know: relations between them.
void check_relations(const load_result& loaded, std::vector<config_error>& errors);

config_error unknown_setting(std::string where, std::string name, const std::string& suggestion);

} // namespace rahat::config_detail
