#pragma once

#include "gateways/rest/register_reader.hpp"
#include "runtime/trust/sealer.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace rahat::rest {

inline constexpr int max_chunk_rows = 1'000;               // rows and errors together
inline constexpr std::size_t max_chunk_bytes = 240 * 1024; // fits a message between nodes

/// One StageRows command, ready to be sent.
struct chunk {
  std::uint32_t number = 0;
  std::string command;
  std::uint64_t payload_hash = 0; // over the plaintext: sealing differs from try to try
};

/// Checks and seals the rows of an upload and packs them into chunks. The same file always gives
/// the same chunks, which is what makes a retried upload harmless. One thread.
class staging final : public row_sink {
public:
  /// `trust` outlives it.
  staging(const sealer& trust, const uuid& upload, std::chrono::year_month_day today);
  ~staging() override;

  void on_row(std::uint32_t number, const raw_row& row) override;
  void on_bad_row(std::uint32_t number, field_error why) override;

  /// Packs what is left after the last row.
  void finish();

  /// The chunks that have become full since the last call.
  std::vector<chunk> take();

  std::uint32_t chunks() const { return next_; }

  /// Keyed, over all rows so far that are packed.
  const digest& content() const { return content_; }

private:
  struct open_chunk;

  void add_errors(std::uint32_t number, const std::vector<field_error>& errors);
  void make_room(std::size_t entries, std::size_t bytes);
  void pack();

  const sealer& trust_;
  row_sealer rows_;
  std::chrono::year_month_day today_;
  household current_;
  std::unique_ptr<open_chunk> open_;
  std::vector<chunk> full_;
  std::uint32_t next_ = 0;
  digest content_{};
};

} // namespace rahat::rest
