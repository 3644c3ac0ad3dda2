#include "persistence/chain/mark_scan.hpp"

namespace rahat::chain {

namespace {

constexpr int varint_bytes = 10;

} // namespace

bool mark_scan::number(std::uint64_t& out) {
  out = 0;
  for (int i = 0; i < varint_bytes && !rest_.empty(); ++i) {
    const auto byte = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    out |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * i);
    if (byte < 0x80)
      return true;
  }
  return false;
}

bool mark_scan::skip(std::uint32_t wire_type, std::string_view& bytes) {
  std::uint64_t size = 0;
  switch (wire_type) {
    case 0: return number(size);
    case 1: size = 8; break;
    case 2:
      if (!number(size))
        return false;
      break;
    case 5: size = 4; break;
    default: return false; // groups are not written by proto3
  }
  if (size > rest_.size())
    return false;
  bytes = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return true;
}

bool mark_scan::next(wire::TransferMark& mark) {
  while (!rest_.empty()) {
    std::uint64_t tag = 0;
    std::string_view bytes;
    if (!number(tag) || !skip(tag & 7, bytes)) {
      rest_ = {};
      return false;
    }
    if (tag >> 3 == wire::Commit::kTransfersFieldNumber && (tag & 7) == 2) {
      if (mark.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
        return true;
      rest_ = {};
    }
  }
  return false;
}

} // namespace rahat::chain
