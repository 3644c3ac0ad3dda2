#include "gateways/http/text.hpp"
#include "gateways/rest/register_reader.hpp"

#include <array>
#include <boost/json.hpp>
#include <string>
#include <vector>

namespace rahat::rest {

namespace {

namespace json = boost::json;

error bad_file(std::string message) {
  return {errc::malformed_body, std::move(message), {}};
}

/// Turns the text of one JSON object into a row for the sink.
class object_rows {
public:
  object_rows(row_sink& rows, std::uint32_t max_rows) : rows_(rows), max_rows_(max_rows) {}

  std::uint32_t next_number() const { return number_ + 1; }
  std::uint32_t count() const { return number_; }

  file_error take(std::string_view text) {
    if (number_ == max_rows_)
      return too_many_rows(max_rows_);
    ++number_;
    texts_.clear();
    // A resource of its own a row: one that is used again asks for more each time.
    json::monotonic_resource arena(buffer_.data(), buffer_.size());
    parser_.reset(&arena);
    json::error_code failed;
    parser_.write(text.data(), text.size(), failed);
    if (!failed)
      parser_.finish(failed);
    if (failed)
      rows_.on_bad_row(number_, {"", "is not a JSON object in UTF-8: " + failed.message()});
    else if (auto value = parser_.release(); auto* fields = value.if_object())
      take_object(*fields);
    else
      rows_.on_bad_row(number_, {"", "is not a JSON object such as {\"external_ref\":\"HH-1\"}"});
    parser_.reset(); // lets go of the arena
    return std::nullopt;
  }

private:
  void take_object(const json::object& fields) {
    if (fields.size() > known_columns + max_extra_columns)
      return rows_.on_bad_row(number_, {"", "has more than 100 fields beyond those of a register"});
    row_.clear();
    texts_.reserve(fields.size()); // views into it must not move
    for (auto& field : fields) {
      std::string_view name(field.key().data(), field.key().size());
      auto text = text_of(field.value());
      if (!text || !is_name(name))
        return rows_.on_bad_row(
            number_, {is_name(name) ? std::string(name) : "",
                      text ? "has a field name that is empty, longer than 100 bytes or holds U+0000"
                           : "must be a text, a whole number, true, false or null"});
      if (auto known = column_named(name))
        row_[*known] = *text;
      else if (!text->empty())
        row_.extras.emplace_back(name, *text);
    }
    rows_.on_row(number_, row_);
  }

  static bool is_name(std::string_view name) {
    return !name.empty() && name.size() <= max_column_name_bytes &&
           name.find('\0') == std::string_view::npos;
  }

  /// A scalar as text; nothing for fractions and nested values.
  std::optional<std::string_view> text_of(const json::value& v) {
    switch (v.kind()) {
      case json::kind::null: return std::string_view{};
      case json::kind::string:
        return std::string_view(v.get_string().data(), v.get_string().size());
      case json::kind::bool_: return v.get_bool() ? "true" : "false";
      case json::kind::int64: return texts_.emplace_back(std::to_string(v.get_int64()));
      case json::kind::uint64: return texts_.emplace_back(std::to_string(v.get_uint64()));
      default: return std::nullopt;
    }
  }

  row_sink& rows_;
  std::uint32_t max_rows_;
  std::uint32_t number_ = 0;
  std::array<unsigned char, 16 * 1024> buffer_; // longer rows take from the heap
  json::stream_parser parser_{json::storage_ptr{}, json::parse_options{}};
  std::vector<std::string> texts_;
  raw_row row_;
};

/// One object a line; blank lines are skipped.
class ndjson final : public register_reader {
public:
  ndjson(row_sink& rows, std::uint32_t max_rows) : rows_(rows, max_rows) {}

