#pragma once

#include "runtime/wire/wire.pb.h"

#include <cstdint>
#include <string_view>

namespace rahat::chain {

/// Walks the transfer marks of a serialised wire::Commit without building the rest of it: commits
/// of commands carry none, and copying their events only to look would cost more than their hash.
class mark_scan {
public:
  explicit mark_scan(std::string_view payload) : rest_(payload) {}

  /// Puts the next mark into `mark`; false at the end or at the first byte that is not Protobuf.
  bool next(wire::TransferMark& mark);

private:
  bool number(std::uint64_t& out);
  bool skip(std::uint32_t wire_type, std::string_view& bytes);

  std::string_view rest_;
};

} // namespace rahat::chain
