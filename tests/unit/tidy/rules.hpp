#pragma once

#include <string_view>
#include <vector>

/// The tables that the checks go by. Paths are from the root of the repository and mean a folder
/// when they end in "/".
namespace rahat::tidy {

/// Which files of the house a layer may include, besides those of its own folder.
struct layer {
  std::string_view folder;
  std::vector<std::string_view> may_see;
  std::string_view why;
};
const std::vector<layer>& layers();

/// Which folders may include a library; anywhere else it is forbidden.
struct library {
  std::vector<std::string_view> headers; // how the name between the brackets begins
  std::vector<std::string_view> folders;
  std::string_view why;
};
const std::vector<library>& libraries();

/// Files that may ask a clock or throw dice by themselves, each with the reason.
struct exception {
  std::string_view path;
  std::string_view reason;
};
const std::vector<exception>& clock_exceptions();

} // namespace rahat::tidy
