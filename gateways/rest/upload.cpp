#include "gateways/rest/entity_resource.hpp"
#include "gateways/rest/household.hpp"
#include "gateways/rest/presenters.hpp"
#include "gateways/rest/upload_flow.hpp"
#include "gateways/rest/view_parts.hpp"

#include <algorithm>
#include <iterator>

/// /v2/uploads: registers of households on their way into batches.
namespace rahat::rest {

namespace {

constexpr std::string_view statuses[] = {"opening",   "receiving", "checking",
                                         "enrolling", "accepting", "accepted",
                                         "rejected",  "abandoned", "failed"};

constexpr std::size_t max_file_name = 255;

} // namespace

std::string view_of(const pb::UploadState& now, const entity_ref& self, std::uint64_t version) {
  json_writer out;
  begin_view(out, self, version)
      .status("status", pb::UploadStatus_Name(now.status()))
      .id("project_id", now.project())
      .text("mode", now.mode() == pb::UPLOAD_SKIP_BAD ? "skip-bad" : "all")
      .text_or_null("file_name", now.file_name())
      .text("content_type", now.content_type())
      .text_or_null("currency", now.currency())
      .number("chunks", now.chunks())
      .number("good_rows", now.good_rows())
      .number("bad_rows", now.bad_rows())
      .number("duplicates", now.duplicates())
      .number("amount_minor", now.amount_minor())
      .number("batches", now.batches())
      .number("batches_done", now.batches_done())
      .number("batches_open", now.batches_open())
      .number("members", now.members())
      .text_or_null("reason", now.reason())
      .text("created_by", now.created_by())
      .time("created_at", now.created_us())
      .time("accepted_at", now.accepted_us());
  suspense_of(out, now.suspense()).end_object();
  return out.take();
}

std::string render_of(const pb::UploadAnswer& answer) {
  auto& done = answer.staged();
  json_writer out;
  out.begin_object()
      .number("chunk", done.chunk())
      .number("good_rows", done.good())
      .number("bad_rows", done.bad())
      .end_object();
  return out.take();
}

namespace {

std::string upload_schema() {
  return object_schema({{"id", "id"},
                        {"version", "int"},
                        {"status", one_of_schema(statuses)},
                        {"project_id", "id"},
                        {"mode", one_of_schema({"all", "skip-bad"})},
                        {"file_name", "text?"},
                        {"content_type", "text"},
                        {"currency", "currency?"},
                        {"chunks", "int"},
                        {"good_rows", "int"},
                        {"bad_rows", "int"},
                        {"duplicates", "int"},
                        {"amount_minor", "money"},
                        {"batches", "int"},
                        {"batches_done", "int"},
                        {"batches_open", "int"},
                        {"members", "int"},
                        {"reason", "text?"},
                        {"created_by", "text"},
                        {"created_at", "time?"},
                        {"accepted_at", "time?"},
                        {"suspense", suspense_schema}});
}

/// One row of application/json and application/x-ndjson; the columns of text/csv have these names.
constexpr std::string_view row_schema =
    R"({"type":"object","properties":{)"
    R"("external_ref":{"type":"string","minLength":1,"maxLength":100},)"
    R"("name":{"type":"string"},"phone":{"type":"string"},)"
    R"("gender":{"type":"string","description":"female, male, other, unknown or f, m, o, u"},)"
    R"("birth_date":{"type":"string","format":"date"},)"
    R"("household_size":{"type":"integer","minimum":1,"maximum":100},)"
    R"("location":{"type":"string"},)"
    R"("amount_minor":{"type":"integer","minimum":0,"maximum":1000000000000}},)"
    R"("required":["external_ref"],)"
    R"("additionalProperties":{"type":["string","integer","boolean","null"]}})";

std::variant<upload_ask, error> ask_of(const http::request& from) {
  upload_ask out;
  auto project = uuid::parse(from.param("id"));
  if (!project)
    return error{errc::not_found, "there is no project with this id", {}};
  out.project = *project;
  auto mode = from.query_value("mode").value_or("all");
  if (mode != "all" && mode != "skip-bad")
    return error{errc::invalid_input,
                 "mode must be all (one bad row refuses the file) or skip-bad (bad rows are left "
                 "out and reported)",
                 "mode"};
  out.skip_bad = mode == "skip-bad";
  out.file_name = from.query_value("file_name").value_or("");
  if (out.file_name.size() > max_file_name)
    return error{errc::invalid_input, "file_name may have at most 255 bytes", "file_name"};
  return out;
}

http::route create(const entity_resource& uploads) {
  http::route row;
  row.verb = http::method::post;
  row.pattern = "/v2/projects/{id}/uploads";
  row.tag = uploads.tag();
  row.summary = "Uploads a register of households, of any length, into new batches of the project";
  row.roles = {"maker"};
  row.needs_idempotency_key = true;
  row.body = http::body_kind::stream;
  row.content_types = {"text/csv", "application/x-ndjson", "application/json"};
  row.request_schema = R"({"type":"array","items":)" + std::string(row_schema) + "}";
  row.response_schema = uploads.schema();
  row.success = 202;
  row.query = {{"mode", "what a bad row does: refuse the file, or be left out and reported",
                one_of_schema({"all", "skip-bad"})},
               {"file_name", "the name that people know the file by"}};
  row.handle_stream = [with = uploads.context()](http::request from) {
    auto ask = ask_of(from);
    if (auto* wrong = std::get_if<error>(&ask))
      return refusing_reader(http::problem(*wrong));
    return upload_reader(with, std::move(from), std::get<upload_ask>(ask));
  };
  return row;
}

std::string error_json(const stored_error& e) {
  json_writer out(256);
  out.begin_object()
      .number("row", e.row)
      .text_or_null("field", e.field)
      .text("message", e.message)
      .end_object();
  return out.take();
}

/// A page never ends inside a row, because the cursor is the row's number: it holds the whole rows
/// among the first `limit` errors, the first row in any case. `found` goes on for at least one
/// error more, if there are any.
http::response errors_page(const std::vector<stored_error>& found, std::uint32_t limit) {
  auto end = found.begin() + std::min<std::ptrdiff_t>(limit, std::ssize(found));
  auto torn = [&] {
    return end != found.begin() && end != found.end() && end->row == std::prev(end)->row;
  };
  while (torn())
    --end;
  if (end == found.begin() && end != found.end())
    do
      ++end;
    while (torn());
  std::vector<std::string> items;
  for (auto e = found.begin(); e != end; ++e)
    items.push_back(error_json(*e));
  return page_response(items, end == found.end() ? "" : std::to_string(std::prev(end)->row));
}

http::route errors(const entity_resource& uploads) {
  http::route row;
  row.pattern = uploads.path() + "/{id}/errors";
  row.tag = uploads.tag();
  row.summary = "What is wrong with which rows; the errors of one row stay on one page";
  row.response_schema =
      list_schema(object_schema({{"row", "int"}, {"field", "text?"}, {"message", "text"}}));
  row.query = list_parameters();
  row.handle = [uploads](http::request from, http::responder done) {
    auto bounds = page_of(from);
    if (auto* wrong = std::get_if<error>(&bounds))
      return done(http::problem(*wrong));
    auto after = number_cursor(std::get<page_request>(bounds).cursor, 0);
    if (auto* wrong = std::get_if<error>(&after))
      return done(http::problem(*wrong));
    auto limit = std::get<page_request>(bounds).limit;
    // Room for a whole row, and for the error that tells that there is more.
    auto wanted = std::max(limit, static_cast<std::uint32_t>(max_errors_a_row)) + 1;
    auto upload = uploads.target(from);
    with_view(uploads, from, done,
              [with = uploads.context(), upload, after = std::get<std::int64_t>(after), limit,
               wanted, done](const entity_view&) {
                with->queries.upload_errors(upload->id, after, wanted, [done, limit](auto outcome) {
                  if (auto* why = std::get_if<error>(&outcome))
                    return done(http::problem(*why));
                  auto& found = std::get<std::vector<stored_error>>(outcome);
                  done(errors_page(found, limit));
                });
              });
  };
  return row;
}

} // namespace

http::route_table upload_routes(const shared_context& with) {
  entity_resource uploads(with, "upload", "uploads", upload_schema());
  return {
      create(uploads),
      uploads.list("Uploads, newest first", true, "", statuses),
      uploads.one("One upload: how far it has come"),
      errors(uploads),
  };
}

} // namespace rahat::rest
