#include "gateways/rest/entity_resource.hpp"
#include "gateways/rest/members.hpp"
#include "gateways/rest/presenters.hpp"
#include "gateways/rest/redemption.hpp"
#include "gateways/rest/view_fields.hpp"
#include "gateways/rest/view_parts.hpp"

#include <numeric>

/// /v2/batches: households of one project and their wallets.
namespace rahat::rest {

namespace {

constexpr std::string_view statuses[] = {"open", "frozen"}; // who is still enrolling is not shown
constexpr std::int64_t bytes_of_id = 16;

} // namespace

std::string view_of(const pb::BatchState& now, const entity_ref& self, std::uint64_t version) {
  auto& enrol = now.enrol();
  // Nobody is shown as a member before the upload has been accepted.
  auto visible = now.status() != pb::BATCH_ENROLLING && now.status() != pb::BATCH_NONE;
  auto members = visible ? static_cast<std::int64_t>(now.persons().size()) / bytes_of_id : 0;
  json_writer out;
  begin_view(out, self, version)
      .status("status", pb::BatchStatus_Name(now.status()))
      .id("project_id", enrol.project())
      .id("upload_id", enrol.upload())
      .number("index", enrol.index())
      .text("currency", enrol.currency())
      .number("members", members)
      .number("credited_minor", now.credited_minor())
      .number("redeemed_minor", now.redeemed_minor())
      .number("pay_lists", now.locks_size())
      .text_or_null("frozen_reason", now.frozen_reason())
      .text("created_by", enrol.by())
      .time("created_at", now.created_us());
  out.begin_array("suspense");
  if (now.suspense_minor() != 0)
    out.begin_object()
        .text("currency", enrol.currency())
        .number("amount_minor", now.suspense_minor())
        .end_object();
  out.end_array().end_object();
  return out.take();
}

namespace {

std::string code_json(const pb::CodeDone& done) {
  json_writer out;
  out.begin_object()
      .id("member_id", done.member())
      .time("expires_at", done.expires_us())
      .number("tries_left", done.tries_left())
      .end_object();
  return out.take();
}

std::string batch_schema() {
  return object_schema({{"id", "id"},
                        {"version", "int"},
                        {"status", one_of_schema(statuses)},
                        {"project_id", "id"},
                        {"upload_id", "id"},
                        {"index", "int"},
                        {"currency", "currency"},
                        {"members", "int"},
                        {"credited_minor", "money"},
                        {"redeemed_minor", "money"},
                        {"pay_lists", "int"},
                        {"frozen_reason", "text?"},
                        {"created_by", "text"},
                        {"created_at", "time?"},
                        {"suspense", suspense_schema}});
}

/// The member that the path names, if it is one of this batch.
std::optional<uuid> member_in(const http::request& from, const entity_ref& batch) {
  auto member = uuid::parse(from.param("member"));
  return member && wallet_index(batch.id, *member) ? member : std::nullopt;
}

/// The code derives from the request's id, so a retry shows the same one; the batch only ever gets
/// its keyed hash.
void issue_code(const entity_resource& batches, const http::request& from,
                const http::responder& done) {
  auto to = batches.target(from);
  if (!to)
    return done(http::problem(batches.unknown()));
  auto member = member_in(from, *to);
  if (!member)
    return done(
        http::problem({errc::not_found, "there is no member with this id in the batch", {}}));
  http::json_reader body(from.body.empty() ? std::string_view("{}") : std::string_view(from.body));
  if (auto wrong = body.finish())
    return done(http::problem(*wrong));
  auto id = request_id(from);
  auto code = batches.context()->trust.code_for(id);
  pb::BatchCommand command;
  command.mutable_issue_code()->set_member(member->raw());
  command.mutable_issue_code()->set_code_hash(batches.context()->trust.code_hash(*member, code));
  auto add_code = [code](std::string& reply) { reply.insert(1, R"("code":")" + code + "\","); };
  submit(batches.context(), from, *to, id, command.SerializeAsString(), {201, "", add_code}, done);
}

http::route codes(const entity_resource& batches) {
  http::route row;
  row.verb = http::method::post;
  row.pattern = batches.path() + "/{id}/members/{member}/codes";
  row.tag = batches.tag();
  row.summary = "Issues a one-time code with which the member may spend at a vendor";
  row.roles = {"maker", "operator"};
  row.needs_idempotency_key = true;
  row.body = http::body_kind::json;
  row.request_schema = std::string(empty_schema);
  row.response_schema = object_schema(
      {{"code", "text"}, {"member_id", "id"}, {"expires_at", "time"}, {"tries_left", "int"}});
  row.success = 201;
  row.handle = [batches](http::request from, http::responder done) {
    issue_code(batches, from, done);
  };
  return row;
}

} // namespace

std::string render_of(const pb::BatchAnswer& answer) {
  if (answer.has_members())
    return member_list_json(answer.members());
  return answer.has_code() ? code_json(answer.code()) : redemption_json(answer.redemption());
}

http::route_table batch_routes(const shared_context& with) {
  entity_resource batches(with, "batch", "batches", batch_schema());
  using command = pb::BatchCommand;
  auto reason = std::string(reason_schema);
  return {
      batches.list("Batches, newest first", true, "upload", statuses),
      batches.one("One batch"),
      members_route(batches),
      member_route(batches),
      codes(batches),
      batches.act("freeze", "Stops codes, redemptions and new pay lists; credits still arrive",
                  {"operator", "checker"}, reason,
                  reads<command>([](http::json_reader& in, command& out) {
                    out.mutable_freeze()->set_reason(reason_in(in));
                  })),
      batches.act("thaw", "Ends a freeze", {"operator", "checker"}, reason,
                  reads<command>([](http::json_reader& in, command& out) {
                    out.mutable_thaw()->set_reason(reason_in(in));
                  })),
  };
}

} // namespace rahat::rest
