#include "runtime/cluster/feature_level.hpp"

namespace rahat::cluster {

std::string feature_levels::refusal(level written) const {
  if (written < first_level)
    return "level " + std::to_string(written) + " was never given out: the row is damaged";
  return "written at level " + std::to_string(written) + ", this build reads up to " +
         std::to_string(reads) + ": upgrade this node";
}

} // namespace rahat::cluster
