#include "gateways/http/json_body.hpp"

#include "gateways/http/text.hpp"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/value.hpp>
#include <boost/json/value_stack.hpp>

namespace rahat::http {

namespace {

namespace json = boost::json;
using error_code = json::error_code;
using text = json::string_view;

/// Builds a value as the parser goes and notes what a value can no longer tell: that a key stood
/// twice, and where a U+0000 was.
class builder {
public:
  static constexpr std::size_t max_object_size = max_json_fields;
  static constexpr std::size_t max_array_size = max_json_elements;
  static constexpr std::size_t max_key_size = max_json_key_bytes;
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);

  explicit builder(json::storage_ptr memory) { values_.reset(std::move(memory)); }

  json::value take() { return values_.release(); }

  std::optional<error> wrong;

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }

  bool on_object_begin(error_code&) {
    starts_.push_back(keys_.size());
    return true;
  }

  bool on_object_end(std::size_t n, error_code& ec) {
    auto first = keys_.begin() + static_cast<std::ptrdiff_t>(starts_.back());
    std::sort(first, keys_.end());
    auto twice = std::adjacent_find(first, keys_.end());
    if (twice != keys_.end())
      return fail(errc::invalid_input, "this field stands twice in one object", *twice, ec);
    keys_.erase(first, keys_.end());
    starts_.pop_back();
    values_.push_object(n);
    return true;
  }

  bool on_array_begin(error_code&) { return true; }

  bool on_array_end(std::size_t n, error_code&) {
    values_.push_array(n);
    return true;
  }

  bool on_key_part(text part, std::size_t, error_code&) {
    values_.push_chars(part);
    key_.append(part.data(), part.size());
    return true;
  }

  bool on_key(text part, std::size_t, error_code& ec) {
    key_.append(part.data(), part.size());
    values_.push_key(part);
    last_key_ = keys_.emplace_back(std::move(key_));
    key_.clear();
    return !holds_nul(last_key_, ec);
  }

  bool on_string_part(text part, std::size_t, error_code& ec) {
    values_.push_chars(part);
    return !holds_nul({part.data(), part.size()}, ec);
  }

  bool on_string(text part, std::size_t, error_code& ec) {
    values_.push_string(part);
    return !holds_nul({part.data(), part.size()}, ec);
  }

  bool on_number_part(text, error_code&) { return true; }

  bool on_int64(std::int64_t n, text, error_code&) {
    values_.push_int64(n);
    return true;
  }

  bool on_uint64(std::uint64_t n, text, error_code&) {
    values_.push_uint64(n);
    return true;
  }

  bool on_double(double n, text, error_code&) {
    values_.push_double(n);
    return true;
  }

  bool on_bool(bool b, error_code&) {
    values_.push_bool(b);
    return true;
  }

  bool on_null(error_code&) {
    values_.push_null();
    return true;
  }

  bool on_comment_part(text, error_code&) { return true; }
  bool on_comment(text, error_code&) { return true; }

private:
  bool fail(errc code, std::string message, std::string field, error_code& ec) {
    wrong = error{code, std::move(message), std::move(field)};
    ec = json::make_error_code(json::error::syntax);
    return false;
  }

  bool holds_nul(std::string_view s, error_code& ec) {
    if (s.find('\0') == std::string_view::npos)
      return false;
    auto field = last_key_.substr(0, last_key_.find('\0'));
    return !fail(errc::invalid_input, "the character U+0000 is not allowed", std::move(field), ec);
  }

  json::value_stack values_;
  std::vector<std::string> keys_;   // of all open objects, one after the other
  std::vector<std::size_t> starts_; // where each open object's keys begin
  std::string key_;                 // a key that arrives in parts
  std::string last_key_;
};

std::string range_text(std::int64_t min, std::int64_t max) {
  constexpr auto lowest = std::numeric_limits<std::int64_t>::min();
  constexpr auto highest = std::numeric_limits<std::int64_t>::max();
  if (min == lowest && max == highest)
    return "must be a whole number that fits 64 bits";
  return "must be a whole number from " + std::to_string(min) + " to " + std::to_string(max);
}

std::string list_text(std::initializer_list<std::string_view> items) {
  std::string out;
  for (auto item : items) {
    if (!out.empty())
      out += ", ";
    out += item;
  }
  return out;
}

error malformed(const error_code& ec) {
  if (ec == json::error::too_deep)
    return {errc::malformed_body,
            "the JSON is nested deeper than " + std::to_string(max_json_depth) + " levels",
            {}};
  if (ec == json::error::object_too_large || ec == json::error::array_too_large ||
      ec == json::error::key_too_large)
    return {errc::malformed_body, "the JSON has too many or too long names or elements", {}};
  return {errc::malformed_body, "the body is not valid JSON: " + ec.message(), {}};
}

} // namespace

