#include "actors/shared/suspense.hpp"
#include "actors/upload/upload.hpp"

namespace rahat {

namespace {

void evolve_opened(upload::state& now, const pb::UploadOpened& e) {
  now.set_status(pb::UPLOAD_OPENING);
  now.set_id(e.upload());
  now.set_project(e.ask().project());
  now.set_mode(e.ask().mode());
  now.set_file_name(e.ask().file_name());
  now.set_content_type(e.ask().content_type());
  now.set_created_by(e.by());
  now.set_created_us(e.at_us());
  now.set_open_request(e.request());
}

void evolve_staged(upload::state& now, const pb::RowsStaged& e) {
  must_hold(e.chunk() == now.chunks(), "a chunk is missing");
  now.set_chunks(now.chunks() + 1);
  now.set_good_rows(now.good_rows() + e.good());
  now.set_bad_rows(now.bad_rows() + e.bad());
  now.set_amount_minor(now.amount_minor() + e.amount_minor());
}

void evolve_checked(upload::state& now, const pb::UploadChecked& e) {
  now.set_places_asked(e.places_asked());
  if (!e.places_asked())
    now.set_status(pb::UPLOAD_ENROLLING);
  *now.mutable_excluded() = e.excluded();
  now.set_duplicates(static_cast<std::uint32_t>(e.excluded_size()));
  now.set_batches(e.batches());
  for (std::uint32_t i = 0; i < e.batches(); ++i) {
    now.add_batch_members(0);
    now.add_batch_done(false);
    now.add_batch_joined(false);
  }
}

void evolve_batch_done(upload::state& now, const pb::BatchDone& e) {
  auto index = static_cast<int>(e.index());
  must_hold(index < now.batch_done_size() && !now.batch_done(index), "a batch was done twice");
  now.set_batch_done(index, true);
  now.set_batch_members(index, e.members());
  now.set_batches_done(now.batches_done() + 1);
  now.set_members(now.members() + e.members());
}

void evolve_batch_joined(upload::state& now, const pb::BatchJoinedProject& e) {
  auto index = static_cast<int>(e.index());
  must_hold(index < now.batch_joined_size() && !now.batch_joined(index), "a batch joined twice");
  now.set_batch_joined(index, true);
  if (e.refused().empty()) {
    now.set_batches_open(now.batches_open() + 1);
    return;
  }
  now.set_batches_refused(now.batches_refused() + 1);
  now.set_reason(std::to_string(now.batches_refused()) + " of " + std::to_string(now.batches()) +
                 " batches could not join: " + e.refused());
}

void evolve_ended(upload::state& now, pb::UploadStatus status, const std::string& reason) {
  now.set_status(status);
  now.set_reason(reason);
  now.clear_open_request();
}

} // namespace

void upload::evolve(state& now, const event& happened) {
  switch (happened.event_case()) {
    case event::kOpened: return evolve_opened(now, happened.opened());
    case event::kAdmitted:
      now.set_status(pb::UPLOAD_RECEIVING);
      now.set_currency(happened.admitted().currency());
      now.clear_open_request();
      return;
    case event::kStaged: return evolve_staged(now, happened.staged());
    case event::kClosed:
      now.set_status(pb::UPLOAD_CHECKING);
      now.set_content_digest(happened.closed().content_digest());
      return;
    case event::kRejected:
      now.set_duplicates(happened.rejected().duplicates());
      return evolve_ended(now, pb::UPLOAD_REJECTED, happened.rejected().reason());
    case event::kChecked: return evolve_checked(now, happened.checked());
    case event::kBatchDone: return evolve_batch_done(now, happened.batch_done());
    case event::kAccepted: now.set_status(pb::UPLOAD_ACCEPTING); return;
    case event::kBatchJoined: return evolve_batch_joined(now, happened.batch_joined());
    case event::kFinished:
      now.set_status(pb::UPLOAD_ACCEPTED);
      now.set_accepted_us(happened.finished().at_us());
      return;
    case event::kPlacesKept: now.set_status(pb::UPLOAD_ENROLLING); return;
    case event::kFailed: return evolve_ended(now, pb::UPLOAD_FAILED, happened.failed().reason());
    case event::kAbandoned:
      return evolve_ended(now, pb::UPLOAD_ABANDONED, happened.abandoned().reason());
    case event::kCredited:
      if (happened.credited().kept())
        hold_in_suspense(*now.mutable_suspense(), happened.credited().currency(),
                         happened.credited().amount_minor());
      return;
    default: throw broken_invariant("an upload met an event that it does not know");
  }
}

} // namespace rahat
