#include "persistence/audit/pg_auditor.hpp"

#include "persistence/audit/errors.hpp"
#include "persistence/audit/follower.hpp"
#include "persistence/audit/heads_file.hpp"
#include "persistence/audit/recount.hpp"
#include "persistence/audit/signer.hpp"
#include "persistence/audit/verify.hpp"
#include "runtime/ports/worker_thread.hpp"
#include "runtime/telemetry/log.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <vector>

namespace rahat {

namespace {

using std::chrono::milliseconds;

constexpr std::int64_t hour_us = 3'600'000'000;
/// The follower takes at most this part of one connection's time: with very many owners it
/// compares less often.
constexpr int follow_share = 20;

/// A recount that the end of the node has cut short.
struct stopped {};

} // namespace

struct pg_auditor::impl {
  explicit impl(audit_options o)
      : how(std::move(o)),
        time(how.time != nullptr ? *how.time : own_time),
        probe(how.probe != nullptr ? *how.probe : no_probe),
        books(how, time, probe) {}

  // -- what callers ask ------------------------------------------------------

  std::uint64_t sign() {
    const auto now_us = time.now_us();
    const auto heads = the_signer().sign(now_us);
    probe.heads_signed(heads, now_us);
    return heads;
  }

  audit::signer& the_signer() {
    std::lock_guard guard{making};
    if (!signs)
      signs = std::make_unique<audit::signer>(how);
    return *signs;
  }

  books_report look() {
    std::lock_guard guard{looking};
    return books.look();
  }

  books_report recount(std::uint32_t rate) {
    const auto began = time.steady();
    std::uint64_t done = 0;
    auto report = audit::recount(how, books, looking, [&](std::uint64_t transfers) {
      done += transfers;
      auto until = began;
      if (rate > 0)
        until += milliseconds{static_cast<std::int64_t>(done * 1'000 / rate)};
      if (!rest(std::chrono::duration_cast<milliseconds>(until - time.steady())))
        throw stopped{};
    });
    probe.recounted(report);
    return report;
  }

  // -- threads ---------------------------------------------------------------

  /// False when the auditor ends.
  bool rest(milliseconds pause) {
    std::unique_lock guard{mutex};
    if (pause.count() > 0)
      wake.wait_for(guard, pause, [&] { return ending; });
    return !ending;
  }

  void run_signer() {
    while (rest(how.sign_interval))
      attempt("heads_not_signed", [&] { sign(); });
    attempt("heads_not_signed", [&] { sign(); });
  }

  void run_follower() {
    auto pause = how.fold_interval;
    do {
      pause = how.fold_interval;
      const bool mine = may_follow();
      probe.follows(mine);
      if (!mine)
        continue; // asked again after the pause
      const auto began = time.steady();
      attempt("books_not_followed", [&] { follow(); });
      const auto took = std::chrono::duration_cast<milliseconds>(time.steady() - began);
      pause = std::max(how.fold_interval, took * follow_share);
      if (nightly_is_due())
        attempt("books_not_recounted", [&] {
          const auto report = recount(how.recount_rate);
          if (report.imbalance_minor != 0)
            complain("recount_does_not_balance", report);
        });
    } while (rest(pause));
  }

  bool may_follow() const { return !how.may_follow || how.may_follow(); }

  void follow() {
    books_report report;
    do
      report = look();
    while (!report.complete && may_follow() && rest(milliseconds{0}));
    if (report.imbalance_minor != 0 && !alarmed)
      complain("books_do_not_balance", report);
    alarmed = report.imbalance_minor != 0;
  }

  bool nightly_is_due() {
    const auto hours = time.now_us() / hour_us;
    if (how.recount_hour < 0 || hours % 24 != how.recount_hour || hours == recounted_hour)
      return false;
    recounted_hour = hours;
    return true;
  }

  void complain(std::string_view event, const books_report& report) {
    const auto first =
        report.differences.empty() ? std::string{} : report.differences.front().owner.str();
    log::error(event, {{"imbalance_minor", report.imbalance_minor},
                       {"owners_off", report.differences.size()},
                       {"first_owner", first}});
  }

  /// A background pass: what fails now is tried again at the next one.
  template <class Pass>
  void attempt(std::string_view event, Pass pass) {
    try {
      pass();
    } catch (const stopped&) {
      // The next night counts again.
    } catch (const std::exception& e) {
      probe.pass_failed();
      log::warning(event, {{"reason", std::string_view{e.what()}}});
    }
  }

  void join() {
    {
      std::lock_guard guard{mutex};
      ending = true;
    }
    wake.notify_all();
    signing.join();
    following.join();
  }

  part part_of(worker_thread& thread, const char* name, void (impl::*body)()) {
    const auto start = [this, &thread, body](death_notice died) {
      if (!thread.running()) {
        {
          std::lock_guard guard{mutex};
          ending = false;
        }
        thread.start([this, body] { (this->*body)(); });
      }
      thread.watch(std::move(died));
    };
    return {name, "auditor", start, [this] { join(); }, {}};
  }

  const audit_options how;
  const system_clock_port own_time{};
  audit_probe no_probe;
  const clock& time;
  audit_probe& probe;

  std::mutex looking; // guards `books`
  audit::follower books;
  std::mutex making; // guards `signs`
  std::unique_ptr<audit::signer> signs;

  std::mutex mutex; // guards `ending`
  std::condition_variable wake;
  bool ending = false;
  std::int64_t recounted_hour = -1; // of the follower's thread, as is the next
  bool alarmed = false;
  worker_thread signing; // last: they use the rest
  worker_thread following;
};

pg_auditor::pg_auditor(audit_options how) : impl_(std::make_unique<impl>(std::move(how))) {}

pg_auditor::~pg_auditor() {
  stop();
}

void pg_auditor::start() {
  audit::make_heads_folder(impl_->how.folder);
  impl_->the_signer();
  // What a crash has left unsigned is signed before anybody can ask for it.
  impl_->attempt("heads_not_signed", [&] { impl_->sign(); });
  impl_->signing.start([p = impl_.get()] { p->run_signer(); });
  impl_->following.start([p = impl_.get()] { p->run_follower(); });
}

std::vector<part> pg_auditor::parts() {
  return {impl_->part_of(impl_->signing, "audit-signer", &impl::run_signer),
          impl_->part_of(impl_->following, "audit-follower", &impl::run_follower)};
}

void pg_auditor::stop() {
  impl_->join();
}

std::uint64_t pg_auditor::sign_now() {
  audit::make_heads_folder(impl_->how.folder);
  return impl_->sign();
}

books_report pg_auditor::books() {
  return impl_->look();
}

books_report pg_auditor::recount() {
  try {
    return impl_->recount(0);
  } catch (const stopped&) {
    throw audit_error{"the node is stopping: count again when it runs"};
  }
}

verify_report pg_auditor::verify(std::function<void(std::uint64_t rows)> progress) {
  auto report = audit::verify(impl_->how, impl_->time, std::move(progress));
  impl_->probe.verified(report);
  return report;
}

} // namespace rahat
