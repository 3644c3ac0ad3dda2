#include "gateways/rest/register_reader.hpp"

namespace rahat::rest {

std::unique_ptr<register_reader> reader_of(std::string_view content_type, row_sink& rows,
                                           std::uint32_t max_rows) {
  if (content_type == "text/csv")
    return csv_reader(rows, max_rows);
  if (content_type == "application/x-ndjson")
    return ndjson_reader(rows, max_rows);
  if (content_type == "application/json")
    return json_array_reader(rows, max_rows);
  return nullptr;
}

error too_many_rows(std::uint32_t max_rows) {
  return {errc::limit_exceeded,
          "the file has more than " + std::to_string(max_rows) + " rows: split it",
          {}};
}

error row_too_long(std::uint32_t number) {
  return {errc::malformed_body,
          "row " + std::to_string(number) +
              " is longer than 64 KiB: look for a missing closing quote or line end",
          {}};
}

std::string_view bom_filter::strip(std::string_view piece) {
  constexpr std::string_view mark = "\xef\xbb\xbf";
  if (past_start_)
    return piece;
  start_ += piece;
  if (start_.size() < mark.size() && mark.starts_with(start_))
    return {}; // cannot tell yet
  past_start_ = true;
  std::string_view all = start_;
  if (all.starts_with(mark))
    all.remove_prefix(mark.size());
  return all;
}

} // namespace rahat::rest
