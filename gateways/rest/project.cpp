#include "gateways/rest/entity_resource.hpp"
#include "gateways/rest/presenters.hpp"
#include "gateways/rest/view_fields.hpp"
#include "gateways/rest/view_parts.hpp"

/// /v2/projects: the frame in which money is given, held and spent.
namespace rahat::rest {

namespace {

constexpr std::string_view statuses[] = {"draft", "active", "suspended", "closed"};

} // namespace

std::string view_of(const pb::ProjectState& now, const entity_ref& self, std::uint64_t version) {
  std::int64_t reserved = 0;
  for (auto& reservation : now.reservations())
    reserved += reservation.amount_minor();
  auto& details = now.details();
  json_writer out(1024);
  begin_view(out, self, version)
      .status("status", pb::ProjectStatus_Name(now.status()))
      .text("name", details.name())
      .text("type", details.type())
      .text("description", details.description())
      .text("currency", details.currency())
      .text_or_null("starts_on", details.starts_on())
      .text_or_null("ends_on", details.ends_on())
      .number("funded_minor", now.funded_minor())
      .number("budget_minor", now.budget_minor())
      .number("reserved_minor", reserved)
      .number("paid_out_minor", now.paid_out_minor())
      .number("outside_minor", now.outside_minor())
      .id("budget_account_id", now.budget_account())
      .id("outside_account_id", now.outside_account())
      .number("fundings", now.fundings())
      .number("batches", now.batches_size())
      .number("members", now.members())
      .text_or_null("status_reason", now.status_reason())
      .time("status_changed_at", now.status_changed_us())
      .text("created_by", now.created_by())
      .time("created_at", now.created_us());
  suspense_of(out, now.suspense()).end_object();
  return out.take();
}

std::string render_of(const pb::ProjectAnswer& answer) {
  auto& done = answer.funding();
  json_writer out;
  out.begin_object()
      .id("id", done.id())
      .id("project_id", done.project())
      .number("amount_minor", done.amount_minor())
      .text("currency", done.currency())
      .text("reference", done.reference())
      .number("budget_minor", done.budget_minor())
      .text("by", done.by())
      .time("at", done.at_us())
      .end_object();
  return out.take();
}

namespace {

std::string project_schema() {
  return object_schema({{"id", "id"},
                        {"version", "int"},
                        {"status", one_of_schema(statuses)},
                        {"name", "text"},
                        {"type", "text"},
                        {"description", "text"},
                        {"currency", "currency"},
                        {"starts_on", "date?"},
                        {"ends_on", "date?"},
                        {"funded_minor", "money"},
                        {"budget_minor", "money"},
                        {"reserved_minor", "money"},
                        {"paid_out_minor", "money"},
                        {"outside_minor", "money"},
                        {"budget_account_id", "id?"},
                        {"outside_account_id", "id?"},
                        {"fundings", "int"},
                        {"batches", "int"},
                        {"members", "int"},
                        {"status_reason", "text?"},
                        {"status_changed_at", "time?"},
                        {"created_by", "text"},
                        {"created_at", "time?"},
                        {"suspense", suspense_schema}});
}

std::string account_schema() {
  return object_schema({{"id", "id"},
                        {"role", one_of_schema({"outside", "budget"})},
                        {"currency", "currency"},
                        {"balance_minor", "money"}});
}

http::route create(const entity_resource& projects) {
  return projects.create(
      "Creates a project as a draft", {"maker"},
      object_schema({{"name", "text"},
                     {"currency", "currency"},
                     {"type?", "text"},
                     {"starts_on?", "date"},
                     {"ends_on?", "date"},
                     {"description?", "text"}}),
      reads<pb::ProjectCommand>([](http::json_reader& in, pb::ProjectCommand& out) {
        auto& ask = *out.mutable_create();
        ask.set_name(in.require_string("name", max_text));
        ask.set_currency(in.require_currency("currency"));
        ask.set_type(optional_text(in, "type"));
        ask.set_starts_on(optional_date(in, "starts_on"));
        ask.set_ends_on(optional_date(in, "ends_on"));
        ask.set_description(optional_text(in, "description"));
      }));
}

http::route fund(const entity_resource& projects) {
  auto row = projects.act(
      "fundings", "Books money that a donor gave: once for each Idempotency-Key", {"maker"},
      object_schema({{"amount_minor", "money"},
                     {"currency", "currency"},
                     {"reference", R"({"type":"string","maxLength":200,"description":)"
                                   R"("the donor's own; it may come again, as with instalments, )"
                                   R"(and each new Idempotency-Key books once more"})"}}),
      reads<pb::ProjectCommand>([](http::json_reader& in, pb::ProjectCommand& out) {
        auto& ask = *out.mutable_fund();
        ask.set_amount_minor(in.require_amount("amount_minor"));
        ask.set_currency(in.require_currency("currency"));
        ask.set_reference(in.require_string("reference", max_text));
      }));
  row.response_schema = object_schema({{"id", "id"},
                                       {"project_id", "id"},
                                       {"amount_minor", "money"},
                                       {"currency", "currency"},
                                       {"reference", "text"},
                                       {"budget_minor", "money"},
                                       {"by", "text"},
                                       {"at", "time"}});
  row.success = 201;
  return row;
}

/// The project's accounts, taken from its view.
std::string accounts_in(std::string_view view) {
  view_fields project(view);
  json_writer out;
  out.begin_object().begin_array("items");
  for (std::string role : {"outside", "budget"})
    out.begin_object()
        .text("id", project.text(role + "_account_id"))
        .text("role", role)
        .text("currency", project.text("currency"))
        .number("balance_minor", project.number(role + "_minor"))
        .end_object();
  out.end_array().null("next").end_object();
  return out.take();
}

http::route accounts(const entity_resource& projects) {
  http::route row;
  row.pattern = projects.path() + "/{id}/accounts";
  row.tag = projects.tag();
  row.summary = "The accounts that the project owns and their balances";
  row.has_etag = true;
  row.response_schema = list_schema(account_schema());
  row.handle = [projects](http::request from, http::responder done) {
    with_view(projects, from, done, [read = versioned_read(from), done](entity_view found) {
      if (auto settled = read.settled(found))
        return done(std::move(*settled));
      http::response out;
      out.body = accounts_in(*found.json);
      add_place(out, found.version, found.shard, found.position);
      done(std::move(out));
    });
  };
  return row;
}

} // namespace

http::route_table project_routes(const shared_context& with) {
  entity_resource projects(with, "project", "projects", project_schema());
  using command = pb::ProjectCommand;
  return {
      create(projects),
      projects.list("Projects, newest first", false, "", statuses),
      projects.one("One project"),
      projects.act(
          "activate", "Opens a draft or suspended project for work",
          {"maker", "checker", "operator"}, std::string(empty_schema),
          reads<command>([](http::json_reader&, command& out) { out.mutable_activate(); })),
      projects.act("suspend", "Stops payments and redemptions for the time being",
                   {"checker", "operator"}, std::string(reason_schema),
                   reads<command>([](http::json_reader& in, command& out) {
                     out.mutable_suspend()->set_reason(reason_in(in));
                   })),
      projects.act("close", "Ends a project; money that comes back goes to the donors", {"checker"},
                   std::string(reason_schema),
                   reads<command>([](http::json_reader& in, command& out) {
                     out.mutable_close()->set_reason(reason_in(in));
                   })),
      fund(projects),
      accounts(projects),
  };
}

} // namespace rahat::rest
