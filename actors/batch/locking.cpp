#include "actors/batch/steps.hpp"
#include "actors/disbursement/disbursement.pb.h"
#include "runtime/decider/account.hpp"

#include <algorithm>

namespace rahat::batch_steps {

namespace {

entity_ref disbursement_of(const std::string& raw) {
  return {"disbursement", uuid::from_raw(raw)};
}

const pb::PayLock* lock_of(const batch::state& now, const std::string& list) {
  for (auto& lock : now.locks())
    if (lock.ask().list() == list)
      return &lock;
  return nullptr;
}

std::uint32_t chunks_of(const batch::state& now) {
  return (batch::members(now) + batch::chunk_members - 1) / batch::chunk_members;
}

/// The lines of one block of 1,000 members; a member who gets nothing has none.
std::vector<line_row> lines_of(const batch::state& now, const uuid& self, const pb::LockLines& list,
                               std::uint32_t chunk) {
  std::vector<line_row> rows;
  rows.reserve(batch::chunk_members);
  wallet_maker wallet(self);
  auto first = chunk * batch::chunk_members;
  auto end = std::min(batch::members(now), first + batch::chunk_members);
  for (auto member = first; member < end; ++member) {
    auto amount = amount_of(now, list, member);
    if (amount == 0)
      continue;
    auto person = std::string_view(now.persons()).substr(std::size_t{16} * member, 16);
    rows.push_back({list.first_line() + member, uuid::from_raw(person), wallet(member), amount});
  }
  return rows;
}

pb::ChunkDigest summary_of(const std::vector<line_row>& rows, std::uint32_t chunk) {
  pb::ChunkDigest out;
  out.set_chunk(chunk);
  if (rows.empty())
    return out;
  out.set_first(rows.front().no);
  out.set_last(rows.back().no);
  out.set_count(static_cast<std::uint32_t>(rows.size()));
  for (auto& row : rows)
    out.set_sum_minor(out.sum_minor() + row.amount_minor);
  out.set_digest(std::string(view(digest_of(rows))));
  return out;
}

/// A list whose sum would not fit is refused before anything is added up.
bool is_too_much(const batch::state& now, const pb::LockLines& ask) {
  std::int64_t sum = 0;
  for (std::uint32_t member = 0; member < batch::members(now); ++member) {
    auto amount = amount_of(now, ask, member);
    if (amount < 0 || amount > batch::max_list_minor - sum)
      return true;
    sum += amount;
  }
  return false;
}

/// Why the batch cannot be locked; empty if it can.
std::string refusal_of(const batch::state& now, const pb::LockLines& ask) {
  if (now.status() == pb::BATCH_NONE)
    return "there is no such batch";
  if (now.status() == pb::BATCH_ENROLLING)
    return "the batch's register is not accepted yet";
  if (now.status() == pb::BATCH_FROZEN)
    return "the batch is frozen: thaw it first";
  if (lock_of(now, ask.list()) != nullptr)
    return "the batch is locked for this pay list already";
  if (now.locks_size() >= batch::max_locks)
    return "the batch is locked for 16 pay lists: complete or cancel some first";
  if (is_too_much(now, ask))
    return "the lines of the batch come to more than 9000000000000000 minor units";
  return {};
}

pb::DisbursementMessage locked_answer(const context& ctx, const std::string& list) {
  pb::DisbursementMessage news;
  news.mutable_batch_locked()->set_batch(ctx.self.id.raw());
  news.mutable_batch_locked()->set_list(list);
  return news;
}

} // namespace

std::int64_t amount_of(const batch::state& now, const pb::LockLines& list, std::uint32_t member) {
  return list.amount_each_minor() != 0 ? list.amount_each_minor()
                                       : now.amounts(static_cast<int>(member));
}

bool is_locking(const batch::state& now) {
  return std::any_of(now.locks().begin(), now.locks().end(),
                     [](auto& lock) { return !lock.finished(); });
}

decision lock(const batch::state& now, const pb::LockLines& ask, const context& ctx) {
  decision d;
  pb::BatchEvent event;
  if (auto reason = refusal_of(now, ask); !reason.empty()) {
    event.mutable_lock_refused()->set_disbursement(ask.disbursement());
    event.mutable_lock_refused()->set_list(ask.list());
    event.mutable_lock_refused()->set_reason(reason);
    auto news = locked_answer(ctx, ask.list());
    news.mutable_batch_locked()->set_refused(reason);
    d.record(event);
    d.tell(disbursement_of(ask.disbursement()), news);
    return d;
  }
  *event.mutable_lock_started()->mutable_ask() = ask;
  d.record(event);
  return d;
}

/// Own work: the lines of the next 1,000 members of the oldest unfinished lock are written down.
/// With the last of them the disbursement is told what it is asked to pay.
decision lock_members(const batch::state& now, const context& ctx) {
  auto lock =
      std::find_if(now.locks().begin(), now.locks().end(), [](auto& l) { return !l.finished(); });
  must_hold(lock != now.locks().end(), "there is no lock to go on with");
  auto& list = lock->ask();
  auto chunk = lock->next_chunk();
  auto rows = lines_of(now, ctx.self.id, list, chunk);
  auto summary = summary_of(rows, chunk);

  pb::BatchEvent event;
  auto& locked = *event.mutable_lines_locked();
  locked.set_list(list.list());
  locked.set_chunk(chunk);
  locked.set_first(summary.first());
  locked.set_last(summary.last());
  locked.set_count(summary.count());
  locked.set_sum_minor(summary.sum_minor());
  locked.set_digest(summary.digest());
  decision d;
  d.record(event);
  if (!rows.empty())
    d.insert_lines({uuid::from_raw(list.list()), ctx.self, std::move(rows)});
  if (chunk + 1 < chunks_of(now))
    return d;

  pb::BatchEvent finished;
  finished.mutable_lock_finished()->set_list(list.list());
  d.record(finished);
  auto news = locked_answer(ctx, list.list());
  auto& answer = *news.mutable_batch_locked();
  answer.set_count(lock->count() + summary.count());
  answer.set_sum_minor(lock->sum_minor() + summary.sum_minor());
  *answer.mutable_chunks() = lock->chunks();
  if (summary.count() > 0)
    *answer.add_chunks() = summary;
  d.tell(disbursement_of(list.disbursement()), news);
  return d;
}

decision unlock(const batch::state& now, const pb::UnlockLines& ask) {
  if (lock_of(now, ask.list()) == nullptr)
    return {};
  pb::BatchEvent event;
  event.mutable_unlocked()->set_list(ask.list());
  decision d;
  d.record(event);
  return d;
}

/// The disbursement has made the transfers of one chunk. What the batch adds to its wallets must be
/// exactly those: it computes the lines again and compares.
decision pay(const batch::state& now, const pb::PayChunk& ask, const context& ctx) {
  auto* lock = lock_of(now, ask.list());
  must_hold(lock != nullptr && lock->finished(),
            "a chunk of a pay list that is not locked was paid");
  must_hold(ask.chunk() < chunks_of(now), "a chunk that the batch does not have was paid");
  auto paid = summary_of(lines_of(now, ctx.self.id, lock->ask(), ask.chunk()), ask.chunk());
  must_hold(ask.count() > 0 && paid.count() == ask.count() && paid.sum_minor() == ask.sum_minor() &&
                paid.digest() == ask.digest(),
            "the lines of a paid chunk are not those that were locked");

  pb::BatchEvent event;
  event.mutable_chunk_paid()->set_list(ask.list());
  event.mutable_chunk_paid()->set_chunk(ask.chunk());
  pb::DisbursementMessage news;
  news.mutable_applied()->set_list(ask.list());
  news.mutable_applied()->set_batch(ctx.self.id.raw());
  news.mutable_applied()->set_chunk(ask.chunk());
  decision d;
  d.record(event);
  d.tell(disbursement_of(ask.disbursement()), news);
  return d;
}

} // namespace rahat::batch_steps
