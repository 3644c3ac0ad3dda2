#include "config/sources.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <limits>
#include <optional>

namespace rahat::config_detail {

namespace {

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t value = 0;
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc{} || end != text.data() + text.size())
    return std::nullopt;
  return value;
}

// "16KiB" -> 16384. Only binary units: 1 MB means two things to two people.
std::optional<std::int64_t> byte_count(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, std::int64_t>, 3> units = {
      {{"KiB", 1LL << 10}, {"MiB", 1LL << 20}, {"GiB", 1LL << 30}}};
  for (auto [suffix, factor] : units) {
    if (!text.ends_with(suffix))
      continue;
    text.remove_suffix(suffix.size());
    while (text.ends_with(' '))
      text.remove_suffix(1);
    auto count = whole_number(text);
    if (!count || *count < 0 || *count > std::numeric_limits<std::int64_t>::max() / factor)
      return std::nullopt;
    return *count * factor;
  }
  return whole_number(text);
}

std::optional<std::int64_t> integer_of(const written& w) {
  if (auto number = std::get_if<std::int64_t>(&w.value))
    return *number;
  auto text = std::get_if<std::string>(&w.value);
  if (!text)
    return std::nullopt;
  if (w.row->unit == "bytes")
    return byte_count(*text);
  // In the file, a number in quotes is a mistake; the environment and flags know only texts.
  return w.from == source::file ? std::nullopt : whole_number(*text);
}

std::optional<bool> flag_of(const written& w) {
  if (auto flag = std::get_if<bool>(&w.value))
    return *flag;
  auto text = std::get_if<std::string>(&w.value);
  if (!text || w.from == source::file || (*text != "true" && *text != "false"))
    return std::nullopt;
  return *text == "true";
}

std::string bounds_of(const setting& row) {
  std::string text = "must be a whole number from " + std::to_string(row.least) + " to " +
                     std::to_string(row.most);
  if (row.unit == "bytes")
    text += " bytes, or such as \"16MiB\"";
  else if (!row.unit.empty() && row.unit != "port")
    text += " (" + std::string(row.unit) + ")";
  return text;
}

// True for a connection URL or string that carries a password.
bool has_password(std::string_view url) {
  if (url.find("password=") != std::string_view::npos)
    return true;
  auto scheme = url.find("://");
  if (scheme == std::string_view::npos)
    return false;
  auto authority = url.substr(scheme + 3);
  authority = authority.substr(0, authority.find_first_of("/?"));
  auto at = authority.rfind('@');
  return at != std::string_view::npos &&
         authority.substr(0, at).find(':') != std::string_view::npos;
}

// The text a reference stands for. Throws nothing; `fault` says what is wrong.
std::string read_secret_file(const std::string& path, std::string& fault) {
  if (!path.starts_with('/')) {
    fault = "the path after file: must be absolute, such as file:/etc/rahat/secret";
    return "";
  }
  auto content = read_text(path);
  if (!content) {
    fault = "cannot read a secret from " + path + ": " + std::strerror(errno);
    return "";
  }
  auto text = std::move(*content);
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r'))
    text.pop_back();
  if (text.empty())
    fault = "the secret's file " + path + " is empty";
  return fault.empty() ? text : "";
}

std::string resolve_secret(const written& w, const std::string& text, const environment& env,
                           std::string& fault) {
  if (text.starts_with("file:"))
    return read_secret_file(text.substr(5), fault);
  if (text.starts_with("env:")) {
    auto found = env.find(text.substr(4));
    if (found != env.end() && !found->second.empty())
      return found->second;
    fault = "refers to the environment variable " + text.substr(4) + ", which is not set";
    return "";
  }
  bool is_url = w.row->section() == "database";
  bool confidential = is_url ? has_password(text) : !text.empty();
  // The environment is a private place; the file gets copied about, flags are seen by `ps`.
  if (confidential && w.from != source::environment)
    fault = std::string("a secret must not stand ") +
            (w.from == source::file ? "in the file" : "on the command line") +
            ": put it into a file of mode 0600 and write \"file:/path/to/it\", or into an "
            "environment variable and write \"env:NAME\"";
  return text;
}

std::string list_of(const std::vector<std::string_view>& choices) {
  std::string list;
  for (auto choice : choices)
    list += (list.empty() ? "" : ", ") + std::string(choice);
  return list;
}

// Each of these returns what is wrong, or "".
std::string assign_integer(const written& w, std::int64_t& into) {
  auto value = integer_of(w);
  if (!value || *value < w.row->least || *value > w.row->most)
    return bounds_of(*w.row);
  into = *value;
  return "";
}

std::string assign_flag(const written& w, bool& into) {
  auto value = flag_of(w);
  if (!value)
    return "must be true or false";
  into = *value;
  return "";
}

std::string assign_secret(const written& w, const std::string& text, const environment& env,
                          secret& into) {
  std::string fault;
  into = secret(resolve_secret(w, text, env, fault));
  return fault;
}

std::string assign_text(const written& w, const std::string& text, std::string& into) {
  const auto& choices = w.row->choices;
  if (!choices.empty() && std::find(choices.begin(), choices.end(), text) == choices.end())
    return "must be one of " + list_of(choices);
  if (text.empty() && w.row->when_empty.empty())
    return "must not be empty";
  into = text;
  return "";
}

std::string try_assign(const written& w, const environment& env, config& into) {
  const auto& at = w.row->at;
  if (auto integer = std::get_if<integer_slot>(&at))
    return assign_integer(w, (*integer)(into));
  if (auto flag = std::get_if<flag_slot>(&at))
    return assign_flag(w, (*flag)(into));
  auto text = std::get_if<std::string>(&w.value);
  if (!text)
    return "must be a text in quotes";
  if (text->find('\0') != std::string::npos)
    return "must not contain a zero byte";
  if (auto confidential = std::get_if<secret_slot>(&at))
    return assign_secret(w, *text, env, (*confidential)(into));
  return assign_text(w, *text, std::get<text_slot>(at)(into));
}

} // namespace

void assign(const written& w, const environment& env, config& into,
            std::vector<config_error>& errors) {
  auto fault = try_assign(w, env, into);
  if (!fault.empty())
    errors.push_back({w.where, std::string(w.row->name), fault});
}

} // namespace rahat::config_detail
