#pragma once

#include <cstdint>
#include <optional>

namespace rahat {

/// The node's right to serve. Lock-free, any thread. Implemented by node_lease and by simulations.
/// Protocol: docs/protocols/leases.md.
class lease {
public:
  virtual ~lease() = default;

  /// May this node serve now?
  virtual bool valid() const = 0;

  /// Since when renewals have been confirmed without a gap and without a jump of the database's
  /// clock, in microseconds of CLOCK_BOOTTIME; nullopt while they are not. Who is not steady for
  /// long enough judges nobody.
  virtual std::optional<std::int64_t> steady_since_us() const = 0;

  /// The database's clock minus this node's CLOCK_BOOTTIME, as of the last renewal; 0 before it.
  virtual std::int64_t clock_offset_us() const = 0;
};

} // namespace rahat
