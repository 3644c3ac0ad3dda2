#include "persistence/postgres/column.hpp"

namespace rahat::pg {

namespace {

// dimensions (4), has-nulls flag (4), element type (4), then length (4) and lower bound (4) of the
// one dimension.
constexpr std::size_t header_bytes = 20;
constexpr std::size_t count_offset = 12;

constexpr std::int64_t us_a_day = 86'400'000'000;
constexpr std::int64_t days_1970_to_2000 = 10'957; // Postgres counts dates from 2000-01-01
constexpr char jsonb_version = 1;

} // namespace

column::column(type element) {
  number(1, 4);
  number(0, 4);
  number(static_cast<std::uint32_t>(element), 4);
  number(0, 4);
  number(1, 4);
}

void column::clear() {
  buffer_.resize(header_bytes);
  count_ = 0;
}

void column::number(std::uint64_t v, int size) {
  char bytes[8];
  for (int i = 0; i < size; ++i)
    bytes[i] = static_cast<char>(v >> ((size - 1 - i) * 8));
  buffer_.append(bytes, static_cast<std::size_t>(size));
}

void column::int2(std::uint16_t v) {
  number(2, 4);
  number(v, 2);
  ++count_;
}

void column::int4(std::int32_t v) {
  number(4, 4);
  number(static_cast<std::uint32_t>(v), 4);
  ++count_;
}

void column::int8(std::int64_t v) {
  number(8, 4);
  number(static_cast<std::uint64_t>(v), 8);
  ++count_;
}

void column::id(const uuid& v) {
  bytes({reinterpret_cast<const char*>(v.bytes.data()), v.bytes.size()});
}

void column::bytes(std::string_view v) {
  number(v.size(), 4);
  buffer_.append(v);
  ++count_;
}

void column::json(std::string_view v) {
  number(v.size() + 1, 4);
  buffer_ += jsonb_version;
  buffer_.append(v);
  ++count_;
}

void column::day(std::int64_t at_us) {
  auto days = at_us / us_a_day;
  if (at_us % us_a_day < 0)
    --days;
  int4(static_cast<std::int32_t>(days - days_1970_to_2000));
}

const std::string& column::wire() {
  for (int i = 0; i < 4; ++i)
    buffer_[count_offset + static_cast<std::size_t>(i)] = static_cast<char>(count_ >> (24 - 8 * i));
  return buffer_;
}

} // namespace rahat::pg
