#include "gateways/rest/entity_resource.hpp"
#include "gateways/rest/presenters.hpp"
#include "gateways/rest/statement.hpp"
#include "gateways/rest/view_parts.hpp"

/// /v2/settlements: pays a vendor out of the system for what beneficiaries bought there.
namespace rahat::rest {

namespace {

constexpr std::string_view statuses[] = {"open",     "requesting", "requested",
                                         "approved", "paying",     "paid"};

} // namespace

std::string view_of(const pb::SettlementState& now, const entity_ref& self, std::uint64_t version) {
  auto& quote = now.quote();
  json_writer out;
  begin_view(out, self, version)
      .status("status", pb::SettlementStatus_Name(now.status()))
      .id("vendor_id", now.details().vendor())
      .id("project_id", now.details().project())
      .text_or_null("currency", now.currency())
      .number("amount_minor", quote.sum_minor())
      .number("receipts", quote.count())
      .number("first_receipt", quote.from_no())
      .number("last_receipt", quote.to_no())
      .number("paid_minor", now.paid_minor())
      .id("payment_id", now.purpose())
      .text_or_null("requested_by", now.requested_by())
      .text_or_null("approved_by", now.approved_by())
      .text_or_null("reason", now.reason())
      .time("paid_at", now.paid_us())
      .text("created_by", now.created_by())
      .time("created_at", now.created_us());
  suspense_of(out, now.suspense()).end_object();
  return out.take();
}

std::string render_of(const pb::SettlementAnswer&) {
  return "{}"; // every answer is the view
}

namespace {

std::string settlement_schema() {
  return object_schema({{"id", "id"},
                        {"version", "int"},
                        {"status", one_of_schema(statuses)},
                        {"vendor_id", "id"},
                        {"project_id", "id"},
                        {"currency", "currency?"},
                        {"amount_minor", "money"},
                        {"receipts", "int"},
                        {"first_receipt", "int"},
                        {"last_receipt", "int"},
                        {"paid_minor", "money"},
                        {"payment_id", "id?"},
                        {"requested_by", "text?"},
                        {"approved_by", "text?"},
                        {"reason", "text?"},
                        {"paid_at", "time?"},
                        {"created_by", "text"},
                        {"created_at", "time?"},
                        {"suspense", suspense_schema}});
}

} // namespace

http::route_table settlement_routes(const shared_context& with) {
  entity_resource settlements(with, "settlement", "settlements", settlement_schema());
  using command = pb::SettlementCommand;
  auto empty = std::string(empty_schema);
  return {
      settlements.create(
          "Opens a settlement of a vendor in a project, both of which must exist", {"maker"},
          object_schema({{"vendor_id", "id"},
                         {"project_id", "id"},
                         {"currency?",
                          R"({"type":"string","pattern":"^[A-Z]{3}$",)"
                          R"("description":"left out: the project's; another one is refused"})"}}),
          reads<command>([](http::json_reader& in, command& out) {
            auto& ask = *out.mutable_open();
            ask.set_vendor(require_id(in, "vendor_id"));
            ask.set_project(require_id(in, "project_id"));
            ask.set_currency(optional_currency(in, "currency"));
          })),
      settlements.list("Settlements, newest first", true, "vendor", statuses),
      settlements.one("One settlement"),
      settlements.act("request", "Asks the vendor's account what is owed and holds it", {"maker"},
                      empty,
                      reads<command>([](http::json_reader&, command& o) { o.mutable_request(); })),
      settlements.act("approve", "Approves the sum; never by who requested it", {"checker"},
                      object_schema({{"note?", "text"}}),
                      reads<command>([](http::json_reader& in, command& out) {
                        out.mutable_approve()->set_note(optional_text(in, "note"));
                      })),
      settlements.act("pay", "Pays the vendor out", {"maker"}, empty,
                      reads<command>([](http::json_reader&, command& o) { o.mutable_pay(); })),
      settlements.act("withdraw",
                      "Opens it again before it is paid; the vendor's receipts are free",
                      {"maker", "checker"}, std::string(reason_schema),
                      reads<command>([](http::json_reader& in, command& out) {
                        out.mutable_withdraw()->set_reason(reason_in(in));
                      })),
      statement_route(settlements),
  };
}

} // namespace rahat::rest
