#include "runtime/decider/decision.hpp"

#include <google/protobuf/descriptor.h>
#include <algorithm>

namespace rahat {

namespace {

void append_be(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
    out += static_cast<char>(value >> shift);
}

/// The name of the case that is set in the message's first oneof.
std::string case_name(const google::protobuf::Message& event) {
  auto* descriptor = event.GetDescriptor();
  must_hold(descriptor->oneof_decl_count() > 0, "an event type needs a oneof");
  auto* field = event.GetReflection()->GetOneofFieldDescriptor(event, descriptor->oneof_decl(0));
  must_hold(field != nullptr, "an event without a case was recorded");
  return field->name();
}

} // namespace

uuid purpose_of(const entity_ref& debited, std::string_view why, std::string_view callers_id) {
  return derive_id({"transfer", debited.kind, debited.id.raw(), why, callers_id});
}

digest digest_of(const std::vector<line_row>& rows) {
  std::string bytes;
  bytes.reserve(rows.size() * 28);
  for (auto& row : rows) {
    append_be(bytes, row.no, 4);
    bytes += row.wallet.raw();
    append_be(bytes, static_cast<std::uint64_t>(row.amount_minor), 8);
  }
  return sha256(bytes);
}

decision& decision::record(const google::protobuf::Message& event, std::int32_t level) {
  events_.push_back({case_name(event), event.SerializeAsString(), level});
  level_ = std::max(level_, level);
  return *this;
}

decision& decision::tell(const entity_ref& to, const google::protobuf::Message& message,
                         std::int32_t level) {
  told_.push_back({to, message.SerializeAsString(), level});
  level_ = std::max(level_, level);
  return *this;
}

decision& decision::move(transfer t) {
  must_hold(t.amount_minor > 0, "a transfer moves a positive amount");
  must_hold(t.debit != t.credit, "a transfer needs two accounts");
  must_hold(t.currency.size() == 3, "a transfer needs a currency");
  transfers_.push_back(std::move(t));
  return *this;
}

decision& decision::pay_lines(line_payment payment) {
  must_hold(payment.count > 0 && payment.sum_minor > 0, "a chunk has lines and money");
  payments_.push_back(std::move(payment));
  return *this;
}

decision& decision::insert_lines(line_rows lines) {
  lines_.push_back(std::move(lines));
  return *this;
}

decision& decision::stage(staged_rows rows) {
  staged_.push_back(std::move(rows));
  return *this;
}

decision& decision::open_account(account_range accounts) {
  accounts_.push_back(std::move(accounts));
  return *this;
}

decision& decision::publish(std::string kind, uuid id, query_keys keys,
                            const google::protobuf::Message& answer) {
  published_.push_back({std::move(kind), id, std::move(keys), answer.SerializeAsString()});
  return *this;
}

decision& decision::set_timer(std::string name, std::int64_t due_us) {
  must_hold(due_us > 0, "a timer needs a time");
  timers_.emplace_back(std::move(name), due_us);
  return *this;
}

decision& decision::cancel_timer(std::string name) {
  timers_.emplace_back(std::move(name), 0);
  return *this;
}

decision& decision::answer(const google::protobuf::Message& answer) {
  answer_ = answer.SerializeAsString();
  return *this;
}

decision& decision::status(std::uint32_t http_status) {
  http_status_ = http_status;
  return *this;
}

decision& decision::refuse(error why) {
  refusal_ = std::move(why);
  return *this;
}

decision& decision::postpone() {
  postponed_ = true;
  return *this;
}

decision& decision::answer_request(uuid request, const google::protobuf::Message& answer,
                                   std::uint32_t http_status) {
  late_answers_.push_back({request, answer.SerializeAsString(), http_status, std::nullopt});
  return *this;
}

decision& decision::refuse_request(uuid request, error why) {
  late_answers_.push_back({request, {}, 0, std::move(why)});
  return *this;
}

} // namespace rahat
