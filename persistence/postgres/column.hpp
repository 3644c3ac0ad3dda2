#pragma once

#include "runtime/decider/id.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace rahat::pg {

/// One column of a batch: a one-dimensional Postgres array in the binary wire format (array_recv),
/// which costs half the CPU and two thirds of the bytes of a text literal. The buffer is kept over
/// `clear`. A prepared statement fixes the parameter's type; an element of another type than the
/// one named here is refused by the server, never misread.
class column {
public:
  /// Element types, as pg_type numbers them; fixed for ever by Postgres.
  enum class type : std::uint32_t {
    bytea = 17,
    int8 = 20,
    int2 = 21,
    int4 = 23,
    text = 25,
    date = 1082,
    uuid = 2950,
    jsonb = 3802,
  };

  explicit column(type element);

  void clear();
  std::uint32_t size() const { return count_; }

  void int2(std::uint16_t v);
  void int4(std::int32_t v);
  void int8(std::int64_t v);
  void id(const uuid& v);
  void bytes(std::string_view v); // bytea and text
  void json(std::string_view v);  // jsonb: a version byte, then text
  /// The UTC day of a stamp in microseconds since 1970.
  void day(std::int64_t at_us);

  /// The array; valid until the next change.
  const std::string& wire();

private:
  void number(std::uint64_t v, int size);

  std::string buffer_;
  std::uint32_t count_ = 0;
};

} // namespace rahat::pg
