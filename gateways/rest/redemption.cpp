#include "gateways/rest/redemption.hpp"

#include "gateways/rest/bounds.hpp"
#include "gateways/rest/entity_resource.hpp"
#include "gateways/rest/json_writer.hpp"
#include "gateways/rest/parse.hpp"

#include <algorithm>
#include <limits>

/// /v2/redemptions: a beneficiary's wallet pays a vendor. Decided by the wallet's batch; published
/// by it as entries of kind "redemption" whose parent is the vendor.
namespace rahat::rest {

std::string redemption_json(const pb::RedemptionDone& done) {
  json_writer out;
  out.begin_object()
      .id("id", done.id())
      .id("project_id", done.project())
      .id("batch_id", done.batch())
      .id("member_id", done.member())
      .id("vendor_id", done.vendor())
      .number("amount_minor", done.amount_minor())
      .text("currency", done.currency())
      .number("balance_minor", done.balance_minor())
      .text("by", done.by())
      .time("at", done.at_us())
      .end_object();
  return out.take();
}

namespace {

std::string redemption_schema() {
  return object_schema({{"id", "id"},
                        {"project_id", "id"},
                        {"batch_id", "id"},
                        {"member_id", "id"},
                        {"vendor_id", "id"},
                        {"amount_minor", "money"},
                        {"currency", "currency"},
                        {"balance_minor", "money"},
                        {"by", "text"},
                        {"at", "time"}});
}

bool is_code(std::string_view text) {
  return text.size() == sealer::code_digits &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// The shop's own number of the purchase; "" when it has none.
std::string read_number(http::json_reader& in) {
  auto number = in.optional_string("id", std::numeric_limits<std::size_t>::max(), 1).value_or("");
  if (characters(number) > max_redemption_id)
    in.reject("id", "may have at most " + std::to_string(max_redemption_id) + " characters");
  return number;
}

struct redemption_ask {
  uuid batch;
  pb::BatchCommand command;
};

std::variant<redemption_ask, error> read(const sealer& trust, const http::request& from) {
  http::json_reader in(from.body.empty() ? std::string_view("{}") : std::string_view(from.body));
  redemption_ask out;
  auto& redeem = *out.command.mutable_redeem();
  out.batch = uuid::from_raw(require_id(in, "batch_id"));
  auto member = uuid::from_raw(require_id(in, "member_id"));
  redeem.set_member(member.raw());
  redeem.set_vendor(require_id(in, "vendor_id"));
  redeem.set_amount_minor(in.require_amount("amount_minor"));
  redeem.set_currency(in.require_currency("currency"));
  auto code = in.require_string("code", 64);
  if (!is_code(code))
    in.reject("code", "must be the 6 digits that the member was given");
  redeem.set_client_id(read_number(in));
  if (!wallet_index(out.batch, member))
    in.reject("member_id", "must be a member of the batch in batch_id");
  if (auto wrong = in.finish())
    return *wrong;
  redeem.set_code_hash(trust.code_hash(member, code));
  return out;
}

http::route create(const entity_resource& redemptions) {
  // The table's row is the usual one; only where the command goes differs.
  auto row =
      redemptions.create("Lets a member's wallet pay a vendor", {"maker", "operator"},
                         object_schema({{"batch_id", "id"},
                                        {"member_id", "id"},
                                        {"vendor_id", "id"},
                                        {"amount_minor", "money"},
                                        {"currency", "currency"},
                                        {"code", "text"},
                                        {"id?", R"({"type":"string","minLength":1,"maxLength":)" +
                                                    std::to_string(max_redemption_id) + "}"}}),
                         {});
  row.handle = [with = redemptions.context(), prefix = redemptions.path() + "/"](
                   http::request from, http::responder done) {
    auto ask = read(with->trust, from);
    if (auto* wrong = std::get_if<error>(&ask))
      return done(http::problem(*wrong));
    auto& redemption = std::get<redemption_ask>(ask);
    submit(with, from, {"batch", redemption.batch}, request_id(from),
           redemption.command.SerializeAsString(), {201, prefix, {}}, done);
  };
  return row;
}

http::route one(const entity_resource& redemptions) {
  http::route row;
  row.pattern = redemptions.path() + "/{id}";
  row.tag = redemptions.tag();
  row.summary = "One redemption";
  row.response_schema = redemptions.schema();
  row.handle = [redemptions](http::request from, http::responder done) {
    auto target = redemptions.target(from);
    if (!target)
      return done(http::problem(redemptions.unknown()));
    redemptions.context()->queries.document(
        target->kind, target->id,
        [done, unknown = redemptions.unknown()](std::variant<std::string, error> outcome) {
          if (auto* why = std::get_if<error>(&outcome))
            return done(http::problem(why->code == errc::not_found ? unknown : *why));
          http::response out;
          out.body = std::move(std::get<std::string>(outcome));
          done(std::move(out));
        });
  };
  return row;
}

} // namespace

http::route_table redemption_routes(const shared_context& with) {
  entity_resource redemptions(with, "redemption", "redemptions", redemption_schema());
  return {
      create(redemptions),
      redemptions.list("Redemptions, newest first", true, "vendor", {}),
      one(redemptions),
  };
}

} // namespace rahat::rest
