#include "persistence/memory/text.hpp"

#include <cstddef>
#include <cstdint>

namespace rahat {

namespace {

/// Length of the well-formed UTF-8 sequence at the front, 0 if there is none.
std::size_t sequence_length(std::string_view text) {
  auto at = [&](std::size_t i) -> unsigned {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
  };
  auto continues = [&](std::size_t i) { return (at(i) & 0xc0) == 0x80; };
  auto first = at(0);
  if (first < 0x80)
    return 1;
  if (first >= 0xc2 && first <= 0xdf)
    return continues(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    bool overlong = first == 0xe0 && at(1) < 0xa0;
    bool surrogate = first == 0xed && at(1) > 0x9f;
    return continues(1) && continues(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    bool overlong = first == 0xf0 && at(1) < 0x90;
    bool beyond = first == 0xf4 && at(1) > 0x8f;
    return continues(1) && continues(2) && continues(3) && !overlong && !beyond ? 4 : 0;
  }
  return 0;
}

/// Reads one JSON value; says only whether it is one.
class json_reader {
public:
  explicit json_reader(std::string_view text) : text_(text) {}

  bool whole() {
    space();
    if (!value(0))
      return false;
    space();
    return text_.empty();
  }

private:
  bool value(int depth) {
    if (depth > max_json_depth || text_.empty())
      return false;
    switch (text_.front()) {
      case '{': return members(depth, '}', true);
      case '[': return members(depth, ']', false);
      case '"': return string();
      case 't': return word("true");
      case 'f': return word("false");
      case 'n': return word("null");
      default: return number();
    }
  }

  bool members(int depth, char end, bool named) {
    text_.remove_prefix(1);
    space();
    if (take(end))
      return true;
    do {
      space();
      if (named) {
        if (!string())
          return false;
        space();
        if (!take(':'))
          return false;
        space();
      }
      if (!value(depth + 1))
        return false;
      space();
    } while (take(','));
    return take(end);
  }

  bool string() {
    if (!take('"'))
      return false;
    while (!text_.empty() && text_.front() != '"') {
      if (text_.front() == '\\') {
        if (!escape())
          return false;
      } else if (static_cast<unsigned char>(text_.front()) < 0x20) {
        return false;
      } else {
        text_.remove_prefix(1); // the whole text has been checked to be UTF-8
      }
    }
    return take('"');
  }

  bool escape() {
    text_.remove_prefix(1);
    if (text_.empty())
      return false;
    auto c = text_.front();
    text_.remove_prefix(1);
    if (c != 'u')
      return std::string_view("\"\\/bfnrt").find(c) != std::string_view::npos;
    auto unit = hex4();
    if (unit <= 0 || (unit >= 0xdc00 && unit <= 0xdfff))
      return false;
    if (unit < 0xd800 || unit > 0xdbff)
      return true;
    if (!take('\\') || !take('u'))
      return false;
    auto low = hex4();
    return low >= 0xdc00 && low <= 0xdfff;
  }

  /// -1 if there are no four hexadecimal digits.
  int hex4() {
    if (text_.size() < 4)
      return -1;
    int unit = 0;
    for (int i = 0; i < 4; ++i) {
      auto c = static_cast<char>(text_[static_cast<std::size_t>(i)] | 0x20);
      bool digit = c >= '0' && c <= '9';
      if (!digit && (c < 'a' || c > 'f'))
        return -1;
      unit = unit * 16 + (digit ? c - '0' : c - 'a' + 10);
    }
    text_.remove_prefix(4);
    return unit;
  }

  bool number() {
    take('-');
    if (!take('0') && !digits())
      return false;
    if (take('.') && !digits())
      return false;
    if (take('e') || take('E')) {
      if (!take('+'))
        take('-');
      return digits();
    }
    return true;
  }

  bool digits() {
    std::size_t n = 0;
    while (n < text_.size() && text_[n] >= '0' && text_[n] <= '9')
      ++n;
    text_.remove_prefix(n);
    return n > 0;
  }

  bool word(std::string_view w) {
    if (!text_.starts_with(w))
      return false;
    text_.remove_prefix(w.size());
    return true;
  }

  bool take(char c) {
    if (text_.empty() || text_.front() != c)
      return false;
    text_.remove_prefix(1);
    return true;
  }

  void space() {
    constexpr std::string_view blanks = " \t\r\n";
    while (!text_.empty() && blanks.find(text_.front()) != blanks.npos)
      text_.remove_prefix(1);
  }

  std::string_view text_;
};

} // namespace

bool is_storable_text(std::string_view text) {
  while (!text.empty()) {
    auto n = sequence_length(text);
    if (n == 0 || text.front() == '\0')
      return false;
    text.remove_prefix(n);
  }
  return true;
}

bool is_storable_json(std::string_view text) {
  return is_storable_text(text) && json_reader(text).whole();
}

} // namespace rahat