  file_error read(std::string_view piece) override {
    piece = bom_.strip(piece);
    for (auto end = piece.find('\n'); end != std::string_view::npos; end = piece.find('\n')) {
      if (auto why = line(piece.substr(0, end)))
        return why;
      piece.remove_prefix(end + 1);
    }
    line_ += piece;
    if (line_.size() > max_row_bytes)
      return row_too_long(rows_.next_number());
    return std::nullopt;
  }

  file_error finish() override {
    if (auto why = line({}))
      return why;
    if (rows_.count() == 0)
      return bad_file("the file is empty: send one JSON object a line");
    return std::nullopt;
  }

private:
  file_error line(std::string_view rest) {
    auto text = rest;
    if (!line_.empty()) {
      line_ += rest;
      text = line_;
    }
    file_error why;
    if (text.size() > max_row_bytes)
      why = row_too_long(rows_.next_number());
    else if (auto content = http::trim(text); !content.empty())
      why = rows_.take(content);
    line_.clear();
    return why;
  }

  object_rows rows_;
  bom_filter bom_;
  std::string line_;
};

/// An array of objects. Finds where each object ends, knowing no more of JSON than strings and
/// braces; the object itself is then parsed strictly.
class json_array final : public register_reader {
public:
  json_array(row_sink& rows, std::uint32_t max_rows) : rows_(rows, max_rows) {}

  file_error read(std::string_view piece) override {
    for (char c : bom_.strip(piece))
      if (auto why = at_ == state::inside ? step_inside(c) : step_between(c))
        return why;
    return std::nullopt;
  }

  file_error finish() override {
    if (at_ == state::inside)
      return bad_file("the file ends inside row " + std::to_string(rows_.next_number()) +
                      ": it was cut off");
    if (at_ == state::start)
      return bad_file("the file is empty: send a JSON array of objects");
    if (at_ != state::end)
      return bad_file("the file ends after row " + std::to_string(rows_.count()) +
                      " without the closing ] of the array: it was cut off");
    if (rows_.count() == 0)
      return bad_file("the array has no rows");
    return std::nullopt;
  }

private:
  enum class state { start, first, inside, after, next, end };

  static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

  file_error step_between(char c) {
    if (is_blank(c))
      return std::nullopt;
    if (at_ == state::start && c == '[')
      at_ = state::first;
    else if ((at_ == state::first || at_ == state::next) && c == '{')
      return enter(c);
    else if ((at_ == state::first || at_ == state::after) && c == ']')
      at_ = state::end;
    else if (at_ == state::after && c == ',')
      at_ = state::next;
    else
      return bad_file(at_ == state::start
                          ? "the body must be a JSON array of objects: it begins with ["
                          : "after row " + std::to_string(rows_.count()) +
                                " the array goes on with something that is not an object");
    return std::nullopt;
  }

  file_error enter(char c) {
    at_ = state::inside;
    depth_ = 1;
    text_.assign(1, c);
    return std::nullopt;
  }

  file_error step_inside(char c) {
    text_ += c;
    if (text_.size() > max_row_bytes)
      return row_too_long(rows_.next_number());
    if (in_string_) {
      in_string_ = escaped_ || c != '"';
      escaped_ = !escaped_ && c == '\\';
      return std::nullopt;
    }
    if (c == '"')
      in_string_ = true;
    else if (c == '{')
      ++depth_;
    else if (c == '}' && --depth_ == 0) {
      at_ = state::after;
      return rows_.take(text_);
    }
    return std::nullopt;
  }

  object_rows rows_;
  bom_filter bom_;
  state at_ = state::start;
  std::string text_; // the object so far
  std::size_t depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
};

} // namespace

std::unique_ptr<register_reader> ndjson_reader(row_sink& rows, std::uint32_t max_rows) {
  return std::make_unique<ndjson>(rows, max_rows);
}

std::unique_ptr<register_reader> json_array_reader(row_sink& rows, std::uint32_t max_rows) {
  return std::make_unique<json_array>(rows, max_rows);
}

} // namespace rahat::rest
