#include "actors/upload/upload.hpp"

#include "actors/batch/batch.pb.h"
#include "actors/shared/suspense.hpp"
#include "actors/shared/text.hpp"
#include "runtime/decider/account.hpp"

#include <algorithm>
#include <set>

namespace rahat {

namespace {

void append_be(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
    out += static_cast<char>(value >> shift);
}

void append_sized(std::string& out, std::string_view text) {
  append_be(out, text.size(), 4);
  out += text;
}

bool is_id(std::string_view raw) {
  return raw.size() == 16 && !uuid::from_raw(raw).is_nil();
}

// ---- open ------------------------------------------------------------------------------------

std::optional<error> fault_in(const pb::OpenUpload& ask) {
  if (!is_id(ask.project()))
    return reject(errc::invalid_input, "name the project that the register is for", "project");
  if (ask.mode() != pb::UPLOAD_ALL && ask.mode() != pb::UPLOAD_SKIP_BAD)
    return reject(errc::invalid_input, "the mode is all or skip-bad", "mode");
  if (!is_text(ask.file_name(), upload::max_file_name))
    return reject(errc::invalid_input, "the file's name may have at most 255 characters",
                  "file_name");
  if (!is_text(ask.content_type(), upload::max_content_type))
    return reject(errc::invalid_input, "the content type may have at most 100 characters",
                  "content_type");
  return std::nullopt;
}

/// Answered when the project has said whether it takes households.
result open(const upload::state& now, const pb::OpenUpload& ask, const context& ctx) {
  if (now.status() != pb::UPLOAD_NONE)
    return reject(errc::already_exists, "this upload exists already");
  if (auto fault = fault_in(ask))
    return *fault;

  pb::UploadEvent event;
  auto& opened = *event.mutable_opened();
  *opened.mutable_ask() = ask;
  opened.set_by(ctx.who.user);
  opened.set_at_us(ctx.now_us);
  opened.set_request(ctx.request_id.raw());
  opened.set_upload(ctx.self.id.raw());
  pb::ProjectMessage question;
  assign(*question.mutable_ask()->mutable_asker(), ctx.self);

  decision d;
  d.record(event);
  d.tell({"project", uuid::from_raw(ask.project())}, question);
  d.set_timer(std::string(upload::abandon_timer), ctx.now_us + upload::abandon_after_us);
  d.postpone();
  return d;
}

decision reject_upload(const std::string& reason, std::uint64_t duplicates = 0) {
  pb::UploadEvent event;
  event.mutable_rejected()->set_reason(reason);
  event.mutable_rejected()->set_duplicates(static_cast<std::uint32_t>(duplicates));
  decision d;
  d.record(event);
  return d;
}

decision project_known(const upload::state& now, const pb::ProjectFact& fact, const context&) {
  if (now.status() != pb::UPLOAD_OPENING)
    return {};
  auto request = uuid::from_raw(now.open_request());
  if (fact.status() == pb::PROJECT_NONE) {
    auto d = reject_upload("there is no such project");
    d.refuse_request(request, reject(errc::not_found, "there is no such project", "project"));
    d.cancel_timer(std::string(upload::abandon_timer));
    return d;
  }
  if (fact.status() != pb::PROJECT_DRAFT && fact.status() != pb::PROJECT_ACTIVE) {
    auto reason = "the project is suspended or closed: it takes no households now";
    auto d = reject_upload(reason);
    d.refuse_request(request, reject(errc::project_not_active, reason));
    d.cancel_timer(std::string(upload::abandon_timer));
    return d;
  }
  if (fact.full()) {
    auto reason = "the project has all the batches that it can have: upload to another project";
    auto d = reject_upload(reason);
    d.refuse_request(request, reject(errc::limit_exceeded, reason));
    d.cancel_timer(std::string(upload::abandon_timer));
    return d;
  }
  pb::UploadEvent event;
  event.mutable_admitted()->set_currency(fact.currency());
  decision d;
  d.record(event);
  d.answer_request(request, pb::UploadAnswer(), 201); // the upload's view is the answer
  return d;
}

// ---- stage -----------------------------------------------------------------------------------

std::optional<error> fault_in(const pb::StagedRow& row) {
  if (row.row() == 0)
    return reject(errc::invalid_input, "rows are numbered from 1", "row");
  if (!is_id(row.person()))
    return reject(errc::invalid_input, "a row names no household", "person");
  if (row.amount_minor() < 0)
    return reject(errc::invalid_input, "an amount is negative", "amount_minor");
  if (row.sealed().size() > upload::max_sealed_bytes ||
      row.wrapped_key().size() > upload::max_wrapped_key_bytes)
    return reject(errc::limit_exceeded, "a row is longer than 8192 bytes: shorten its columns",
                  "sealed");
  return std::nullopt;
}

std::optional<error> fault_in(const pb::RowError& bad) {
  if (bad.row() == 0)
    return reject(errc::invalid_input, "rows are numbered from 1", "row");
  if (!is_text(bad.field(), upload::max_field) || !is_text(bad.message(), upload::max_message))
    return reject(errc::invalid_input, "a row's error is too long", "errors");
  return std::nullopt;
}

std::optional<error> fault_in(const upload::state& now, const pb::StageRows& ask) {
  if (now.status() != pb::UPLOAD_RECEIVING)
    return reject(errc::wrong_status, "this upload takes no rows now");
  if (ask.chunk() != now.chunks())
    return reject(errc::wrong_status,
                  "the next chunk is number " + std::to_string(now.chunks()) + ": send that one",
                  "chunk");
  if (ask.rows_size() + ask.errors_size() == 0)
    return reject(errc::invalid_input, "the chunk is empty", "rows");
  if (ask.rows_size() + ask.errors_size() > upload::max_chunk_rows)
    return reject(errc::limit_exceeded, "a chunk holds at most 1000 rows and errors", "rows");
  if (now.good_rows() + ask.rows_size() > upload::max_rows ||
      now.bad_rows() + ask.errors_size() > upload::max_rows)
    return reject(errc::limit_exceeded,
                  "an upload holds at most 1000000 rows: split the register into several", "rows");
  std::int64_t sum = now.amount_minor();
  for (auto& row : ask.rows()) {
    if (auto fault = fault_in(row))
      return fault;
    if (row.amount_minor() > upload::max_amount_minor - sum)
      return reject(errc::limit_exceeded,
                    "the amounts of an upload are at most 9000000000000000 minor units in all",
                    "amount_minor");
    sum += row.amount_minor();
  }
  for (auto& bad : ask.errors())
    if (auto fault = fault_in(bad))
      return fault;
  return std::nullopt;
}

staged_rows rows_of(const upload::state& now, const pb::StageRows& ask) {
  staged_rows out;
  out.upload = uuid::from_raw(now.id());
  auto ordinal = now.good_rows();
  for (auto& row : ask.rows())
    out.rows.push_back({ordinal++, row.row(), uuid::from_raw(row.person()), row.amount_minor(),
                        row.sealed(), row.wrapped_key()});
  for (auto& bad : ask.errors())
    out.errors.push_back({bad.row(), bad.field(), bad.message()});
  return out;
}

/// Rows with at least one error; a row's errors come in one chunk.
std::uint32_t bad_rows_in(const pb::StageRows& ask) {
  std::set<std::uint32_t> rows;
  for (auto& bad : ask.errors())
    rows.insert(bad.row());
  return static_cast<std::uint32_t>(rows.size());
}

result stage(const upload::state& now, const pb::StageRows& ask, const context& ctx) {
  if (auto fault = fault_in(now, ask))
    return *fault;

  auto rows = rows_of(now, ask);
  auto good = static_cast<std::uint32_t>(ask.rows_size());
  auto bad = bad_rows_in(ask);
  pb::UploadEvent event;
  auto& staged = *event.mutable_staged();
  staged.set_chunk(ask.chunk());
  staged.set_good(good);
  staged.set_bad(bad);
  staged.set_digest(std::string(view(digest_of(rows))));
  std::int64_t sum = 0;
  for (auto& row : ask.rows())
    sum += row.amount_minor();
  staged.set_amount_minor(sum);
  pb::UploadAnswer answer;
  answer.mutable_staged()->set_chunk(ask.chunk());
  answer.mutable_staged()->set_good(good);
  answer.mutable_staged()->set_bad(bad);

  decision d;
  d.record(event);
  d.stage(std::move(rows));
  d.set_timer(std::string(upload::abandon_timer), ctx.now_us + upload::abandon_after_us);
  d.answer(answer);
  return d;
}

// ---- close and abandon -----------------------------------------------------------------------

result close(const upload::state& now, const pb::CloseUpload& ask, const context&) {
  if (now.status() != pb::UPLOAD_RECEIVING)
    return reject(errc::wrong_status, "only an upload that is receiving rows can be closed");
  if (ask.chunks() != now.chunks())
    return reject(errc::invalid_input,
                  "the upload has " + std::to_string(now.chunks()) + " chunks, not " +
                      std::to_string(ask.chunks()) + ": send those that are missing",
                  "chunks");
  if (ask.content_digest().size() != sizeof(digest))
    return reject(errc::invalid_input, "the content's digest has 32 bytes", "content_digest");

  pb::UploadEvent event;
  event.mutable_closed()->set_content_digest(ask.content_digest());
  decision d;
  d.record(event);
  d.cancel_timer(std::string(upload::abandon_timer));
  return d;
}

decision abandoned(const upload::state& now, const std::string& reason) {
  pb::UploadEvent event;
  event.mutable_abandoned()->set_reason(reason);
  decision d;
  d.record(event);
  if (!now.open_request().empty())
    d.refuse_request(uuid::from_raw(now.open_request()),
                     reject(errc::wrong_status, "the upload was abandoned: " + reason));
  return d;
}

result abandon(const upload::state& now, const pb::AbandonUpload& ask, const context&) {
  if (now.status() != pb::UPLOAD_OPENING && now.status() != pb::UPLOAD_RECEIVING)
    return reject(errc::wrong_status, "only an upload that is not closed yet can be abandoned");
  if (!is_text(ask.reason(), upload::max_reason))
    return reject(errc::invalid_input, "the reason may have at most 500 characters", "reason");
  auto d = abandoned(now, ask.reason());
  d.cancel_timer(std::string(upload::abandon_timer));
  return d;
}

// ---- check and enrol -------------------------------------------------------------------------

void report_duplicates(decision& d, const upload::state& now, const wire::Feed& duplicates) {
  staged_rows out;
  out.upload = uuid::from_raw(now.id());
  for (auto& row : duplicates.rows())
    out.errors.push_back(
        {row.row(), "external_ref", "this household stands in an earlier row already"});
  if (!out.errors.empty())
    d.stage(std::move(out));
}

/// Why the register is refused as a whole; empty if it is not.
std::string refusal_of(const upload::state& now, std::uint64_t duplicates) {
  if (now.mode() == pb::UPLOAD_ALL && (now.bad_rows() > 0 || duplicates > 0))
    return std::to_string(now.bad_rows()) + " rows are in error and " + std::to_string(duplicates) +
           " repeat an earlier one: correct them, or upload with mode=skip-bad";
  if (duplicates > upload::max_duplicates)
    return std::to_string(duplicates) +
           " rows repeat an earlier one, more than 10000: clean the register first";
  if (now.good_rows() == 0)
    return "the register has no good row";
  return {};
}

pb::Enroll enrolment(const upload::state& now, std::uint32_t index,
                     const std::vector<std::uint32_t>& excluded) {
  pb::Enroll ask;
  ask.set_upload(now.id());
  ask.set_project(now.project());
  ask.set_index(index);
  ask.set_first(index * upload::batch_rows);
  ask.set_last(std::min(now.good_rows(), (index + 1) * upload::batch_rows) - 1);
  auto from = std::lower_bound(excluded.begin(), excluded.end(), ask.first());
  auto to = std::upper_bound(from, excluded.end(), ask.last());
  for (; from != to; ++from)
    ask.add_excluded(*from);
  ask.set_currency(now.currency());
  ask.set_by(now.created_by());
  return ask;
}

bool is_empty(const pb::Enroll& ask) {
  return static_cast<std::uint32_t>(ask.excluded_size()) == ask.last() - ask.first() + 1;
}

decision check(const upload::state& now, const wire::Feed& duplicates) {
  if (auto reason = refusal_of(now, duplicates.total()); !reason.empty()) {
    auto d = reject_upload(reason, duplicates.total());
    report_duplicates(d, now, duplicates);
    return d;
  }
  must_hold(static_cast<std::uint64_t>(duplicates.rows_size()) == duplicates.total(),
            "not all duplicates were read");
  std::vector<std::uint32_t> excluded;
  for (auto& row : duplicates.rows())
    excluded.push_back(row.ordinal());
  std::sort(excluded.begin(), excluded.end());

  auto batches = (now.good_rows() + upload::batch_rows - 1) / upload::batch_rows;
  pb::UploadEvent event;
  event.mutable_checked()->set_batches(batches);
  event.mutable_checked()->set_places_asked(true);
  for (auto ordinal : excluded)
    event.mutable_checked()->add_excluded(ordinal);
  pb::ProjectMessage question;
  auto& places = *question.mutable_ask_places();
  places.set_upload(now.id());
  for (std::uint32_t index = 0; index < batches; ++index)
    if (!is_empty(enrolment(now, index, excluded)))
      places.set_batches(places.batches() + 1);
  decision d;
  d.record(event);
  report_duplicates(d, now, duplicates);
  d.tell({"project", uuid::from_raw(now.project())}, question);
  return d;
}

/// Room for all of the batches, or for none: nothing was made yet that would have to be undone.
decision placed(const upload::state& now, const pb::PlacesAnswer& news) {
  must_hold(now.status() == pb::UPLOAD_CHECKING && now.places_asked(),
            "an upload that has not asked for places was told of them");
  if (!news.refused().empty())
    return reject_upload(news.refused(), now.duplicates());
  const std::vector<std::uint32_t> excluded(now.excluded().begin(), now.excluded().end());
  pb::UploadEvent event;
  event.mutable_places_kept();
  decision d;
  d.record(event);
  for (std::uint32_t index = 0; index < now.batches(); ++index) {
    pb::BatchMessage ask;
    *ask.mutable_enroll() = enrolment(now, index, excluded);
    if (is_empty(ask.enroll())) { // nobody new in these rows: there will be no such batch
      pb::UploadEvent done;
      done.mutable_batch_done()->set_index(index);
      d.record(done);
    } else {
      d.tell({"batch", upload::batch_id(uuid::from_raw(now.id()), index)}, ask);
    }
  }
  return d;
}

/// Once the last batch has enrolled its members, all of them may show them: the commit point. Each
/// opens and joins the project, which tells us.
decision enrolled(const upload::state& now, const pb::BatchEnrolled& news, const context& ctx) {
  must_hold(now.status() == pb::UPLOAD_ENROLLING && news.index() < now.batches() &&
                !now.batch_done(static_cast<int>(news.index())),
            "a batch that was not asked for has enrolled members");
  pb::UploadEvent done;
  done.mutable_batch_done()->set_index(news.index());
  done.mutable_batch_done()->set_members(news.members());
  decision d;
  d.record(done);
  if (now.batches_done() + 1 < now.batches())
    return d;

  pb::UploadEvent accepted;
  accepted.mutable_accepted()->set_at_us(ctx.now_us);
  d.record(accepted);
  pb::BatchMessage accept;
  accept.mutable_accept();
  for (std::uint32_t index = 0; index < now.batches(); ++index)
    if (index == news.index() || now.batch_members(static_cast<int>(index)) > 0)
      d.tell({"batch", upload::batch_id(uuid::from_raw(now.id()), index)}, accept);
  return d;
}

/// A batch for which nobody was enrolled was never made and joins nothing.
std::uint32_t batches_made(const upload::state& now) {
  return static_cast<std::uint32_t>(std::count_if(now.batch_members().begin(),
                                                  now.batch_members().end(),
                                                  [](auto members) { return members > 0; }));
}

decision failed(const upload::state& now, const pb::BatchJoinedProject& last, decision d) {
  auto after = now;
  pb::UploadEvent event;
  *event.mutable_batch_joined() = last;
  upload::evolve(after, event);
  pb::UploadEvent end;
  end.mutable_failed()->set_reason(after.reason());
  d.record(end);
  return d;
}

/// The last batch that joins the project makes the upload accepted. Each has a place there, unless
/// the upload was checked by a version that did not ask: one that is turned away is dropped, and
/// the upload has failed when all have been heard of.
decision joined(const upload::state& now, const pb::BatchJoinedProject& news, const context& ctx) {
  must_hold(now.status() == pb::UPLOAD_ACCEPTING && news.index() < now.batches() &&
                now.batch_members(static_cast<int>(news.index())) > 0 &&
                !now.batch_joined(static_cast<int>(news.index())),
            "a batch that was not asked for has joined the project");
  pb::UploadEvent event;
  *event.mutable_batch_joined() = news;
  decision d;
  d.record(event);
  bool refused = !news.refused().empty();
  if (refused) {
    pb::BatchMessage drop;
    drop.mutable_drop();
    d.tell({"batch", upload::batch_id(uuid::from_raw(now.id()), news.index())}, drop);
  }
  if (now.batches_open() + now.batches_refused() + 1 < batches_made(now))
    return d;
  if (refused || now.batches_refused() > 0)
    return failed(now, news, std::move(d));
  pb::UploadEvent finished;
  finished.mutable_finished()->set_at_us(ctx.now_us);
  d.record(finished);
  return d;
}

} // namespace

std::string_view to_string(pb::UploadStatus status) {
  switch (status) {
    case pb::UPLOAD_OPENING: return "opening";
    case pb::UPLOAD_RECEIVING: return "receiving";
    case pb::UPLOAD_CHECKING: return "checking";
    case pb::UPLOAD_ENROLLING: return "enrolling";
    case pb::UPLOAD_ACCEPTING: return "accepting";
    case pb::UPLOAD_ACCEPTED: return "accepted";
    case pb::UPLOAD_REJECTED: return "rejected";
    case pb::UPLOAD_ABANDONED: return "abandoned";
    case pb::UPLOAD_FAILED: return "failed";
    default: return "";
  }
}

digest digest_of(const staged_rows& staged) {
  std::string bytes;
  for (auto& row : staged.rows) {
    append_be(bytes, row.ordinal, 4);
    append_be(bytes, row.row, 4);
    bytes += row.person.raw();
    append_be(bytes, static_cast<std::uint64_t>(row.amount_minor), 8);
    append_sized(bytes, row.sealed);
    append_sized(bytes, row.wrapped_key);
  }
  for (auto& bad : staged.errors) {
    append_be(bytes, bad.row, 4);
    append_sized(bytes, bad.field);
    append_sized(bytes, bad.message);
  }
  return sha256(bytes);
}

uuid upload::batch_id(const uuid& upload, std::uint32_t index) {
  return derive_id({"batch", upload.raw(), std::to_string(index)});
}

result upload::decide(const state& now, const command& ask, const context& ctx) {
  if (ask.has_open())
    return open(now, ask.open(), ctx);
  if (now.status() == pb::UPLOAD_NONE)
    return reject(errc::not_found, "there is no such upload");
  switch (ask.command_case()) {
    case command::kStage: return stage(now, ask.stage(), ctx);
    case command::kClose: return close(now, ask.close(), ctx);
    case command::kAbandon: return abandon(now, ask.abandon(), ctx);
    default: return reject(errc::invalid_input, "an upload does not know this command");
  }
}

decision upload::told(const state& now, const message& news, const context& ctx) {
  switch (news.message_case()) {
    case message::kProject: return project_known(now, news.project(), ctx);
    case message::kEnrolled: return enrolled(now, news.enrolled(), ctx);
    case message::kJoined: return joined(now, news.joined(), ctx);
    case message::kPlaces: return placed(now, news.places());
    default: throw broken_invariant("an upload was told something that it does not know");
  }
}

decision upload::credited(const state&, const wire::Credit& credit, const context& ctx) {
  pb::UploadEvent event;
  auto& news = *event.mutable_credited();
  news.set_purpose(credit.purpose());
  news.set_amount_minor(credit.amount_minor());
  news.set_currency(credit.currency());
  news.set_kept(is_return(credit));
  decision d;
  d.record(event);
  if (!is_return(credit))
    d.move(return_to_source(credit, ctx));
  return d;
}

bool upload::exists(const state& now) {
  return now.status() != pb::UPLOAD_NONE;
}

query_keys upload::keys(const state& now) {
  query_keys out;
  out.project = uuid::from_raw(now.project());
  out.status = to_string(now.status());
  out.created_us = now.created_us();
  return out;
}

std::vector<owned_total> upload::totals(const state& now) {
  std::vector<owned_total> out;
  add_totals(out, now.suspense());
  return out;
}

bool upload::has_work(const state& now) {
  return now.status() == pb::UPLOAD_CHECKING && !now.places_asked();
}

std::optional<feed_request> upload::feed_for(const state& now) {
  if (!has_work(now))
    return std::nullopt;
  feed_request ask;
  ask.kind = feed_request::what::upload_duplicates;
  ask.id = uuid::from_raw(now.id());
  ask.limit = max_duplicates;
  return ask;
}

decision upload::proceed(const state& now, const context& ctx) {
  if (!has_work(now))
    return {};
  must_hold(ctx.feed != nullptr, "an upload cannot be checked without its rows");
  return check(now, *ctx.feed);
}

decision upload::fired(const state& now, std::string_view timer, const context&) {
  if (timer != abandon_timer ||
      (now.status() != pb::UPLOAD_OPENING && now.status() != pb::UPLOAD_RECEIVING))
    return {};
  return abandoned(now, "its client went quiet for an hour");
}

} // namespace rahat
