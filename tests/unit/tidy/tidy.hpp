#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

/// Style as a test: what every file of the repository has to keep to. The rules are tables in
/// rules.cpp; each check takes a file's path from the root and its text, so that it can be tried on
/// a few lines.
namespace rahat::tidy {

inline constexpr std::size_t max_line_columns = 100;
inline constexpr std::size_t max_file_lines = 600;
inline constexpr std::size_t listed_function_lines = 70; // longer ones are listed
inline constexpr std::size_t max_function_lines = 100;   // longer ones fail

struct finding {
  std::string path;
  std::size_t line = 0; // 0 = the whole file
  std::string message;

  std::string str() const;
};

using findings = std::vector<finding>;

/// The text with comments and the contents of literals blanked out, line for line.
std::string code_of(std::string_view text);

findings check_layout(const std::string& path, std::string_view text);   // lines, length, marks
findings check_includes(const std::string& path, std::string_view text); // who may see whom
findings check_ports(const std::string& path, std::string_view text);    // clocks and dice

struct function_length {
  std::size_t line = 0; // where it begins
  std::size_t lines = 0;
  std::string name;
};

/// Every outermost function body of C++ code, in order; lambdas and local classes count as part of
/// the function that they stand in.
std::vector<function_length> functions_of(std::string_view text);

/// A source file is alive if a CMakeLists.txt in its folder or above names it, or globs it.
struct cmake_file {
  std::string folder; // from the root, "" for the root itself
  std::string text;
};
bool is_built(const std::string& path, const std::vector<cmake_file>& lists);

} // namespace rahat::tidy
