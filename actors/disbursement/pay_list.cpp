#include "actors/disbursement/steps.hpp"

namespace rahat::disbursing {

namespace {

constexpr std::string_view list_format = "paylist v1";
constexpr std::size_t digest_bytes = 32;
constexpr std::size_t chunk_bytes = 4 + 4 + 4 + 8 + digest_bytes;

void append_be(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
    out += static_cast<char>(value >> shift);
}

std::string big_endian(std::uint64_t value) {
  std::string out;
  append_be(out, value, 8);
  return out;
}

bool is_sound(const pb::ChunkDigest& chunk, std::uint32_t first_free, std::uint32_t end_line) {
  return chunk.first() >= first_free && chunk.first() <= chunk.last() && chunk.last() < end_line &&
         chunk.count() <= chunk.last() - chunk.first() + 1 && chunk.sum_minor() > 0 &&
         chunk.sum_minor() <= disbursement::max_batch_sum_minor &&
         chunk.digest().size() == digest_bytes;
}

} // namespace

uuid list_id(const entity_ref& self, std::uint32_t round) {
  return derive_id({"pay list", self.id.raw(), std::to_string(round)});
}

digest digest_of_list(const state& now) {
  std::string chunks;
  chunks.reserve(chunk_bytes * static_cast<std::size_t>(now.chunks_size()));
  for (auto& chunk : now.chunks()) {
    append_be(chunks, chunk.lines().first(), 4);
    append_be(chunks, chunk.lines().last(), 4);
    append_be(chunks, chunk.lines().count(), 4);
    append_be(chunks, static_cast<std::uint64_t>(chunk.lines().sum_minor()), 8);
    chunks += chunk.lines().digest();
  }
  return hash_parts({list_format, now.list(), now.currency(), big_endian(now.lines()),
                     big_endian(static_cast<std::uint64_t>(now.amount_minor())), chunks});
}

std::string fault_in(const pb::BatchLocked& answer, std::uint32_t first_line) {
  std::uint64_t count = 0;
  std::int64_t sum_minor = 0;
  auto first_free = first_line;
  auto end_line = first_line + disbursement::lines_per_batch;
  std::optional<std::uint32_t> former;
  for (auto& chunk : answer.chunks()) {
    if (chunk.count() == 0)
      continue;
    if (!is_sound(chunk, first_free, end_line) || (former && chunk.chunk() <= *former))
      return "its chunks are not in order";
    former = chunk.chunk();
    first_free = chunk.last() + 1;
    count += chunk.count();
    sum_minor += chunk.sum_minor(); // no overflow: both are at most 10^16
    if (sum_minor > disbursement::max_batch_sum_minor)
      return "its amounts are beyond 10^16 together";
  }
  if (count != answer.count() || sum_minor != answer.sum_minor())
    return "its chunks do not add up to its total";
  return {};
}

} // namespace rahat::disbursing
