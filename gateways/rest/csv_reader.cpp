#include "gateways/http/text.hpp"
#include "gateways/rest/register_reader.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace rahat::rest {

namespace {

constexpr std::size_t max_columns = known_columns + max_extra_columns;

error bad_file(std::string message, std::string field = {}) {
  return {errc::malformed_body, std::move(message), std::move(field)};
}

/// RFC 4180, with LF or CR alone as line ends too. Bytes run through a small automaton, so it does
/// not matter where pieces are cut.
class csv final : public register_reader {
public:
  csv(row_sink& rows, std::uint32_t max_rows) : rows_(rows), max_rows_(max_rows) {}

  file_error read(std::string_view piece) override {
    for (char c : bom_.strip(piece)) {
      if (!step(c))
        return failed_;
      if (text_.size() > max_row_bytes)
        return row_too_long(number_ + 1);
    }
    return std::nullopt;
  }

  file_error finish() override {
    if (at_ == state::quoted)
      return bad_file("the file ends inside a quoted field of row " + std::to_string(number_ + 1) +
                      ": it was cut off, or a closing quote is missing");
    if (!ends_.empty() || !text_.empty() || at_ == state::quote_seen) {
      end_cell();
      if (!end_record())
        return failed_;
    }
    if (columns_.empty())
      return bad_file(
          "the file is empty: the first line names the columns, external_ref among them");
    if (number_ == 0)
      return bad_file("the file has a heading line but no rows");
    return std::nullopt;
  }

private:
  enum class state { cell_start, plain, quoted, quote_seen };

  /// Where a column's cells go.
  struct target {
    std::optional<column> known;
    std::string name;
  };

  /// False when the file cannot be read on.
  bool step(char c) {
    auto after_cr = std::exchange(after_cr_, false);
    switch (at_) {
      case state::quoted:
        if (c == '"')
          at_ = state::quote_seen;
        else
          text_ += c;
        return true;
      case state::cell_start:
        if (c == '"') {
          at_ = state::quoted;
          return true;
        }
        if (c == '\n' && after_cr)
          return true; // the second half of CR LF
        break;
      case state::quote_seen:
        if (c == '"') {
          text_ += c;
          at_ = state::quoted;
          return true;
        }
        if (c == ' ')
          return true;
        if (c != ',' && c != '\n' && c != '\r') {
          text_after_quote_ = true;
          at_ = state::plain;
        }
        break;
      case state::plain: break;
    }
    if (c == ',') {
      end_cell();
      return true;
    }
    if (c == '\n' || c == '\r') {
      after_cr_ = c == '\r';
      end_cell();
      return end_record();
    }
    if (at_ == state::cell_start)
      at_ = state::plain;
    text_ += c;
    return true;
  }

  void end_cell() {
    if (ends_.size() <= max_columns) // one more than allowed tells that there are too many
      ends_.push_back(text_.size());
    at_ = state::cell_start;
  }

  bool end_record() {
    auto blank = text_.empty() && ends_.size() == 1;
    auto good = blank || (columns_.empty() ? take_header() : take_row());
    text_.clear();
    ends_.clear();
    text_after_quote_ = false;
    return good;
  }

  std::string_view cell(std::size_t i) const {
    auto from = i == 0 ? 0 : ends_[i - 1];
    return std::string_view(text_).substr(from, ends_[i] - from);
  }

  bool take_row() {
    if (number_ == max_rows_)
      return fail(too_many_rows(max_rows_));
    ++number_;
    if (text_after_quote_) {
      rows_.on_bad_row(number_, {"",
                                 "has text after a closing quote: double the quotes inside a "
                                 "quoted field"});
      return true;
    }
    if (ends_.size() != columns_.size()) {
      rows_.on_bad_row(
          number_, {"", "has " + std::to_string(ends_.size()) + " fields, the heading line has " +
                            std::to_string(columns_.size()) + ": quote fields that hold a comma"});
      return true;
    }
    row_.clear();
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      auto& to = columns_[i];
      if (to.known)
        row_[*to.known] = cell(i);
      else if (!cell(i).empty())
        row_.extras.emplace_back(to.name, cell(i));
    }
    rows_.on_row(number_, row_);
    return true;
  }

  bool take_header() {
    if (ends_.size() > max_columns)
      return fail(
          bad_file("the heading line names more than 100 columns beyond those of a register"));
    for (std::size_t i = 0; i < ends_.size(); ++i)
      if (!take_column(http::trim(cell(i)), i + 1))
        return false;
    auto is_ref = [](const target& t) { return t.known == column::external_ref; };
    if (std::any_of(columns_.begin(), columns_.end(), is_ref))
      return true;
    auto semicolons = columns_.size() == 1 && columns_[0].name.find(';') != std::string::npos;
    return fail(bad_file(semicolons ? "fields are separated by commas, this file uses semicolons"
                                    : "the heading line has no column external_ref: the first line "
                                      "names the columns",
                         "external_ref"));
  }

  bool take_column(std::string_view name, std::size_t place) {
    auto where = "column " + std::to_string(place) + " of the heading line ";
    if (name.empty())
      return fail(bad_file(where + "has no name"));
    if (!http::is_utf8(name))
      return fail(bad_file(where + "is not UTF-8: save the file as UTF-8"));
    if (name.find('\0') != std::string_view::npos)
      return fail(bad_file(where + "holds U+0000"));
    if (name.size() > max_column_name_bytes)
      return fail(bad_file(where + "has a name of more than 100 bytes"));
    auto same = [&](const target& t) { return t.name == name; };
    if (std::any_of(columns_.begin(), columns_.end(), same))
      return fail(bad_file("the heading line names the column " + std::string(name) + " twice",
                           std::string(name)));
    columns_.push_back({column_named(name), std::string(name)});
    return true;
  }

  bool fail(error why) {
    failed_ = std::move(why);
    return false;
  }

  row_sink& rows_;
  std::uint32_t max_rows_;
  bom_filter bom_;
  state at_ = state::cell_start;
  bool after_cr_ = false;
  bool text_after_quote_ = false;
  std::string text_;              // the cells of the current record, one after another
  std::vector<std::size_t> ends_; // where each of them ends in it
  std::vector<target> columns_;
  raw_row row_;
  std::uint32_t number_ = 0;
  file_error failed_;
};

} // namespace

std::unique_ptr<register_reader> csv_reader(row_sink& rows, std::uint32_t max_rows) {
  return std::make_unique<csv>(rows, max_rows);
}

} // namespace rahat::rest
