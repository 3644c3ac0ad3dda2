#include "tidy.hpp"

#include <cctype>
#include <regex>

namespace rahat::tidy {

namespace {

// Blanks from `from` up to `to`, newlines kept.
void blank(std::string& out, std::size_t from, std::size_t to) {
  for (auto i = from; i < to && i < out.size(); ++i)
    if (out[i] != '\n')
      out[i] = ' ';
}

// The end of R"tag(...)tag" whose opening quote stands at `quote`.
std::size_t end_of_raw(std::string_view text, std::size_t quote) {
  auto open = text.find('(', quote);
  if (open == std::string_view::npos)
    return text.size();
  auto close = ")" + std::string(text.substr(quote + 1, open - quote - 1)) + "\"";
  auto end = text.find(close, open);
  return end == std::string_view::npos ? text.size() : end + close.size();
}

std::size_t end_of_literal(std::string_view text, std::size_t open) {
  for (auto i = open + 1; i < text.size(); ++i) {
    if (text[i] == '\\')
      ++i;
    else if (text[i] == text[open] || text[i] == '\n')
      return i + 1;
  }
  return text.size();
}

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
}

// What stands before a `{` tells what it opens.
enum class block { container, function, other };

block kind_of(const std::string& before) {
  static const std::regex container(R"(\b(namespace|class|struct|union|enum|extern)\b)");
  static const std::regex control(R"(^\s*(if|for|while|switch|catch|do|else|try|return)\b)");
  auto parenthesis = before.find('(');
  std::smatch found;
  if (std::regex_search(before, found, container) &&
      (parenthesis == std::string::npos ||
       static_cast<std::size_t>(found.position()) < parenthesis) &&
      before.find(')') == std::string::npos)
    return block::container;
  if (parenthesis == std::string::npos || std::regex_search(before, control))
    return block::other;
  return block::function;
}

std::string name_of(const std::string& before) {
  static const std::regex name(R"(([\w:~]+(?:\s*operator\s*\S+)?)\s*\()");
  std::smatch found;
  return std::regex_search(before, found, name) ? found[1].str() : "a function";
}

} // namespace

std::string code_of(std::string_view text) {
  std::string out(text);
  for (std::size_t i = 0; i < text.size();) {
    auto rest = text.substr(i);
    std::size_t end = i + 1;
    if (rest.starts_with("//")) {
      end = std::min(text.find('\n', i), text.size());
      blank(out, i, end);
    } else if (rest.starts_with("/*")) {
      auto close = text.find("*/", i + 2);
      end = close == std::string_view::npos ? text.size() : close + 2;
      blank(out, i, end);
    } else if (text[i] == '"') {
      bool raw = i > 0 && text[i - 1] == 'R' && (i < 2 || !is_word(text[i - 2]));
      end = raw ? end_of_raw(text, i) : end_of_literal(text, i);
      blank(out, i + 1, end - 1);
    } else if (text[i] == '\'' && (i == 0 || !is_word(text[i - 1]))) { // 1'000 is a number
      end = end_of_literal(text, i);
      blank(out, i + 1, end - 1);
    }
    i = end;
  }
  return out;
}

std::vector<function_length> functions_of(std::string_view text) {
  std::vector<function_length> out;
  std::vector<block> open;
  std::size_t inside = 0; // depth at which the current function's body began, 0 = in none
  std::string before;
  std::size_t line = 1;
  std::size_t head_line = 1;
  bool at_line_start = true;
  bool directive = false;
  for (char c : code_of(text)) {
    if (c == '\n') {
      ++line;
      at_line_start = true;
      directive = false;
      before += ' ';
      continue;
    }
    directive = directive || (at_line_start && c == '#');
    at_line_start = at_line_start && c == ' ';
    if (directive)
      continue;
    if (c == '{') {
      auto what = kind_of(before);
      open.push_back(what);
      if (what == block::function && inside == 0) {
        inside = open.size();
        out.push_back({head_line, 0, name_of(before)});
      }
      before.clear();
    } else if (c == '}') {
      if (inside == open.size() && inside > 0) {
        out.back().lines = line - out.back().line + 1;
        inside = 0;
      }
      if (!open.empty())
        open.pop_back();
      before.clear();
    } else if (c == ';') {
      before.clear();
    } else {
      if (c != ' ' && before.find_first_not_of(' ') == std::string::npos)
        head_line = line;
      before += c;
    }
  }
  return out;
}

} // namespace rahat::tidy
