#include "apps/rahatd/file_limit.hpp"

#include <sys/resource.h>

namespace rahat {

std::uint64_t files_needed(const config& settings) {
  const auto& c = settings;
  const auto database = c.persistence.writers + c.persistence.readers;
  return static_cast<std::uint64_t>(c.http.max_connections + c.live.max_connections + database) +
         internal_connections + reserved_files;
}

std::uint64_t raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return 0;
  if (limit.rlim_cur < limit.rlim_max) {
    const auto before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0)
      limit.rlim_cur = before;
  }
  return limit.rlim_cur;
}

std::string file_shortage(const config& settings) {
  rlimit limit{};
  const auto needed = files_needed(settings);
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed)
    return {};
  const auto may = std::to_string(limit.rlim_cur);
  return "The process may open " + may + " files, but http.max_connections and " +
         "live.max_connections may take " + std::to_string(needed) +
         ": beyond, clients hang and lost connections to the database are not made again. Set "
         "LimitNOFILE=" +
         std::to_string(needed) +
         " in the systemd unit (ulimit -Hn elsewhere), or lower these settings.";
}

} // namespace rahat
