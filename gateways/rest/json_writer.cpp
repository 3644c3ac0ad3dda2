#include "gateways/rest/json_writer.hpp"

#include "gateways/http/text.hpp"

#include <charconv>
#include <chrono>

namespace rahat::rest {

namespace {

constexpr char hex_digits[] = "0123456789abcdef";

void two(char* to, unsigned n) {
  to[0] = static_cast<char>('0' + n / 10);
  to[1] = static_cast<char>('0' + n % 10);
}

void append_time(std::string& out, std::int64_t at_us) {
  using namespace std::chrono;
  sys_time<milliseconds> at{milliseconds(at_us / 1000)};
  auto day = floor<days>(at);
  year_month_day date(day);
  auto ms = static_cast<unsigned>((at - day).count());
  auto year = static_cast<unsigned>(static_cast<int>(date.year()));
  char text[] = "yyyy-mm-ddThh:mm:ss.000Z";
  two(text, year / 100 % 100);
  two(text + 2, year % 100);
  two(text + 5, static_cast<unsigned>(date.month()));
  two(text + 8, static_cast<unsigned>(date.day()));
  two(text + 11, ms / 3'600'000);
  two(text + 14, ms / 60'000 % 60);
  two(text + 17, ms / 1000 % 60);
  text[20] = static_cast<char>('0' + ms / 100 % 10);
  two(text + 21, ms % 100);
  out.append(text, sizeof(text) - 1);
}

} // namespace

void json_writer::separate() {
  if (!out_.empty() && out_.back() != '{' && out_.back() != '[')
    out_ += ',';
}

void json_writer::key(std::string_view name) {
  separate();
  out_ += '"';
  out_ += name;
  out_ += "\":";
}

json_writer& json_writer::open(std::string_view name, char bracket) {
  if (name.empty())
    separate();
  else
    key(name);
  out_ += bracket;
  return *this;
}

json_writer& json_writer::close(char bracket) {
  out_ += bracket;
  return *this;
}

void json_writer::digits(std::int64_t value) {
  char text[20];
  auto end = std::to_chars(text, text + sizeof(text), value).ptr;
  out_.append(text, static_cast<std::size_t>(end - text));
}

json_writer& json_writer::text(std::string_view name, std::string_view value) {
  key(name);
  http::append_json_string(out_, value);
  return *this;
}

json_writer& json_writer::text_or_null(std::string_view name, std::string_view value) {
  return value.empty() ? null(name) : text(name, value);
}

json_writer& json_writer::number(std::string_view name, std::int64_t value) {
  key(name);
  digits(value);
  return *this;
}

json_writer& json_writer::truth(std::string_view name, bool value) {
  key(name);
  out_ += value ? "true" : "false";
  return *this;
}

json_writer& json_writer::null(std::string_view name) {
  key(name);
  out_ += "null";
  return *this;
}

json_writer& json_writer::id(std::string_view name, std::string_view raw) {
  if (raw.size() != 16)
    return null(name);
  key(name);
  char text[38];
  char* to = text;
  *to++ = '"';
  for (std::size_t i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10)
      *to++ = '-';
    auto byte = static_cast<std::uint8_t>(raw[i]);
    *to++ = hex_digits[byte >> 4];
    *to++ = hex_digits[byte & 15];
  }
  *to = '"';
  out_.append(text, sizeof(text));
  return *this;
}

json_writer& json_writer::id(std::string_view name, const uuid& value) {
  return id(name, std::string_view(reinterpret_cast<const char*>(value.bytes.data()), 16));
}

json_writer& json_writer::hex(std::string_view name, std::string_view bytes) {
  if (bytes.empty())
    return null(name);
  key(name);
  out_ += '"';
  for (char c : bytes) {
    auto byte = static_cast<std::uint8_t>(c);
    out_ += hex_digits[byte >> 4];
    out_ += hex_digits[byte & 15];
  }
  out_ += '"';
  return *this;
}

json_writer& json_writer::time(std::string_view name, std::int64_t at_us) {
  if (at_us == 0)
    return null(name);
  key(name);
  out_ += '"';
  append_time(out_, at_us);
  out_ += '"';
  return *this;
}

json_writer& json_writer::status(std::string_view name, std::string_view enum_name) {
  key(name);
  out_ += '"';
  enum_name.remove_prefix(enum_name.find('_') + 1); // no underscore: npos + 1 is 0
  for (char c : enum_name)
    out_ += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  out_ += '"';
  return *this;
}

json_writer& json_writer::raw(std::string_view name, std::string_view json) {
  key(name);
  out_ += json;
  return *this;
}

json_writer& json_writer::text_of_any_name(std::string_view name, std::string_view value) {
  separate();
  http::append_json_string(out_, name);
  out_ += ':';
  http::append_json_string(out_, value);
  return *this;
}

json_writer& json_writer::element(std::int64_t value) {
  separate();
  digits(value);
  return *this;
}

json_writer& json_writer::element(std::string_view raw_json) {
  separate();
  out_ += raw_json;
  return *this;
}

std::string status_word(std::string_view enum_name) {
  enum_name.remove_prefix(enum_name.find('_') + 1);
  return http::to_lower(enum_name);
}

std::string time_text(std::int64_t at_us) {
  std::string out;
  append_time(out, at_us);
  return out;
}

} // namespace rahat::rest
