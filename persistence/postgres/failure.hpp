#pragma once

#include "runtime/decider/id.hpp"

#include <exception>
#include <string>
#include <string_view>
#include <vector>

namespace rahat::pg {

/// What a failed statement means for the batch that it carried (R6, R7).
enum class failure_class {
  fenced,   // RH001: nothing was written; the named shards have another owner
  in_doubt, // the connection is gone: the batch may have landed or not
  again,    // nothing was written, and the batch is not at fault: send it again, for a while
  guilty,   // nothing was written, and a row of the batch is at fault
};

struct failure {
  failure_class what = failure_class::guilty;
  std::string message;          // Postgres' own sentence, on one line
  std::string state;            // its SQLSTATE; empty: none was given
  std::vector<shard_id> shards; // of `fenced`
};

/// Sorts an exception of libpqxx. `connection_open` as it is after the failure.
failure failure_of(const std::exception& e, bool connection_open);

/// The class of a SQLSTATE alone; of an unknown one: guilty.
failure_class class_of(std::string_view sqlstate);

/// The numbers behind "fenced shards: " in a message of commit_batch_v1.
std::vector<shard_id> fenced_shards(std::string_view message);

} // namespace rahat::pg
