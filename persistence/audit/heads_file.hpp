#pragma once

#include "runtime/decider/id.hpp"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// `heads.log`: the shards' heads, signed, outside the database. Append-only, one line a signing:
///
///   {"at_us":1763633532000000,"node":"<uuid>","heads":[[3,17,"<64 hex>"],...],
///    "previous":"<64 hex>","key":"<16 hex>","signature":"<128 hex>"}       (in one line)
///
/// The signature is over everything before `,"signature":`. `previous` is SHA-256 over the line
/// before, as it stands, without its newline; zeros in the first line. A line that a crash has torn
/// stays; the next one names its hash, so that it differs from one that somebody has altered.
namespace rahat::audit {

struct signed_head {
  shard_id shard = 0;
  std::uint64_t position = 0;
  digest hash{};
};

struct heads_line {
  std::int64_t at_us = 0;
  std::string node;
  std::vector<signed_head> heads; // of shards that moved
  digest previous{};
  std::string key;       // id of the signing key
  std::string signature; // 64 bytes
  std::string covered;   // what the signature is over; set by `parse`
};

/// What is to be signed.
std::string signed_part(const heads_line& line);

/// The whole line, without its newline.
std::string with_signature(const std::string& signed_part, std::string_view signature);

/// Nothing if the text is not exactly such a line.
std::optional<heads_line> parse_heads_line(std::string_view text);

/// Makes the folder of `heads.log` where it is missing, and its owner's alone (0700): line by line
/// it tells how much happens when. Throws audit_error.
void make_heads_folder(const std::filesystem::path& folder);

/// SHA-256 over the last line of the file; zeros for an empty or missing one. A torn last line is
/// taken as it stands. Throws audit_error when the file cannot be read.
digest last_line_hash(const std::filesystem::path& file);

/// Appends the line and its newline, after another newline when the last line is torn, and waits
/// until it is on the disk. Makes the file (0644). Throws audit_error.
void append_heads_line(const std::filesystem::path& file, const std::string& line);

/// Reads a heads file line by line, up to the size that it has when the reader is made: lines that
/// are appended later belong to a later state of the database.
class heads_reader {
public:
  explicit heads_reader(const std::filesystem::path& file);

  /// The next line that ends in a newline; false at the end. A line over the limit comes cut, and
  /// so does not parse. A last line without newline is being written, or was torn: not given.
  bool next(std::string& line);

  std::uint64_t number() const { return number_; } // of the line last given, from 1

private:
  std::ifstream in_;
  std::uint64_t left_ = 0;
  std::uint64_t number_ = 0;
};

} // namespace rahat::audit
