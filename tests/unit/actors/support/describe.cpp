#include "tests/unit/actors/support/describe.hpp"

#include "actors/batch/batch.pb.h"
#include "actors/disbursement/disbursement.pb.h"
#include "actors/project/project.pb.h"
#include "actors/settlement/settlement.pb.h"
#include "actors/upload/upload.pb.h"
#include "actors/vendor/vendor.pb.h"

#include <memory>

namespace rahat::testing {

namespace {

std::unique_ptr<google::protobuf::Message> message_for(std::string_view kind) {
  if (kind == "project")
    return std::make_unique<pb::ProjectMessage>();
  if (kind == "upload")
    return std::make_unique<pb::UploadMessage>();
  if (kind == "batch")
    return std::make_unique<pb::BatchMessage>();
  if (kind == "disbursement")
    return std::make_unique<pb::DisbursementMessage>();
  if (kind == "vendor")
    return std::make_unique<pb::VendorMessage>();
  if (kind == "settlement")
    return std::make_unique<pb::SettlementMessage>();
  return nullptr;
}

void add_answers(std::vector<std::string>& out, const decision& d) {
  if (d.postponed())
    out.push_back("postpone");
  else if (!d.refusal() && d.http_status() != 200)
    out.push_back("answer " + std::to_string(d.http_status()));
  for (auto& late : d.late_answers())
    out.push_back("later " + (late.refusal ? std::string(to_string(late.refusal->code))
                                           : std::to_string(late.http_status)));
}

} // namespace

std::vector<std::string> events_of(const decision& d) {
  std::vector<std::string> out;
  for (auto& event : d.events())
    out.push_back(event.type);
  return out;
}

std::string case_of(std::string_view kind, std::string_view message) {
  auto m = message_for(kind);
  if (m == nullptr)
    return "message";
  must_hold(m->ParseFromArray(message.data(), static_cast<int>(message.size())),
            "a message of another kind was told");
  auto* field = m->GetReflection()->GetOneofFieldDescriptor(*m, m->GetDescriptor()->oneof_decl(0));
  must_hold(field != nullptr, "a message without a case was told");
  return field->name();
}

std::vector<std::string> effects_of(const decision& d) {
  std::vector<std::string> out;
  for (auto& account : d.accounts())
    out.push_back("open " + account.role);
  for (auto& transfer : d.transfers())
    out.push_back("move " + transfer.why);
  for (std::size_t i = 0; i < d.payments().size(); ++i)
    out.push_back("pay lines");
  for (std::size_t i = 0; i < d.lines().size(); ++i)
    out.push_back("insert lines");
  for (std::size_t i = 0; i < d.staged().size(); ++i)
    out.push_back("stage");
  for (auto& entry : d.published())
    out.push_back("publish " + entry.kind);
  for (auto& told : d.told())
    out.push_back("tell " + told.to.kind + " " + case_of(told.to.kind, told.bytes));
  for (auto& [name, due_us] : d.timers())
    out.push_back((due_us == 0 ? "cancel timer " : "timer ") + name);
  add_answers(out, d);
  return out;
}

std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (auto& part : parts)
    out += (out.empty() ? "" : ", ") + part;
  return out;
}

} // namespace rahat::testing
