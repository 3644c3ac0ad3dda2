#include "gateways/http/text.hpp"

#include <cstdint>
#include <cstring>

namespace rahat::http {

namespace {

constexpr std::size_t max_idempotency_key = 255;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  c = lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/// The length of the UTF-8 sequence at `s`, 0 if it is malformed. `left` > 0 bytes are there.
std::size_t sequence_length(const unsigned char* s, std::size_t left) {
  auto continues = [&](std::size_t i) { return (s[i] & 0xc0) == 0x80; };
  if (s[0] < 0x80)
    return 1;
  if (s[0] >= 0xc2 && s[0] <= 0xdf)
    return left >= 2 && continues(1) ? 2 : 0;
  if (s[0] >= 0xe0 && s[0] <= 0xef) {
    if (left < 3 || !continues(1) || !continues(2))
      return 0;
    if (s[0] == 0xe0 && s[1] < 0xa0) // overlong
      return 0;
    if (s[0] == 0xed && s[1] > 0x9f) // surrogates
      return 0;
    return 3;
  }
  if (s[0] >= 0xf0 && s[0] <= 0xf4) {
    if (left < 4 || !continues(1) || !continues(2) || !continues(3))
      return 0;
    if (s[0] == 0xf0 && s[1] < 0x90) // overlong
      return 0;
    if (s[0] == 0xf4 && s[1] > 0x8f) // beyond U+10FFFF
      return 0;
    return 4;
  }
  return 0;
}

/// Takes the next member of a comma separated list off `rest`.
std::string_view next_member(std::string_view& rest) {
  auto comma = rest.find(',');
  auto member = trim(rest.substr(0, comma));
  rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
  return member;
}

/// The value of parameter `name` in "type; a=1; b=2", unquoted; empty if absent.
std::string_view parameter(std::string_view text, std::string_view name) {
  auto at = text.find(';');
  while (at != std::string_view::npos) {
    text = text.substr(at + 1);
    at = text.find(';');
    auto part = trim(text.substr(0, at));
    auto equals = part.find('=');
    if (equals == std::string_view::npos || !iequals(trim(part.substr(0, equals)), name))
      continue;
    auto value = trim(part.substr(equals + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
      value = value.substr(1, value.size() - 2);
    return value;
  }
  return {};
}

/// "q=0", "q=0.0", "q=0.000" mean: not acceptable.
bool is_zero_weight(std::string_view q) {
  return !q.empty() && q[0] == '0' && q.find_first_not_of("0.") == std::string_view::npos;
}

/// How closely a media range names `type/subtype`: 3 exact, 2 type/*, 1 */*, 0 not at all.
int specificity(std::string_view range, std::string_view type) {
  if (iequals(range, type))
    return 3;
  if (range == "*/*")
    return 1;
  if (range.size() > 2 && range.ends_with("/*") &&
      iequals(range.substr(0, range.size() - 1), type.substr(0, type.find('/') + 1)))
    return 2;
  return 0;
}

bool accepts(std::string_view accept, std::string_view type) {
  int best = 0;
  bool wanted = false;
  while (!accept.empty()) {
    auto member = next_member(accept);
    auto closeness = specificity(trim(member.substr(0, member.find(';'))), type);
    if (closeness > best) {
      best = closeness;
      wanted = !is_zero_weight(parameter(member, "q"));
    }
  }
  return wanted;
}

} // namespace

bool is_utf8(std::string_view bytes) {
  auto* s = reinterpret_cast<const unsigned char*>(bytes.data());
  std::size_t i = 0;
  while (i < bytes.size()) {
    std::uint64_t word;
    if (bytes.size() - i >= sizeof(word)) { // eight ASCII bytes at a time: the usual case
      std::memcpy(&word, s + i, sizeof(word));
      if ((word & 0x8080808080808080u) == 0) {
        i += sizeof(word);
        continue;
      }
    }
    auto length = sequence_length(s + i, bytes.size() - i);
    if (length == 0)
      return false;
    i += length;
  }
  return true;
}

bool percent_decode(std::string_view raw, bool plus_is_space, std::string& out) {
  auto start = out.size();
  for (std::size_t i = 0; i < raw.size(); ++i) {
    char c = raw[i];
    if (c == '%') {
      if (raw.size() - i < 3)
        return false;
      auto high = hex_value(raw[i + 1]);
      auto low = hex_value(raw[i + 2]);
      if (high < 0 || low < 0)
        return false;
      c = static_cast<char>(high << 4 | low);
      i += 2;
    } else if (c == '+' && plus_is_space) {
      c = ' ';
    }
    if (c == '\0')
      return false;
    out.push_back(c);
  }
  return is_utf8(std::string_view(out).substr(start));
}

bool iequals(std::string_view a, std::string_view b) {
  if (a.size() != b.size())
    return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (lower(a[i]) != lower(b[i]))
      return false;
  return true;
}

std::string_view trim(std::string_view text) {
  auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos)
    return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::string to_lower(std::string_view text) {
  std::string out(text);
  for (auto& c : out)
    c = lower(c);
  return out;
}

bool has_token(std::string_view list, std::string_view token) {
  while (!list.empty()) {
    auto member = next_member(list);
    if (iequals(trim(member.substr(0, member.find(';'))), token))
      return true;
  }
  return false;
}

std::string media_type(std::string_view content_type) {
  return to_lower(trim(content_type.substr(0, content_type.find(';'))));
}

bool charset_is_utf8(std::string_view content_type) {
  auto charset = parameter(content_type, "charset");
  return charset.empty() || iequals(charset, "utf-8") || iequals(charset, "us-ascii");
}

bool accepts_json(std::string_view accept) {
  if (trim(accept).empty())
    return true;
  return accepts(accept, "application/json") || accepts(accept, "application/problem+json");
}

bool is_idempotency_key(std::string_view key) {
  if (key.empty() || key.size() > max_idempotency_key)
    return false;
  for (char c : key)
    if (c < 0x21 || c > 0x7e)
      return false;
  return true;
}

void append_json_string(std::string& out, std::string_view text) {
  constexpr char digits[] = "0123456789abcdef";
  out += '"';
  for (char c : text) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out += "\\u00";
          out += digits[c >> 4];
          out += digits[c & 15];
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

} // namespace rahat::http
