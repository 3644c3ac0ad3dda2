#pragma once

#include "runtime/decider/id.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace rahat::audit {

/// A one-dimensional Postgres array in its text form, to be unnested by a statement.
class array_literal {
public:
  void number(std::int64_t v);
  void id(const uuid& v);
  void text(std::string_view v);  // quoted
  void bytes(std::string_view v); // bytea in hex

  std::string str() const { return body_.empty() ? "{}" : "{" + body_ + "}"; }
  bool empty() const { return body_.empty(); }

private:
  void next();

  std::string body_;
};

} // namespace rahat::audit
