#pragma once

#include <filesystem>
#include <string>

namespace rahat {

/// What the embedded cluster is tuned with. The defaults suit a machine of 2 cores upwards and
/// leave most memory to the node and the page cache.
struct cluster_tuning {
  int shared_buffers_mb = 256;
  int max_connections = 50;
  int max_wal_size_mb = 4096; // room for a million lines between two checkpoints
  int checkpoint_timeout_s = 900;
  /// False only for throw-away clusters of tests: nothing is forced to the disk. Such a server
  /// survives a kill -9 but no power cut, and the doctor refuses it.
  bool durable = true;
};

/// The marker by which a later start knows a server that a rahatd started (see postmaster.hpp).
inline constexpr const char* cluster_mark = "cluster_name=rahat";

/// The text of `<cluster>/rahat.conf`, written anew at each start.
std::string settings_text(const cluster_tuning& tuning, const std::filesystem::path& socket_folder,
                          const std::filesystem::path& log_folder);

/// The text of pg_hba.conf: the socket only, passwords always.
std::string hba_text();

/// Appended once to the cluster's postgresql.conf: our settings, then the operator's.
std::string include_text();

} // namespace rahat
