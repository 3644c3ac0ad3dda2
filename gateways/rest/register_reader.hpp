#pragma once

#include "gateways/rest/household.hpp"
#include "runtime/decider/error.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

/// Reading a register of any length, piece by piece, in constant memory.
namespace rahat::rest {

inline constexpr std::size_t max_row_bytes = 64 * 1024; // one row, or the heading line

/// Takes the rows of a register as they are read. Rows count from 1, the heading line and blank
/// lines left out.
class row_sink {
public:
  virtual ~row_sink() = default;

  /// `row` is only good during the call.
  virtual void on_row(std::uint32_t number, const raw_row& row) = 0;

  /// A row that cannot be read as one, though the rows after it can.
  virtual void on_bad_row(std::uint32_t number, field_error why) = 0;
};

/// A file that cannot be read on: where it breaks off, in a sentence that names the row.
using file_error = std::optional<error>;

/// One file. After the first error nothing more is read. One thread.
class register_reader {
public:
  virtual ~register_reader() = default;
  virtual file_error read(std::string_view piece) = 0;

  /// The file has ended.
  virtual file_error finish() = 0;
};

/// By content type: text/csv, application/x-ndjson or application/json (an array of objects); null
/// for any other. `rows` outlives the reader.
std::unique_ptr<register_reader> reader_of(std::string_view content_type, row_sink& rows,
                                           std::uint32_t max_rows);

std::unique_ptr<register_reader> csv_reader(row_sink& rows, std::uint32_t max_rows);
std::unique_ptr<register_reader> ndjson_reader(row_sink& rows, std::uint32_t max_rows);
std::unique_ptr<register_reader> json_array_reader(row_sink& rows, std::uint32_t max_rows);

/// The sentences that all readers share.
error too_many_rows(std::uint32_t max_rows);
error row_too_long(std::uint32_t number);

/// Swallows a byte order mark at the very start of a file, however the pieces are cut.
class bom_filter {
public:
  /// What there is to read; good until the next call.
  std::string_view strip(std::string_view piece);

private:
  bool past_start_ = false;
  std::string start_; // the first bytes, while they may still be a mark
};

} // namespace rahat::rest
