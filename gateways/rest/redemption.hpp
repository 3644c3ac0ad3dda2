#pragma once

#include "actors/batch/batch.pb.h"

#include <string>

namespace rahat::rest {

/// The JSON of a redemption: a batch's answer and the entry that lists show.
std::string redemption_json(const pb::RedemptionDone& done);

} // namespace rahat::rest
