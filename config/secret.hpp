#pragma once

#include <string>
#include <utility>

namespace rahat {

/// A value that must not be printed by accident: a password, a key. It has no stream operator and
/// no conversion; whoever needs the text says `reveal()`, which is easy to search for.
class secret {
public:
  secret() = default;
  explicit secret(std::string text) : text_(std::move(text)) {}

  bool empty() const { return text_.empty(); }
  const std::string& reveal() const { return text_; }

  bool operator==(const secret&) const = default;

private:
  std::string text_;
};

} // namespace rahat
