#include "persistence/audit/array_literal.hpp"

namespace rahat::audit {

void array_literal::next() {
  if (!body_.empty())
    body_ += ',';
}

void array_literal::number(std::int64_t v) {
  next();
  body_ += std::to_string(v);
}

void array_literal::id(const uuid& v) {
  next();
  body_ += v.str();
}

void array_literal::text(std::string_view v) {
  next();
  body_ += '"';
  for (char c : v) {
    if (c == '"' || c == '\\')
      body_ += '\\';
    body_ += c;
  }
  body_ += '"';
}

void array_literal::bytes(std::string_view v) {
  next();
  body_ += "\"\\\\x" + hex(v) + "\"";
}

} // namespace rahat::audit
