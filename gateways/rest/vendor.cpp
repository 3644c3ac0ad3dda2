#include "gateways/rest/entity_resource.hpp"
#include "gateways/rest/presenters.hpp"
#include "gateways/rest/view_parts.hpp"

/// /v2/vendors: shops that take wallet money for goods.
namespace rahat::rest {

namespace {

constexpr std::string_view statuses[] = {"registered", "verified", "suspended"};

} // namespace

std::string view_of(const pb::VendorState& now, const entity_ref& self, std::uint64_t version) {
  auto& details = now.details();
  json_writer out(1024);
  begin_view(out, self, version)
      .status("status", pb::VendorStatus_Name(now.status()))
      .text("name", details.name())
      .text("location", details.location())
      .text_or_null("external_ref", details.external_ref())
      .begin_array("accounts");
  for (auto& account : now.accounts())
    out.begin_object()
        .id("id", account.account())
        .id("project_id", account.project())
        .text("currency", account.currency())
        .number("balance_minor", account.balance_minor())
        .number("unsettled_minor", account.unsettled_minor())
        .number("receipts", account.receipts())
        .number("settled_receipts", account.settled_no())
        .id("settlement_id", account.settlement().id())
        .end_object();
  out.end_array()
      .number("held_receipts", now.held())
      .text_or_null("status_reason", now.reason())
      .time("status_changed_at", now.status_changed_us())
      .text("created_by", now.created_by())
      .time("created_at", now.created_us());
  suspense_of(out, now.suspense()).end_object();
  return out.take();
}

std::string render_of(const pb::VendorAnswer& answer) {
  auto& receipt = answer.receipt();
  json_writer out;
  out.begin_object()
      .id("id", receipt.id())
      .number("no", receipt.no())
      .id("vendor_id", receipt.vendor())
      .id("project_id", receipt.project())
      .id("batch_id", receipt.batch())
      .id("member_id", receipt.member())
      .number("amount_minor", receipt.amount_minor())
      .text("currency", receipt.currency())
      .truth("held", receipt.held())
      .time("at", receipt.at_us())
      .end_object();
  return out.take();
}

namespace {

std::string vendor_schema() {
  auto account = object_schema({{"id", "id"},
                                {"project_id", "id"},
                                {"currency", "currency"},
                                {"balance_minor", "money"},
                                {"unsettled_minor", "money"},
                                {"receipts", "int"},
                                {"settled_receipts", "int"},
                                {"settlement_id", "id?"}});
  return object_schema({{"id", "id"},
                        {"version", "int"},
                        {"status", one_of_schema(statuses)},
                        {"name", "text"},
                        {"location", "text"},
                        {"external_ref", "text?"},
                        {"accounts", R"({"type":"array","items":)" + account + "}"},
                        {"held_receipts", "int"},
                        {"status_reason", "text?"},
                        {"status_changed_at", "time?"},
                        {"created_by", "text"},
                        {"created_at", "time?"},
                        {"suspense", suspense_schema}});
}

} // namespace

http::route_table vendor_routes(const shared_context& with) {
  entity_resource vendors(with, "vendor", "vendors", vendor_schema());
  using command = pb::VendorCommand;
  return {
      vendors.create(
          "Registers a vendor", {"maker"},
          object_schema({{"name", "text"}, {"location?", "text"}, {"external_ref?", "text"}}),
          reads<command>([](http::json_reader& in, command& out) {
            auto& ask = *out.mutable_register_();
            ask.set_name(in.require_string("name", max_text));
            ask.set_location(optional_text(in, "location"));
            ask.set_external_ref(optional_text(in, "external_ref"));
          })),
      vendors.list("Vendors, newest first", false, "", statuses),
      vendors.one("One vendor with its accounts"),
      vendors.act("verify", "Lets a registered vendor take wallet money", {"checker"},
                  std::string(empty_schema),
                  reads<command>([](http::json_reader&, command& out) { out.mutable_verify(); })),
      vendors.act("suspend", "Stops redemptions at this vendor", {"checker", "operator"},
                  std::string(reason_schema),
                  reads<command>([](http::json_reader& in, command& out) {
                    out.mutable_suspend()->set_reason(reason_in(in));
                  })),
      vendors.act("reactivate", "Lets a suspended vendor work again", {"checker"},
                  std::string(empty_schema), reads<command>([](http::json_reader&, command& out) {
                    out.mutable_reactivate();
                  })),
  };
}

} // namespace rahat::rest
