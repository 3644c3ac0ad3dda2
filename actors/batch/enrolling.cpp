#include "actors/batch/steps.hpp"
#include "actors/upload/upload.pb.h"
#include "runtime/decider/account.hpp"

#include <algorithm>

namespace rahat::batch_steps {

namespace {

entity_ref upload_of(const batch::state& now) {
  return {"upload", uuid::from_raw(now.enrol().upload())};
}

entity_ref project_of(const batch::state& now) {
  return {"project", uuid::from_raw(now.enrol().project())};
}

std::uint32_t last_of_chunk(const batch::state& now) {
  return std::min(now.enrol().last(), now.next_ordinal() + batch::chunk_members - 1);
}

bool is_excluded(const pb::Enroll& enrol, std::uint32_t ordinal) {
  return std::binary_search(enrol.excluded().begin(), enrol.excluded().end(), ordinal);
}

} // namespace

bool is_enrolling(const batch::state& now) {
  return now.status() == pb::BATCH_ENROLLING && now.next_ordinal() <= now.enrol().last();
}

decision enroll(const batch::state& now, const pb::Enroll& ask, const context& ctx) {
  must_hold(now.status() == pb::BATCH_NONE, "a batch was asked twice to enrol members");
  must_hold(ask.first() <= ask.last() && ask.last() - ask.first() < batch::max_members,
            "a batch was asked to enrol too many members");
  auto members = ask.last() - ask.first() + 1 - static_cast<std::uint32_t>(ask.excluded_size());
  must_hold(members > 0 && members <= batch::max_members, "a batch was asked to enrol nobody");

  pb::BatchEvent event;
  *event.mutable_enrol_started()->mutable_ask() = ask;
  event.mutable_enrol_started()->set_at_us(ctx.now_us);
  decision d;
  d.record(event);
  d.open_account({wallet_of(ctx.self.id, 0), wallet_of(ctx.self.id, members - 1),
                  uuid::from_raw(ask.project()), ask.currency(), "wallet"});
  return d;
}

/// Own work: the next 1,000 rows become members. The last of them tell the upload.
decision enrol_members(const batch::state& now, const context& ctx) {
  must_hold(ctx.feed != nullptr, "members cannot be enrolled without their rows");
  auto last = last_of_chunk(now);
  must_hold(static_cast<std::uint32_t>(ctx.feed->rows_size()) == last - now.next_ordinal() + 1,
            "staged rows are missing");

  pb::BatchEvent event;
  auto& enrolled = *event.mutable_members_enrolled();
  auto expected = now.next_ordinal();
  for (auto& row : ctx.feed->rows()) {
    must_hold(row.ordinal() == expected++, "staged rows are out of order");
    if (is_excluded(now.enrol(), row.ordinal()))
      continue;
    must_hold(row.person().size() == 16, "a staged row names no household");
    enrolled.mutable_persons()->append(row.person());
    enrolled.add_amounts(row.amount_minor());
    enrolled.add_ordinals(row.ordinal());
  }
  enrolled.set_next(last + 1);
  decision d;
  d.record(event);
  if (last == now.enrol().last()) {
    pb::UploadMessage news;
    auto& done = *news.mutable_enrolled();
    done.set_index(now.enrol().index());
    done.set_members(batch::members(now) + static_cast<std::uint32_t>(enrolled.amounts_size()));
    done.set_batch(ctx.self.id.raw());
    d.tell(upload_of(now), news);
  }
  return d;
}

/// The whole register was good: the members may be seen. The project is told, and tells the upload
/// that it knows the batch.
decision accept(const batch::state& now, const context& ctx) {
  must_hold(now.status() == pb::BATCH_ENROLLING && !is_enrolling(now),
            "a batch was accepted before its members were enrolled");
  pb::BatchEvent opened;
  opened.mutable_opened()->set_at_us(ctx.now_us);
  pb::BatchEvent asked;
  assign(*asked.mutable_vendor_asked(), project_of(now));
  pb::ProjectMessage news;
  assign(*news.mutable_batch_opened()->mutable_batch(), ctx.self);
  news.mutable_batch_opened()->set_members(batch::members(now));
  news.mutable_batch_opened()->set_upload(now.enrol().upload());
  news.mutable_batch_opened()->set_index(now.enrol().index());

  decision d;
  d.record(asked);
  d.record(opened);
  d.tell(project_of(now), ask_project(ctx));
  d.tell(project_of(now), news);
  return d;
}

/// Its upload was given up, or the project has no room for it. Nobody is sent away with money, a
/// pay list or a question: such a batch stays.
decision drop(const batch::state& now) {
  must_hold(now.status() != pb::BATCH_NONE, "a batch that does not exist was dropped");
  auto& wallets = now.balances();
  if (!now.locks().empty() || !now.waiting().empty() ||
      std::any_of(wallets.begin(), wallets.end(), [](auto balance) { return balance != 0; }))
    return {};
  pb::BatchEvent event;
  event.mutable_dropped();
  decision d;
  d.record(event);
  return d;
}

pb::ProjectMessage ask_project(const context& ctx) {
  pb::ProjectMessage question;
  assign(*question.mutable_ask()->mutable_asker(), ctx.self);
  return question;
}

} // namespace rahat::batch_steps
