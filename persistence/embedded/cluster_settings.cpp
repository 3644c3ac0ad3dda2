#include "persistence/embedded/cluster_settings.hpp"

namespace rahat {

namespace {

std::string quoted(const std::string& value) {
  std::string text = "'";
  for (char c : value) {
    if (c == '\'' || c == '\\')
      text += c;
    text += c;
  }
  return text + "'";
}

/// An item of a comma-separated list of paths, safe for any path.
std::string list_item(const std::filesystem::path& path) {
  std::string text = "\"";
  for (char c : path.string()) {
    if (c == '"')
      text += c;
    text += c;
  }
  return quoted(text + "\"");
}

} // namespace

std::string settings_text(const cluster_tuning& tuning, const std::filesystem::path& socket_folder,
                          const std::filesystem::path& log_folder) {
  const auto number = [](int value) { return std::to_string(value); };
  return "# Written by rahatd at each start: put settings of your own into local.conf.\n"
         "listen_addresses = ''\n"
         "port = 5432\n"
         "unix_socket_directories = " +
         list_item(socket_folder) +
         "\n"
         "unix_socket_permissions = 0700\n"
         "password_encryption = 'scram-sha-256'\n"
         "max_connections = " +
         number(tuning.max_connections) +
         "\n"
         "shared_buffers = " +
         number(tuning.shared_buffers_mb) +
         "MB\n"
         "maintenance_work_mem = 128MB\n"
         "# Money: what was acknowledged is on the disk.\n"
         "fsync = " +
         std::string{tuning.durable ? "on" : "off"} +
         "\n"
         "synchronous_commit = on\n"
         "full_page_writes = on\n"
         "restart_after_crash = on\n"
         "# The rate of bulk payments: checkpoints are rare and spread out.\n"
         "wal_level = replica\n"
         "wal_buffers = 16MB\n"
         "max_wal_size = " +
         number(tuning.max_wal_size_mb) +
         "MB\n"
         "min_wal_size = 1GB\n"
         "checkpoint_timeout = " +
         number(tuning.checkpoint_timeout_s) +
         "s\n"
         "checkpoint_completion_target = 0.9\n"
         "autovacuum = on\n"
         "jit = off\n"
         "timezone = 'UTC'\n"
         "lc_messages = 'C'\n"
         "# A week of logs, a file a weekday.\n"
         "logging_collector = on\n"
         "log_directory = " +
         quoted(log_folder.string()) +
         "\n"
         "log_filename = 'postgres-%a.log'\n"
         "log_rotation_age = 1d\n"
         "log_rotation_size = 0\n"
         "log_truncate_on_rotation = on\n"
         "log_timezone = 'UTC'\n"
         "log_line_prefix = '%m [%p] %q%u %a '\n"
         "log_checkpoints = on\n"
         "log_lock_waits = on\n"
         "# Parameters may hold personal data.\n"
         "log_parameter_max_length = 0\n"
         "log_parameter_max_length_on_error = 0\n";
}

std::string hba_text() {
  return "# Written by rahatd at each start.\n"
         "local all all scram-sha-256\n";
}

std::string include_text() {
  return "\n# rahatd's settings, then yours.\n"
         "include_if_exists = 'rahat.conf'\n"
         "include_if_exists = 'local.conf'\n";
}

} // namespace rahat
