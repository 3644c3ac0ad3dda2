#include "gateways/rest/view_fields.hpp"

#include <boost/json.hpp>

namespace rahat::rest {

namespace json = boost::json;

struct view_fields::document {
  json::value root;

  const json::value* find(std::string_view name) const {
    auto* fields = root.if_object();
    return fields ? fields->if_contains({name.data(), name.size()}) : nullptr;
  }

  const json::array* list(std::string_view name) const {
    auto* found = find(name);
    return found ? found->if_array() : nullptr;
  }
};

namespace {

std::int64_t as_number(const json::value& v) {
  return v.is_int64() ? v.get_int64() : 0;
}

} // namespace

view_fields::view_fields(std::string_view text) {
  json::error_code failed;
  auto doc = std::make_unique<document>();
  doc->root = json::parse({text.data(), text.size()}, failed);
  doc_ = std::move(doc);
}

view_fields::~view_fields() = default;

std::string view_fields::text(std::string_view name) const {
  auto* found = doc_->find(name);
  return found && found->is_string() ? std::string(found->get_string()) : "";
}

std::int64_t view_fields::number(std::string_view name) const {
  auto* found = doc_->find(name);
  return found ? as_number(*found) : 0;
}

bool view_fields::truth(std::string_view name) const {
  auto* found = doc_->find(name);
  return found && found->is_bool() && found->get_bool();
}

std::vector<std::int64_t> view_fields::numbers(std::string_view name) const {
  std::vector<std::int64_t> out;
  if (auto* list = doc_->list(name))
    for (auto& item : *list)
      out.push_back(as_number(item));
  return out;
}

std::vector<std::string> view_fields::texts(std::string_view name) const {
  std::vector<std::string> out;
  if (auto* list = doc_->list(name))
    for (auto& item : *list)
      out.push_back(item.is_string() ? std::string(item.get_string()) : "");
  return out;
}

std::vector<std::pair<std::int64_t, std::int64_t>> view_fields::ranges(
    std::string_view name) const {
  std::vector<std::pair<std::int64_t, std::int64_t>> out;
  if (auto* list = doc_->list(name))
    for (auto& item : *list)
      if (auto* pair = item.if_array(); pair && pair->size() == 2)
        out.emplace_back(as_number((*pair)[0]), as_number((*pair)[1]));
  return out;
}

std::vector<std::string> view_fields::names() const {
  std::vector<std::string> out;
  if (auto* fields = doc_->root.if_object())
    for (auto& field : *fields)
      out.emplace_back(field.key());
  return out;
}

} // namespace rahat::rest
