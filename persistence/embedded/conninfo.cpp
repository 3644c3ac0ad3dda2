#include "persistence/embedded/conninfo.hpp"

#include <libpq-fe.h>
#include <memory>
#include <stdexcept>

namespace rahat {

conninfo_fields parse_conninfo(std::string_view text) {
  char* raw_message = nullptr;
  std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options{
      PQconninfoParse(std::string{text}.c_str(), &raw_message), &PQconninfoFree};
  std::unique_ptr<char, decltype(&PQfreemem)> message{raw_message, &PQfreemem};
  if (options == nullptr) {
    // libpq's sentence may quote the text, and the text may hold a password.
    throw std::invalid_argument{
        "this is not a Postgres connection string; write "
        "postgresql://user:password@host:port/database or host=... port=... dbname=... user=... "
        "password=..."};
  }
  conninfo_fields fields;
  for (auto* option = options.get(); option->keyword != nullptr; ++option)
    if (option->val != nullptr)
      fields[option->keyword] = option->val;
  return fields;
}

std::string conninfo(const conninfo_fields& fields) {
  std::string text;
  for (const auto& [key, value] : fields) {
    if (!text.empty())
      text += ' ';
    text += key + "='";
    for (char c : value) {
      if (c == '\'' || c == '\\')
        text += '\\';
      text += c;
    }
    text += '\'';
  }
  return text;
}

std::string with_field(std::string_view text, const std::string& key, const std::string& value) {
  auto fields = parse_conninfo(text);
  fields[key] = value;
  return conninfo(fields);
}

std::string with_keepalives(std::string_view text, int tcp_timeout_ms) {
  auto fields = parse_conninfo(text);
  fields.try_emplace("connect_timeout", "2");
  fields.try_emplace("tcp_user_timeout", std::to_string(tcp_timeout_ms));
  fields.try_emplace("keepalives_idle", "2");
  fields.try_emplace("keepalives_interval", "1");
  fields.try_emplace("keepalives_count", "3");
  return conninfo(fields);
}

} // namespace rahat
