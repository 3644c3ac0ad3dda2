#include "gateways/rest/staging.hpp"

#include "actors/upload/upload.pb.h"

#include <utility>

namespace rahat::rest {

namespace {

constexpr std::size_t row_overhead = 64; // of ids, numbers and tags in the message, at most

void append_be(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
    out += static_cast<char>(value >> shift);
}

void append_text(std::string& out, std::string_view text) {
  append_be(out, text.size(), 4);
  out += text;
}

} // namespace

/// The chunk that is being filled, and its rows in plaintext for the payload hash.
struct staging::open_chunk {
  pb::UploadCommand command;
  pb::StageRows* rows = command.mutable_stage();
  std::string plain;
  std::size_t entries = 0;
  std::size_t bytes = 0;

  void clear() {
    rows->Clear(); // keeps the memory of its rows
    plain.clear();
    entries = 0;
    bytes = 0;
  }
};

staging::staging(const sealer& trust, const uuid& upload, std::chrono::year_month_day today)
    : trust_(trust),
      rows_(trust.rows_of(upload)),
      today_(today),
      open_(std::make_unique<open_chunk>()) {}

staging::~staging() = default;

void staging::on_row(std::uint32_t number, const raw_row& row) {
  auto errors = check(row, today_, current_);
  if (!errors.empty())
    return add_errors(number, errors);
  auto bytes =
      current_.document.size() + row_sealer::overhead + row_sealer::wrapped_size + row_overhead;
  make_room(1, bytes);
  auto& to = *open_;
  to.plain += 'r';
  append_be(to.plain, number, 4);
  append_be(to.plain, static_cast<std::uint64_t>(current_.amount_minor), 8);
  append_text(to.plain, current_.document);
  auto box = rows_.seal(number, current_.document);
  auto& staged = *to.rows->add_rows();
  staged.set_row(number);
  staged.set_person(trust_.person_id({}, current_.external_ref).raw());
  staged.set_amount_minor(current_.amount_minor);
  staged.set_sealed(std::move(box.sealed));
  staged.set_wrapped_key(std::move(box.wrapped_key));
  ++to.entries;
  to.bytes += bytes;
}

void staging::on_bad_row(std::uint32_t number, field_error why) {
  add_errors(number, {std::move(why)});
}

/// Errors of one row stay in one chunk.
void staging::add_errors(std::uint32_t number, const std::vector<field_error>& errors) {
  std::size_t bytes = 0;
  for (auto& e : errors)
    bytes += e.field.size() + e.message.size() + row_overhead;
  make_room(errors.size(), bytes);
  auto& to = *open_;
  for (auto& e : errors) {
    to.plain += 'e';
    append_be(to.plain, number, 4);
    append_text(to.plain, e.field);
    append_text(to.plain, e.message);
    auto& staged = *to.rows->add_errors();
    staged.set_row(number);
    staged.set_field(e.field);
    staged.set_message(e.message);
  }
  to.entries += errors.size();
  to.bytes += bytes;
}

void staging::make_room(std::size_t entries, std::size_t bytes) {
  if (open_->entries > 0 &&
      (open_->entries + entries > max_chunk_rows || open_->bytes + bytes > max_chunk_bytes))
    pack();
}

void staging::pack() {
  auto& from = *open_;
  from.rows->set_chunk(next_);
  auto hash = trust_.content_hash({"chunk", from.plain});
  content_ = trust_.content_hash({"content", view(content_), view(hash)});
  full_.push_back({next_, from.command.SerializeAsString(), trust_.payload_hash({view(hash)})});
  ++next_;
  from.clear();
}

void staging::finish() {
  if (open_->entries > 0)
    pack();
}

std::vector<chunk> staging::take() {
  return std::exchange(full_, {});
}

} // namespace rahat::rest
