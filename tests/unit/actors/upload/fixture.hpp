#pragma once

#include "actors/upload/upload.hpp"
#include "runtime/decider/account.hpp"
#include "tests/unit/actors/support/given.hpp"

#include <string>

/// Commands and messages that the tests of an upload speak with.
namespace rahat::testing {

inline const entity_ref upload_self{"upload", derive_id({"test", "upload"})};
inline const entity_ref a_project{"project", derive_id({"test", "project"})};

inline pb::UploadCommand open(pb::UploadMode mode = pb::UPLOAD_SKIP_BAD,
                              const entity_ref& project = a_project) {
  pb::UploadCommand c;
  c.mutable_open()->set_project(project.id.raw());
  c.mutable_open()->set_mode(mode);
  c.mutable_open()->set_file_name("register.csv");
  c.mutable_open()->set_content_type("text/csv");
  return c;
}

inline void add_row(pb::UploadCommand& chunk, std::uint32_t row, const std::string& person,
                    std::int64_t amount_minor = 0) {
  auto& out = *chunk.mutable_stage()->add_rows();
  out.set_row(row);
  out.set_person(derive_id({"person", person}).raw());
  out.set_amount_minor(amount_minor);
  out.set_sealed("sealed " + person);
  out.set_wrapped_key("key");
}

inline void add_error(pb::UploadCommand& chunk, std::uint32_t row,
                      std::string field = "birth_date") {
  auto& out = *chunk.mutable_stage()->add_errors();
  out.set_row(row);
  out.set_field(std::move(field));
  out.set_message("write it as YYYY-MM-DD");
}

/// A chunk of `count` households, numbered from `first`, each with an amount of 100.
inline pb::UploadCommand chunk(std::uint32_t number, std::uint32_t count, std::uint32_t first = 0) {
  pb::UploadCommand c;
  c.mutable_stage()->set_chunk(number);
  for (std::uint32_t i = first; i < first + count; ++i)
    add_row(c, i + 1, std::to_string(i), 100);
  return c;
}

inline pb::UploadCommand close_after(std::uint32_t chunks) {
  pb::UploadCommand c;
  c.mutable_close()->set_chunks(chunks);
  c.mutable_close()->set_content_digest(std::string(view(sha256("content"))));
  return c;
}

inline pb::UploadCommand abandon() {
  pb::UploadCommand c;
  c.mutable_abandon()->set_reason("wrong file");
  return c;
}

inline pb::UploadMessage project_is(pb::ProjectStatus status) {
  pb::UploadMessage m;
  m.mutable_project()->set_project(a_project.id.raw());
  m.mutable_project()->set_status(status);
  m.mutable_project()->set_currency("NPR");
  return m;
}

inline pb::UploadMessage batch_enrolled(std::uint32_t index, std::uint32_t members) {
  pb::UploadMessage m;
  m.mutable_enrolled()->set_index(index);
  m.mutable_enrolled()->set_members(members);
  m.mutable_enrolled()->set_batch(upload::batch_id(upload_self.id, index).raw());
  return m;
}

inline pb::UploadMessage batch_joined(std::uint32_t index, std::string refused = "") {
  pb::UploadMessage m;
  m.mutable_joined()->set_index(index);
  m.mutable_joined()->set_refused(std::move(refused));
  return m;
}

/// What the project says about room for the batches.
inline pb::UploadMessage places(std::string refused = "") {
  pb::UploadMessage m;
  m.mutable_places()->set_refused(std::move(refused));
  return m;
}

inline pb::UploadMessage project_is_full() {
  auto m = project_is(pb::PROJECT_ACTIVE);
  m.mutable_project()->set_full(true);
  return m;
}

/// What the store says about repeated households.
inline wire::Feed repeated(std::uint64_t total, std::uint32_t ordinal = 1) {
  wire::Feed feed;
  feed.set_total(total);
  for (std::uint64_t i = 0; i < total && i < upload::max_duplicates; ++i) {
    auto& row = *feed.add_rows();
    row.set_ordinal(ordinal + static_cast<std::uint32_t>(i));
    row.set_row(ordinal + static_cast<std::uint32_t>(i) + 1);
  }
  return feed;
}

using upload_world = given<upload>;

inline upload_world then(const outcome_of<upload>& out) {
  return upload_world(out.after).as(upload_self);
}

inline upload_world opening(pb::UploadMode mode = pb::UPLOAD_SKIP_BAD) {
  return then(upload_world().as(upload_self).when(open(mode)));
}

/// Checked, and the project has kept places for its batches.
inline outcome_of<upload> placed(const upload_world& checking, const wire::Feed& feed = {}) {
  return then(upload_world(checking).feed(feed).proceed()).told(places());
}

inline upload_world receiving(pb::UploadMode mode = pb::UPLOAD_SKIP_BAD) {
  return then(opening(mode).told(project_is(pb::PROJECT_ACTIVE)));
}

} // namespace rahat::testing
