// What a writer does when the server refuses batch after batch for a condition of its own: a full
// disk, a lock that somebody holds, a right that is missing. docs/protocols/commit.md.
#include "persistence/postgres/writer.hpp"
#include "runtime/telemetry/log.hpp"

namespace rahat::pg {

/// Before each new batch. While batches are given up, the server is asked now and then only; false
/// when the writer is to stop and its patience has ended.
bool writer::may_try() {
  if (!condition_)
    return true;
  const auto now = how_.time->steady();
  const auto next = condition_->last_try + limits::probe_pause;
  if (now - condition_->since < how_.condition_patience || now >= next)
    return true;
  return wait(std::chrono::duration_cast<std::chrono::milliseconds>(next - now));
}

/// Whether the batch that was just refused is to be given up. Certain: an error that the server
/// itself reports has undone all of the statement.
bool writer::is_given_up(const failure& why) {
  const auto now = how_.time->steady();
  std::lock_guard lock{condition_mutex_};
  if (!condition_)
    condition_ = condition{now, now, {}};
  condition_->last_try = now;
  condition_->what = why.state + ": " + why.message;
  return now - condition_->since >= how_.condition_patience;
}

/// The server has dealt with a batch, whatever came of it.
void writer::condition_is_over() {
  if (!condition_)
    return;
  if (how_.time->steady() - condition_->since >= how_.condition_patience)
    log::info("writer_accepted_again", {{"writer", index_}, {"condition", condition_->what}});
  std::lock_guard lock{condition_mutex_};
  condition_.reset();
}

/// Their hosts end and load what has been committed; clients hear a retryable error.
void writer::refuse_all(group& commits, const std::string& state) {
  how_.probe->commits_given_up(commits.size());
  log::error("commits_given_up", {{"writer", index_},
                                  {"commits", commits.size()},
                                  {"sqlstate", state},
                                  {"error", condition_->what}});
  for (auto& c : commits)
    refuse(std::move(c), commit_failure::unavailable,
           "the database takes no commits at present, SQLSTATE " + state);
}

writer_report writer::report() const {
  writer_report out;
  out.credit = credit();
  const auto now = how_.time->steady();
  std::lock_guard lock{condition_mutex_};
  if (condition_ && now - condition_->since >= how_.condition_patience &&
      now - condition_->last_try < limits::condition_shown)
    out.refused = condition_->what;
  return out;
}

} // namespace rahat::pg
