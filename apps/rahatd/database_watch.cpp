#include "apps/rahatd/database_watch.hpp"

#include "runtime/telemetry/log.hpp"

#include <chrono>
#include <limits>

namespace rahat {

namespace {

using namespace std::chrono_literals;

constexpr auto look_every = 1s;
constexpr auto counts_as_away = 5s;

} // namespace

database_watch::database_watch(const clock& time, bool refuse_unsafe)
    : time_(time), refuse_unsafe_(refuse_unsafe) {}

void database_watch::start(pg_store& db, delays& later) {
  look(db, later);
}

void database_watch::look(pg_store& db, delays& later) {
  db.look_at_durability([this, &db](outcome<std::string> answer) { saw(db, answer); });
  later.after(look_every, [this, &db, &later] { look(db, later); });
}

void database_watch::saw(pg_store& db, const outcome<std::string>& answer) {
  const auto* why = std::get_if<std::string>(&answer);
  const auto* refusal = std::get_if<error>(&answer);
  if (why != nullptr)
    seen_us_ = time_.boot_us();
  else if (refusal->code == errc::not_ready)
    why = &refusal->message; // no session is opened on such a server
  if (why == nullptr || !refuse_unsafe_)
    return;
  {
    std::lock_guard lock{mutex_};
    why_not_ = *why;
  }
  if (durable_.exchange(why->empty()) == why->empty())
    return;
  if (why->empty()) {
    log::info("database_durable_again");
  } else {
    log::error("database_not_durable", {{"reason", *why}});
    db.distrust(); // what entities do by themselves waits as well
  }
}

ops::check database_watch::answers() const {
  const auto quiet = std::chrono::microseconds{time_.boot_us() - seen_us_.load()};
  const bool away = quiet > counts_as_away;
  return {"postgres", !away, away ? "the database does not answer" : "answers"};
}

ops::check database_watch::keeps() const {
  if (!refuse_unsafe_)
    return {"durable", true, "not looked at: database.fsync_check = false"};
  std::lock_guard lock{mutex_};
  return {"durable", durable_, durable_ ? "yes" : why_not_};
}

ops::check writers_check(const std::vector<pg::writer_report>& writers) {
  auto least = std::numeric_limits<std::int64_t>::max();
  for (std::size_t i = 0; i < writers.size(); ++i) {
    if (!writers[i].refused.empty())
      return {
          "writers", false,
          "Postgres refuses what writer-" + std::to_string(i) + " sends: " + writers[i].refused};
    least = std::min(least, writers[i].credit);
  }
  return {"writers", least > 0, std::to_string(least) + " bytes of queue left"};
}

} // namespace rahat
