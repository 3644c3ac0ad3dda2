#include "tidy.hpp"

#include "rules.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <regex>
#include <sstream>

namespace rahat::tidy {

namespace {

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> out;
  std::istringstream in{std::string(text)};
  for (std::string line; std::getline(in, line);)
    out.push_back(line);
  return out;
}

// Characters, not bytes: a name in Devanagari is not a long line.
std::size_t columns(std::string_view line) {
  return static_cast<std::size_t>(std::count_if(line.begin(), line.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string folder_of(std::string_view path) {
  auto slash = path.rfind('/');
  return slash == std::string_view::npos ? "" : std::string(path.substr(0, slash + 1));
}

// "folder/", "path/of/file" or "folder/*.pb.h".
bool fits(std::string_view path, std::string_view pattern) {
  if (auto star = pattern.find('*'); star != std::string_view::npos)
    return path.starts_with(pattern.substr(0, star)) && path.ends_with(pattern.substr(star + 1));
  return pattern.ends_with('/') ? path.starts_with(pattern) : path == pattern;
}

bool fits_any(std::string_view path, const std::vector<std::string_view>& patterns) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](std::string_view pattern) { return fits(path, pattern); });
}

bool is_header(std::string_view path) {
  return path.ends_with(".hpp");
}
bool is_cpp(std::string_view path) {
  return path.ends_with(".cpp") || is_header(path);
}

// "config/load.hpp", or a file beside the one that includes it.
bool is_of_the_house(std::string_view name) {
  static const std::vector<std::string_view> rooms = {"actors/",  "apps/",        "bench/",
                                                      "config/",  "gateways/",    "persistence/",
                                                      "runtime/", "supervision/", "tests/"};
  return name.find('/') == std::string_view::npos || fits_any(name, rooms);
}

void check_house_include(const std::string& path, const std::string& seen, std::size_t line,
                         findings& out) {
  for (const auto& l : layers()) {
    if (!path.starts_with(l.folder))
      continue;
    auto folder = folder_of(seen);
    bool beside = folder.empty() || folder == folder_of(path);
    if (!beside && !fits_any(seen, l.may_see))
      out.push_back({path, line, "must not include " + seen + ": " + std::string(l.why)});
    return;
  }
}

// A decider computes: the standard library and Protobuf are all it needs.
bool is_plain_library(std::string_view name) {
  return name.starts_with("google/protobuf/") ||
         (name.find('/') == std::string_view::npos && name.find('.') == std::string_view::npos);
}

void check_library_include(const std::string& path, const std::string& seen, std::size_t line,
                           findings& out) {
  if (path.starts_with("actors/") && !is_plain_library(seen))
    out.push_back(
        {path, line, "must not include <" + seen + ">: " + std::string(layers().front().why)});
  for (const auto& lib : libraries()) {
    bool of_lib = std::any_of(lib.headers.begin(), lib.headers.end(),
                              [&](std::string_view begin) { return seen.starts_with(begin); });
    if (of_lib && !fits_any(path, lib.folders))
      out.push_back({path, line, "must not include <" + seen + ">: " + std::string(lib.why)});
  }
  if (seen.starts_with("caf/") && path.starts_with("gateways/") && is_header(path))
    out.push_back({path, line,
                   "must not include <" + seen +
                       "> in a header: a gateway's CAF stays "
                       "in its .cpp files"});
}

} // namespace

std::string finding::str() const {
  return path + (line ? ":" + std::to_string(line) : "") + ": " + message;
}

findings check_layout(const std::string& path, std::string_view text) {
  // Written apart, so that this file passes its own test.
  static const std::regex mark(
      "\\b(TO"
      "DO|FIX"
      "ME|XX"
      "X)\\b");
  findings out;
  auto lines = lines_of(text);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (columns(lines[i]) > max_line_columns)
      out.push_back({path, i + 1, "is longer than 100 columns"});
    if (std::regex_search(lines[i], mark))
      out.push_back({path, i + 1, "holds a mark of unfinished work: do it or write an issue"});
    if (lines[i].find('\t') != std::string::npos)
      out.push_back({path, i + 1, "holds a tab"});
    if (!lines[i].empty() && std::isspace(static_cast<unsigned char>(lines[i].back())))
      out.push_back({path, i + 1, "ends in a blank"});
  }
  if (lines.size() > max_file_lines)
    out.push_back({path, 0, "has " + std::to_string(lines.size()) + " lines: more than 600"});
  if (!text.empty() && text.back() != '\n')
    out.push_back({path, 0, "does not end with a newline"});
  if (is_header(path) && text.find("#pragma once\n") == std::string_view::npos)
    out.push_back({path, 0, "is a header without #pragma once"});
  return out;
}

findings check_includes(const std::string& path, std::string_view text) {
  static const std::regex include(R"re(^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>))re");
  findings out;
  auto lines = lines_of(text);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    std::smatch found;
    if (!std::regex_search(lines[i], found, include))
      continue;
    // A library in quotes is a library all the same.
    auto seen = found[1].matched ? found[1].str() : found[2].str();
    if (found[1].matched && is_of_the_house(seen))
      check_house_include(path, seen, i + 1, out);
    else
      check_library_include(path, seen, i + 1, out);
  }
  return out;
}

findings check_ports(const std::string& path, std::string_view text) {
  static const std::regex call(
      R"(\b(system_clock|steady_clock|high_resolution_clock)\s*::\s*now\b|\brandom_device\b)"
      R"(|\b(clock_gettime|gettimeofday)\s*\(|(^|[^\w.>])(std::)?s?rand\s*\()"
      R"(|(^|[^\w.>])(std::|::)?time\s*\(\s*(nullptr|NULL|0|&))");
  findings out;
  if (!is_cpp(path))
    return out;
  for (const auto& e : clock_exceptions())
    if (fits(path, e.path))
      return out;
  auto lines = lines_of(code_of(text));
  for (std::size_t i = 0; i < lines.size(); ++i)
    if (std::regex_search(lines[i], call))
      out.push_back({path, i + 1,
                     "asks a clock or throws dice by itself: use the port in runtime/ports, or add "
                     "the file with a reason to clock_exceptions()"});
  return out;
}

bool is_built(const std::string& path, const std::vector<cmake_file>& lists) {
  static const std::regex glob(R"(GLOB(?:_RECURSE)?\s[^)]*?([\w./*]*\*\.(?:cpp|proto)))");
  for (const auto& list : lists) {
    auto prefix = list.folder.empty() ? "" : list.folder + "/";
    if (!path.starts_with(prefix))
      continue;
    auto relative = path.substr(prefix.size());
    for (auto at = list.text.find(relative); at != std::string::npos;
         at = list.text.find(relative, at + 1)) {
      auto is_word = [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '/' ||
               c == '-';
      };
      auto end = at + relative.size();
      // "${CMAKE_CURRENT_SOURCE_DIR}/x.cpp" names x.cpp, "y/x.cpp" does not.
      bool begins = at == 0 || !is_word(list.text[at - 1]) ||
                    (at >= 2 && list.text[at - 1] == '/' && list.text[at - 2] == '}');
      if (begins && (end == list.text.size() || !is_word(list.text[end])))
        return true;
    }
    std::smatch found;
    if (relative.find('/') == std::string::npos && std::regex_search(list.text, found, glob) &&
        path.ends_with(found[1].str().substr(found[1].str().rfind('.'))))
      return true;
  }
  return false;
}

} // namespace rahat::tidy
