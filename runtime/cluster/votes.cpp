#include "runtime/cluster/votes.hpp"

#include <set>

namespace rahat::cluster {

bool fresh(const vote& v, std::int64_t database_now_us, std::int64_t expiry_us) {
  const auto age = database_now_us - v.written_us;
  return age < expiry_us && age > -expiry_us;
}

bool voted_out(const view& now, const member& target, const std::vector<vote>& votes,
               std::int64_t database_now_us, std::int64_t expiry_us) {
  if (!target.active())
    return false;
  std::set<uuid> voters;
  for (const auto& v : votes) {
    if (v.against != target.id() || v.voter.node == target.node_uuid ||
        !fresh(v, database_now_us, expiry_us))
      continue;
    const auto* voter = now.find(v.voter);
    if (voter != nullptr && voter->active())
      voters.insert(v.voter.node);
  }
  const auto active = now.active();
  if (active.size() == 2)
    return voters.contains(active.front());
  return voters.size() >= votes_needed;
}

} // namespace rahat::cluster
