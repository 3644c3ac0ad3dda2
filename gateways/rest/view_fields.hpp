#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rahat::rest {

/// Reads single fields out of a document that one of our presenters has written. A field that is
/// not there reads as neutral: a view never lacks one of its own. One thread.
class view_fields {
public:
  explicit view_fields(std::string_view json);
  ~view_fields();

  std::string text(std::string_view name) const; // "" for null
  std::int64_t number(std::string_view name) const;
  bool truth(std::string_view name) const;
  std::vector<std::int64_t> numbers(std::string_view name) const;
  std::vector<std::string> texts(std::string_view name) const;

  /// An array of pairs of numbers.
  std::vector<std::pair<std::int64_t, std::int64_t>> ranges(std::string_view name) const;

  /// The names of all fields, in order.
  std::vector<std::string> names() const;

private:
  struct document;
  std::unique_ptr<const document> doc_;
};

} // namespace rahat::rest
