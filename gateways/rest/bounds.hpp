#pragma once

#include <cstddef>

/// Bounds that the edge checks and documents before a decider does; a test compares each with the
/// decider's own, which is the one that counts.
namespace rahat::rest {

/// Batches of one disbursement: disbursement::max_batches.
inline constexpr std::size_t max_batch_ids = 500;

/// Characters of a shop's own number for a purchase: batch::max_client_id.
inline constexpr std::size_t max_redemption_id = 100;

} // namespace rahat::rest