struct json_reader::document {
  unsigned char first_bytes[2048];
  json::monotonic_resource memory{first_bytes, sizeof(first_bytes)};
  json::value root = json::value(json::storage_ptr(&memory));
  std::optional<error> wrong;

  void parse(std::string_view body) {
    json::parse_options options;
    options.max_depth = max_json_depth;
    json::basic_parser<builder> parser(options, json::storage_ptr(&memory));
    error_code ec;
    auto used = parser.write_some(false, body.data(), body.size(), ec);
    if (parser.handler().wrong)
      wrong = std::move(parser.handler().wrong);
    else if (body.find_first_not_of(" \t\r\n") == std::string_view::npos)
      wrong = error{errc::malformed_body, "the body is empty: send a JSON object", {}};
    else if (ec)
      wrong = malformed(ec);
    else if (used < body.size())
      wrong = error{errc::malformed_body, "there is text behind the end of the JSON", {}};
    else
      root = parser.handler().take();
    if (!wrong && !root.is_object())
      wrong = error{errc::malformed_body, "the body must be a JSON object", {}};
  }
};

json_reader::json_reader(std::string_view body) : doc_(std::make_shared<document>()) {
  doc_->parse(body);
  if (!doc_->wrong)
    fields_ = &doc_->root.get_object();
}

json_reader::json_reader(std::shared_ptr<document> doc, const json::object* fields,
                         std::string prefix)
    : doc_(std::move(doc)), fields_(fields), prefix_(std::move(prefix)) {}

json_reader::~json_reader() = default;
json_reader::json_reader(json_reader&&) noexcept = default;

void json_reader::reject(std::string_view name, std::string_view why) {
  if (doc_->wrong)
    return;
  auto field = prefix_ + std::string(name);
  doc_->wrong = error{errc::invalid_input, field + " " + std::string(why), field};
}

bool json_reader::has(std::string_view name) const {
  if (fields_ == nullptr)
    return false;
  auto* v = fields_->if_contains({name.data(), name.size()});
  return v != nullptr && !v->is_null();
}

/// The field's value; nullptr when it is absent or null, or when an error stands already.
const json::value* json_reader::find(std::string_view name) {
  asked_.emplace_back(name);
  if (fields_ == nullptr || doc_->wrong)
    return nullptr;
  auto* v = fields_->if_contains({name.data(), name.size()});
  return v == nullptr || v->is_null() ? nullptr : v;
}

const json::value* json_reader::need(std::string_view name) {
  auto* v = find(name);
  if (v == nullptr)
    reject(name, "is missing");
  return v;
}

std::string json_reader::as_string(const json::value& v, std::string_view name,
                                   std::size_t max_bytes, std::size_t min_bytes) {
  if (!v.is_string()) {
    reject(name, "must be a text");
    return {};
  }
  auto& s = v.get_string();
  if (s.size() < min_bytes)
    reject(name, s.empty() ? "must not be empty" : "is too short");
  else if (s.size() > max_bytes)
    reject(name, "may have at most " + std::to_string(max_bytes) + " bytes");
  else
    return {s.data(), s.size()};
  return {};
}

std::int64_t json_reader::as_int64(const json::value& v, std::string_view name, std::int64_t min,
                                   std::int64_t max) {
  if (v.is_int64() && v.get_int64() >= min && v.get_int64() <= max)
    return v.get_int64();
  // What fits int64 arrives as int64: uint64 is beyond it, a double has a fraction or is beyond.
  reject(name, range_text(min, max));
  return min > 0 ? min : 0;
}

std::string json_reader::as_one_of(const json::value& v, std::string_view name,
                                   std::initializer_list<std::string_view> allowed) {
  auto given = v.is_string() ? std::string_view(v.get_string().data(), v.get_string().size())
                             : std::string_view{};
  if (std::find(allowed.begin(), allowed.end(), given) != allowed.end())
    return std::string(given);
  reject(name, "must be one of: " + list_text(allowed));
  return {};
}

void json_reader::as_object(const json::value& v, std::string name,
                            const std::function<void(json_reader&)>& read) {
  if (!v.is_object()) {
    reject(name, "must be an object");
    return;
  }
  json_reader inner(doc_, &v.get_object(), prefix_ + name + ".");
  read(inner);
  if (auto wrong = inner.finish())
    doc_->wrong = std::move(wrong);
}

std::string json_reader::require_string(std::string_view name, std::size_t max_bytes,
                                        std::size_t min_bytes) {
  auto* v = need(name);
  return v == nullptr ? std::string{} : as_string(*v, name, max_bytes, min_bytes);
}

std::optional<std::string> json_reader::optional_string(std::string_view name,
                                                        std::size_t max_bytes,
                                                        std::size_t min_bytes) {
  auto* v = find(name);
  if (v == nullptr)
    return std::nullopt;
  return as_string(*v, name, max_bytes, min_bytes);
}

