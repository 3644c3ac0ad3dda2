#include "runtime/cluster/assignment.hpp"

#include <algorithm>
#include <stdexcept>

namespace rahat::cluster {

namespace {

// No member owns more than the mean and these per cent of it.
constexpr std::size_t cap_percent = 105;

// 2^64 / golden ratio, the increment of SplitMix64.
constexpr std::uint64_t golden = 0x9e3779b97f4a7c15U;

/// The finaliser of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators", OOPSLA 2014; the constants are variant 13 of David Stafford's "Better bit mixing").
/// A bijection in which every bit of the input changes each bit of the output with probability 1/2.
constexpr std::uint64_t mix64(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

// Big endian, so that it is the same number on every machine.
std::uint64_t word_of(const uuid& id, std::size_t from) {
  std::uint64_t out = 0;
  for (std::size_t i = 0; i < 8; ++i)
    out = out << 8 | id.bytes[from + i];
  return out;
}

std::uint64_t hash_of(const uuid& member) {
  return mix64(mix64(word_of(member, 0) + golden) ^ word_of(member, 8));
}

struct pairing {
  std::uint64_t weight;
  shard_id shard;
  std::uint32_t member; // index into the sorted members
};

// Heaviest first. Equal weights are as good as impossible, but would still be the same everywhere.
bool heavier(const pairing& a, const pairing& b) {
  if (a.weight != b.weight)
    return a.weight > b.weight;
  return a.shard != b.shard ? a.shard < b.shard : a.member < b.member;
}

std::vector<pairing> pairings_of(const std::vector<uuid>& members) {
  std::vector<pairing> out;
  out.reserve(members.size() * shard_count);
  for (std::uint32_t m = 0; m < members.size(); ++m) {
    const auto hash = hash_of(members[m]);
    for (shard_id s = 0; s < shard_count; ++s)
      out.push_back({mix64(hash ^ (s + std::uint64_t{1}) * golden), s, m});
  }
  std::sort(out.begin(), out.end(), heavier);
  return out;
}

} // namespace

uuid assignment::owner(shard_id shard) const {
  return shard < owner_of.size() ? owner_of[shard] : uuid{};
}

std::vector<shard_id> assignment::shards_of(const uuid& member) const {
  std::vector<shard_id> out;
  for (shard_id s = 0; s < owner_of.size(); ++s)
    if (owner_of[s] == member)
      out.push_back(s);
  return out;
}

std::size_t shard_cap(std::size_t members) {
  if (members == 0)
    return 0;
  const auto parts = members * 100;
  return (shard_count * cap_percent + parts - 1) / parts;
}

assignment assign_shards(std::vector<uuid> members) {
  std::sort(members.begin(), members.end());
  members.erase(std::unique(members.begin(), members.end()), members.end());
  if (members.empty())
    return {};
  if (members.front().is_nil())
    throw std::invalid_argument("assign_shards: a member with the nil id: give it a node_uuid");
  const auto cap = shard_cap(members.size());
  std::vector<std::size_t> load(members.size());
  assignment out;
  out.owner_of.resize(shard_count);
  // Nobody is left over: while a shard is free, fewer than 256 are placed, so that some member is
  // below the cap (members x cap >= 256) and their pair is still to come.
  for (const auto& p : pairings_of(members)) {
    if (!out.owner_of[p.shard].is_nil() || load[p.member] == cap)
      continue;
    out.owner_of[p.shard] = members[p.member];
    ++load[p.member];
  }
  return out;
}

} // namespace rahat::cluster
