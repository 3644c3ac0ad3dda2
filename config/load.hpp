#pragma once

#include "config/config.hpp"

#include <iosfwd>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace rahat {

/// A process's environment variables, handed in so that tests can make one up.
using environment = std::map<std::string, std::string>;
environment process_environment();

/// One thing that is wrong with the configuration.
struct config_error {
  std::string where;   // "rahatd.toml:12", "environment RAHAT_HTTP_PUBLIC_PORT", "flag --log.level"
  std::string setting; // "http.public_port"; "" when no setting is concerned
  std::string message; // what is wrong and how to mend it

  std::string str() const;
};

/// What `load` found. Exactly one of three holds: `message` (asked for by --help, --version or
/// --reference-config: print it, exit 0), `errors` (print them, exit 2), or a valid `values`.
struct load_result {
  config values;
  std::vector<config_error> errors;
  std::optional<std::string> message;
  bool check_only = false; // --check-config: say `describe(result)`, exit 0
  std::map<std::string, std::string>
      origins; // setting -> where its value came from, unless default

  bool ok() const { return errors.empty() && !message; }
};

/// Reads the configuration of a node: defaults < file < environment (RAHAT_SECTION_KEY) < flags
/// (--section.key VALUE). The file is --config, else $RAHAT_CONFIG, else /etc/rahat/rahatd.toml if
/// there is one. Everything is checked before anything is reported, so that all mistakes are seen
/// at once; a wrong value is an error even where a later source overrides it. Secrets are resolved
/// here
/// (`file:/path`, `env:NAME`). Never throws on bad input, changes nothing on disk.
load_result load(int argc, const char* const* argv, const environment& env);

/// Every error on a line of its own.
void print(std::ostream& out, const std::vector<config_error>& errors);

/// The effective settings, one a line with the source of each; secrets are not shown.
std::string describe(const load_result& loaded);

/// The text of config/rahatd.toml: every setting with explanation, unit, default and bounds.
std::string reference_toml();

/// Where a node keeps its data unless told otherwise: /var/lib/rahat as root, else
/// $XDG_STATE_HOME/rahat or ~/.local/state/rahat.
std::string default_data_dir(const environment& env);

} // namespace rahat
