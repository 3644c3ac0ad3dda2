#include "runtime/entity/evicted_ids.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace rahat {

namespace {

constexpr std::uint32_t first_capacity = 256;
constexpr std::uint32_t last_capacity = 65'536;
constexpr std::uint32_t bits_per_id = 16;
constexpr std::size_t word_bits = 64;

/// Four positions from the id's own bytes. Two of them hold the fixed bits of a UUID: still four
/// independent positions, because those bits are few and the number of bits is a power of two.
std::array<std::uint64_t, 4> probes(const uuid& id, std::uint64_t bits) {
  std::array<std::uint64_t, 4> out{};
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::uint32_t word = 0;
    std::memcpy(&word, id.bytes.data() + 4 * i, sizeof(word));
    out[i] = word * 0x9e3779b1u >> 7 & (bits - 1);
  }
  return out;
}

} // namespace

bool evicted_ids::layer::may_hold(const uuid& id) const {
  for (auto at : probes(id, bits.size() * word_bits))
    if ((bits[at / word_bits] >> at % word_bits & 1) == 0)
      return false;
  return true;
}

void evicted_ids::add(const uuid& id, std::int64_t at_us) {
  if (layers_.empty() || layers_.back().held == layers_.back().capacity) {
    std::erase_if(layers_, [&](const layer& l) { return l.youngest_us < at_us - keep_us; });
    if (layers_.size() == max_layers) {
      overflow_us_ = std::max(overflow_us_, at_us);
      return;
    }
    layer next;
    next.capacity =
        layers_.empty() ? first_capacity : std::min(layers_.back().capacity * 2, last_capacity);
    next.bits.resize(next.capacity * bits_per_id / word_bits);
    layers_.push_back(std::move(next));
  }
  auto& l = layers_.back();
  for (auto at : probes(id, l.bits.size() * word_bits))
    l.bits[at / word_bits] |= std::uint64_t{1} << at % word_bits;
  ++l.held;
  l.youngest_us = std::max(l.youngest_us, at_us);
}

bool evicted_ids::perhaps(const uuid& id, std::int64_t horizon_us) const {
  if (overflow_us_ != 0 && overflow_us_ >= horizon_us)
    return true;
  return std::any_of(layers_.begin(), layers_.end(),
                     [&](const layer& l) { return l.youngest_us >= horizon_us && l.may_hold(id); });
}

void evicted_ids::save(wire::Snapshot& out) const {
  for (auto& l : layers_) {
    auto& saved = *out.add_evicted();
    saved.set_bits(l.bits.data(), l.bits.size() * sizeof(std::uint64_t));
    saved.set_held(l.held);
    saved.set_youngest_us(l.youngest_us);
  }
  out.set_evicted_overflow_us(overflow_us_);
}

void evicted_ids::load(const wire::Snapshot& in) {
  layers_.clear();
  for (auto& saved : in.evicted()) {
    layer l;
    l.bits.resize(saved.bits().size() / sizeof(std::uint64_t));
    std::memcpy(l.bits.data(), saved.bits().data(), l.bits.size() * sizeof(std::uint64_t));
    l.capacity = static_cast<std::uint32_t>(l.bits.size() * word_bits / bits_per_id);
    l.held = saved.held();
    l.youngest_us = saved.youngest_us();
    layers_.push_back(std::move(l));
  }
  overflow_us_ = in.evicted_overflow_us();
}

} // namespace rahat
