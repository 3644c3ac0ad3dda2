#include "gateways/rest/bounds.hpp"
#include "gateways/rest/entity_resource.hpp"
#include "gateways/rest/pay_lines.hpp"
#include "gateways/rest/presenters.hpp"
#include "gateways/rest/view_parts.hpp"

/// /v2/disbursements: sums of money promised to the members of batches, from draft to paid.
namespace rahat::rest {

namespace {

constexpr std::string_view statuses[] = {"draft",     "locking",  "locked", "approved",
                                         "reserving", "paying",   "paused", "cancelling",
                                         "cancelled", "completed"};

constexpr std::size_t digest_bytes = 32;

/// Which lines are posted and which are paid, in line numbers. Chunks are decided in order, so
/// what is posted is one range; they are applied in any order, so what is paid is a list of ranges.
/// Neighbours in the list are joined even if numbers between them are free, so that there are as
/// many ranges as runs of chunks, however many lines were left out.
void progress_of(json_writer& out, const pb::DisbursementState& now) {
  auto decided = static_cast<int>(now.next_chunk());
  auto known = std::min(decided, now.chunks_size());
  out.number("posted_through_line", known > 0 ? now.chunks(known - 1).lines().last() : 0);
  out.begin_array("paid_lines");
  const pb::ChunkDigest* first = nullptr; // of the range that is being joined
  const pb::ChunkDigest* last = nullptr;
  auto close_range = [&] {
    if (first)
      out.begin_array().element(first->first()).element(last->last()).end_array();
    first = nullptr;
  };
  for (int i = 0; i < known; ++i) {
    auto& chunk = now.chunks(i);
    if (!chunk.applied()) {
      close_range();
      continue;
    }
    last = &chunk.lines();
    if (!first)
      first = last;
  }
  close_range();
  out.end_array();
}

} // namespace

std::string view_of(const pb::DisbursementState& now, const entity_ref& self,
                    std::uint64_t version) {
  auto& details = now.details();
  json_writer out(1536);
  begin_view(out, self, version)
      .status("status", pb::DisbursementStatus_Name(now.status()))
      .id("project_id", details.project())
      .text("name", details.name())
      .text_or_null("currency", now.currency().empty() ? details.currency() : now.currency())
      .number("amount_each_minor", details.amount_each_minor())
      .number("batches", now.batches_size())
      .number("batches_answered", now.batches_answered())
      .number("round", now.round())
      .id("list_id", now.list())
      .number("lines", now.lines())
      .number("amount_minor", now.amount_minor())
      .hex("digest", now.digest())
      .number("lines_posted", now.lines_decided())
      .number("posted_minor", now.decided_minor())
      .number("lines_paid", now.lines_paid())
      .number("paid_minor", now.paid_minor());
  progress_of(out, now);
  out.number("reserved_minor", now.reserved_minor())
      .number("reserve_minor", now.reserve_minor())
      .id("reserve_account_id", now.reserve_account())
      .begin_array("approvals");
  for (auto& approval : now.approvals())
    out.begin_object()
        .text("by", approval.by())
        .text("note", approval.note())
        .hex("digest", approval.digest())
        .time("at", approval.at_us())
        .end_object();
  out.end_array()
      .text_or_null("reason", now.reason())
      .text("created_by", now.created_by())
      .time("created_at", now.created_us())
      .time("approved_at", now.approved_us())
      .time("paying_since", now.paying_since_us())
      .time("ended_at", now.ended_us());
  suspense_of(out, now.suspense()).end_object();
  return out.take();
}

std::string render_of(const pb::DisbursementAnswer&) {
  return "{}"; // every answer is the view
}

namespace {

std::string disbursement_schema() {
  auto approval =
      object_schema({{"by", "text"}, {"note", "text"}, {"digest", "digest?"}, {"at", "time?"}});
  return object_schema(
      {{"id", "id"},
       {"version", "int"},
       {"status", one_of_schema(statuses)},
       {"project_id", "id"},
       {"name", "text"},
       {"currency", "currency?"},
       {"amount_each_minor", "money"},
       {"batches", "int"},
       {"batches_answered", "int"},
       {"round", "int"},
       {"list_id", "id?"},
       {"lines", "int"},
       {"amount_minor", "money"},
       {"digest", "digest?"},
       {"lines_posted", "int"},
       {"posted_minor", "money"},
       {"lines_paid", "int"},
       {"paid_minor", "money"},
       {"posted_through_line", "int"},
       {"paid_lines", R"({"type":"array","items":{"type":"array","items":{"type":"integer"}},)"
                      R"("description":"ranges of line numbers that are in their wallets"})"},
       {"reserved_minor", "money"},
       {"reserve_minor", "money"},
       {"reserve_account_id", "id?"},
       {"approvals", R"({"type":"array","items":)" + approval + "}"},
       {"reason", "text?"},
       {"created_by", "text"},
       {"created_at", "time?"},
       {"approved_at", "time?"},
       {"paying_since", "time?"},
       {"ended_at", "time?"},
       {"suspense", suspense_schema}});
}

/// 64 hex digits as 32 bytes; empty when they are not.
std::string digest_from(std::string_view text) {
  std::string out;
  if (text.size() != 2 * digest_bytes)
    return out;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    auto value = [](char c) {
      return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    };
    auto high = value(text[i]);
    auto low = value(text[i + 1]);
    if (high < 0 || low < 0)
      return {};
    out += static_cast<char>(high << 4 | low);
  }
  return out;
}

/// `batch_ids`, or `batches` for those who guess.
void read_batches(http::json_reader& in, pb::CreateDisbursement& ask) {
  for (std::string_view name : {"batch_ids", "batches"}) {
    auto named = in.optional_strings(name, max_batch_ids, 64);
    if (in.has(name) && named.empty())
      in.reject(name, "must name at least one batch: leave it out to pay all of the project's");
    for (auto& text : named) {
      if (auto id = uuid::parse(text))
        ask.add_batches(id->raw());
      else
        in.reject(name, "must hold ids of batches, e.g. from GET /v2/batches");
    }
  }
  if (in.has("batch_ids") && in.has("batches"))
    in.reject("batches", "is another name of batch_ids: give one of them");
}

/// `amount_minor`, or `amount_each_minor`, as the view calls it.
void read_amount(http::json_reader& in, pb::CreateDisbursement& ask) {
  auto amount = in.optional_amount("amount_minor");
  auto each = in.optional_amount("amount_each_minor");
  if (amount && each)
    in.reject("amount_each_minor", "is another name of amount_minor: give one of them");
  ask.set_amount_each_minor(amount.value_or(each.value_or(0)));
}

http::route create(const entity_resource& disbursements) {
  return disbursements.create(
      "Drafts a disbursement for the members of a project's batches; the project must exist and "
      "not "
      "be closed",
      {"maker"},
      object_schema(
          {{"project_id", "id"},
           {"name", "text"},
           {"batch_ids?", R"({"type":"array","minItems":1,"maxItems":)" +
                              std::to_string(max_batch_ids) +
                              R"(,"items":{"type":"string","format":"uuid"},)"
                              R"("description":"left out: all batches of the project"})"},
           {"amount_minor?", R"({"type":"integer","format":"int64","minimum":1,)"
                             R"("description":"minor units, the same for each household; )"
                             R"(left out: what each one's register row says"})"},
           {"currency?", R"({"type":"string","pattern":"^[A-Z]{3}$",)"
                         R"("description":"left out: the project's; another one is refused"})"}}),
      reads<pb::DisbursementCommand>([](http::json_reader& in, pb::DisbursementCommand& out) {
        auto& ask = *out.mutable_create();
        ask.set_project(require_id(in, "project_id"));
        ask.set_name(in.require_string("name", max_text));
        read_batches(in, ask);
        read_amount(in, ask);
        ask.set_currency(optional_currency(in, "currency"));
      }));
}

http::route approve(const entity_resource& disbursements) {
  return disbursements.act(
      "approve", "Approves the pay list that carries this digest; never by its maker", {"checker"},
      object_schema({{"digest", "digest"}, {"note?", "text"}}),
      reads<pb::DisbursementCommand>([](http::json_reader& in, pb::DisbursementCommand& out) {
        auto& ask = *out.mutable_approve();
        ask.set_digest(digest_from(in.require_string("digest", 128)));
        if (ask.digest().empty())
          in.reject("digest", "must be the digest of the locked disbursement, 64 hex digits");
        ask.set_note(optional_text(in, "note"));
      }));
}

} // namespace

http::route_table disbursement_routes(const shared_context& with) {
  entity_resource disbursements(with, "disbursement", "disbursements", disbursement_schema());
  using command = pb::DisbursementCommand;
  auto empty = std::string(empty_schema);
  auto reason = std::string(reason_schema);
  return {
      create(disbursements),
      disbursements.list("Disbursements, newest first", true, "", statuses),
      disbursements.one("One disbursement"),
      disbursements.act("lock", "Fixes who gets what: batches write their lines", {"maker"}, empty,
                        reads<command>([](http::json_reader&, command& o) { o.mutable_lock(); })),
      approve(disbursements),
      disbursements.act("reject", "Sends a locked disbursement back to draft", {"checker"}, reason,
                        reads<command>([](http::json_reader& in, command& out) {
                          out.mutable_reject()->set_reason(reason_in(in));
                        })),
      disbursements.act("pay", "Reserves the money and pays every line", {"maker"}, empty,
                        reads<command>([](http::json_reader&, command& o) { o.mutable_pay(); })),
      disbursements.act("pause", "Stops after the chunks already decided",
                        {"maker", "checker", "operator"}, reason,
                        reads<command>([](http::json_reader& in, command& out) {
                          out.mutable_pause()->set_reason(reason_in(in));
                        })),
      disbursements.act("resume", "Goes on after a pause", {"maker", "checker", "operator"}, empty,
                        reads<command>([](http::json_reader&, command& o) { o.mutable_resume(); })),
      disbursements.act("cancel", "Ends it after the chunks already decided; the rest goes back",
                        {"maker", "checker", "operator"}, reason,
                        reads<command>([](http::json_reader& in, command& out) {
                          out.mutable_cancel()->set_reason(reason_in(in));
                        })),
      pay_lines_route(disbursements),
  };
}

} // namespace rahat::rest
