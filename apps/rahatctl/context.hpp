#pragma once

#include "apps/rahatctl/client.hpp"
#include "config/load.hpp"

#include <boost/json/value.hpp>

#include <iosfwd>
#include <memory>
#include <optional>
#include <string>

namespace rahat::ctl {

/// What a command returns to the shell.
inline constexpr int exit_ok = 0;
inline constexpr int exit_problem = 1; // something is wrong, or could not be asked
inline constexpr int exit_usage = 2;
inline constexpr int exit_interrupted = 130; // as shells say of a program ended by Ctrl-C

/// What every command works with: the global flags, and where to write. Lives as long as `run`.
struct context {
  const environment& env;
  std::ostream& out;
  std::ostream& err;

  std::string url = "";
  std::string internal_url = "";
  std::string token = "";
  std::string token_file = "";
  std::string data = "";
  bool json = false;

  int exit_code = exit_ok; // set by the command that ran

  /// The two listeners. Without a token to be found, `err` is told and nothing comes back.
  std::unique_ptr<client> public_client();
  std::unique_ptr<client> internal_client();

  /// The token: --token, --token-file, $RAHAT_TOKEN, $RAHAT_TOKEN_FILE, <data>/admin.token.
  std::optional<std::string> find_token();

  /// Tells what went wrong; always `exit_problem`.
  int fail(const std::string& message);

  /// The JSON of a good answer. With --json it is written out as it came. Anything else is told
  /// (a problem document by its sentence), and nothing comes back.
  std::optional<boost::json::value> accept(const answer& got);
};

} // namespace rahat::ctl