std::string json_reader::require_one_of(std::string_view name,
                                        std::initializer_list<std::string_view> allowed) {
  auto* v = need(name);
  return v == nullptr ? std::string{} : as_one_of(*v, name, allowed);
}

std::optional<std::string> json_reader::optional_one_of(
    std::string_view name, std::initializer_list<std::string_view> allowed) {
  auto* v = find(name);
  if (v == nullptr)
    return std::nullopt;
  return as_one_of(*v, name, allowed);
}

std::int64_t json_reader::require_int64(std::string_view name, std::int64_t min, std::int64_t max) {
  auto* v = need(name);
  return v == nullptr ? 0 : as_int64(*v, name, min, max);
}

std::optional<std::int64_t> json_reader::optional_int64(std::string_view name, std::int64_t min,
                                                        std::int64_t max) {
  auto* v = find(name);
  if (v == nullptr)
    return std::nullopt;
  return as_int64(*v, name, min, max);
}

std::int64_t json_reader::require_amount(std::string_view name) {
  return require_int64(name, 1);
}

std::optional<std::int64_t> json_reader::optional_amount(std::string_view name) {
  return optional_int64(name, 1);
}

std::string json_reader::require_currency(std::string_view name) {
  auto* v = need(name);
  if (v == nullptr)
    return {};
  auto code = v->is_string() ? std::string(v->get_string().data(), v->get_string().size()) : "";
  auto upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  if (code.size() == 3 && std::all_of(code.begin(), code.end(), upper))
    return code;
  reject(name, "must be a currency code of three capital letters, e.g. NPR");
  return {};
}

bool json_reader::optional_bool(std::string_view name, bool otherwise) {
  auto* v = find(name);
  if (v == nullptr)
    return otherwise;
  if (v->is_bool())
    return v->get_bool();
  reject(name, "must be true or false");
  return otherwise;
}

const json::value* json_reader::array_of(std::string_view name, std::size_t max_items) {
  auto* v = find(name);
  if (v == nullptr)
    return nullptr;
  if (v->is_array() && v->get_array().size() <= max_items)
    return v;
  reject(name, "must be a list of at most " + std::to_string(max_items) + " items");
  return nullptr;
}

std::vector<std::string> json_reader::optional_strings(std::string_view name, std::size_t max_items,
                                                       std::size_t max_bytes) {
  std::vector<std::string> out;
  if (auto* list = array_of(name, max_items))
    for (auto& item : list->get_array())
      out.push_back(as_string(item, std::string(name) + "[" + std::to_string(out.size()) + "]",
                              max_bytes, 1));
  return out;
}

std::vector<std::pair<std::string, std::string>> json_reader::optional_string_map(
    std::string_view name, std::size_t max_items, std::size_t max_bytes) {
  std::vector<std::pair<std::string, std::string>> out;
  auto* v = find(name);
  if (v == nullptr)
    return out;
  if (!v->is_object() || v->get_object().size() > max_items) {
    reject(name, "must be an object with at most " + std::to_string(max_items) + " fields");
    return out;
  }
  for (auto& field : v->get_object()) {
    std::string key(field.key().data(), field.key().size());
    auto value = as_string(field.value(), std::string(name) + "." + key, max_bytes, 0);
    out.emplace_back(std::move(key), std::move(value));
  }
  return out;
}

bool json_reader::optional_object(std::string_view name,
                                  const std::function<void(json_reader&)>& read) {
  auto* v = find(name);
  if (v != nullptr)
    as_object(*v, std::string(name), read);
  return v != nullptr;
}

void json_reader::require_object(std::string_view name,
                                 const std::function<void(json_reader&)>& read) {
  if (auto* v = need(name))
    as_object(*v, std::string(name), read);
}

void json_reader::optional_objects(std::string_view name, std::size_t max_items,
                                   const std::function<void(json_reader&)>& read) {
  auto* list = array_of(name, max_items);
  if (list == nullptr)
    return;
  std::size_t i = 0;
  for (auto& item : list->get_array()) {
    if (doc_->wrong)
      return;
    as_object(item, std::string(name) + "[" + std::to_string(i++) + "]", read);
  }
}

std::optional<error> json_reader::finish() {
  if (doc_->wrong || fields_ == nullptr)
    return doc_->wrong;
  for (auto& field : *fields_) {
    std::string_view key(field.key().data(), field.key().size());
    if (std::find(asked_.begin(), asked_.end(), key) != asked_.end())
      continue;
    std::string known;
    for (auto& name : asked_)
      known += (known.empty() ? "" : ", ") + name;
    reject(key, known.empty() ? "is not known here: no fields are taken"
                              : "is not known here; known are: " + known);
    break;
  }
  return doc_->wrong;
}

} // namespace rahat::http
