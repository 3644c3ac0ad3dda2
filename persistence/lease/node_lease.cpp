#include "persistence/lease/node_lease.hpp"

#include "persistence/embedded/conninfo.hpp"

#include <sys/socket.h>
#include <pqxx/pqxx>

namespace rahat {

namespace {

using namespace std::chrono_literals;

constexpr auto retry_every = 200ms;

constexpr int leave_tries = 5; // against other changes of the view

/// Renews only in the generation that this incarnation was registered in: nothing is written into
/// a database that was promoted or restored. Compared and counted on the server's clock.
constexpr const char* renew_sql =
    "UPDATE cluster_member SET lease_until = clock_timestamp() + $3 * interval '1 millisecond'"
    " WHERE node_uuid = $1 AND incarnation = $2 AND status IN ('joining', 'up', 'leaving')"
    " AND (SELECT system_identifier::text || '/'"
    "        || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)"
    "      FROM pg_control_system()) = $4"
    " RETURNING (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";

/// No row: the incarnation is over, or has left already.
constexpr const char* leave_sql =
    "SELECT cluster_change_v1(m.node_uuid, m.incarnation, m.status, 'left', 'stopped', v.version)"
    " FROM cluster_member m, cluster_view v WHERE m.node_uuid = $1 AND m.incarnation = $2"
    " AND m.status IN ('joining', 'up', 'leaving') AND v.id = 1";

constexpr const char* has_left_sql =
    "SELECT FROM cluster_member WHERE node_uuid = $1 AND incarnation = $2 AND status = 'left'";

/// The generation as renew_sql writes it.
std::string in_sql(const generation& g) {
  constexpr char digits[] = "0123456789ABCDEF";
  auto text = std::to_string(g.system_identifier) + "/";
  for (int shift = 28; shift >= 0; shift -= 4)
    text += digits[g.timeline >> shift & 0xf];
  return text;
}

} // namespace

/// The connection, which another thread may cut off: a query to a frozen server never returns.
class node_lease::channel {
public:
  channel(std::string conninfo, const node_identity& me, generation expected)
      : conninfo_(std::move(conninfo)), me_(me), expected_(expected) {}

  struct renewal {
    lease_end why = lease_end::none; // none: renewed
    std::int64_t database_now_us = 0;
  };

  /// Throws pqxx's errors, generation_error on a standby.
  renewal renew(std::chrono::milliseconds ttl) {
    connect(ttl);
    pqxx::nontransaction work{*connection_};
    const auto renewed = work.exec_params(renew_sql, me_.node.str(), me_.incarnation, ttl.count(),
                                          in_sql(expected_));
    if (renewed.empty())
      return {explain(work), 0};
    return {lease_end::none, renewed[0][0].as<std::int64_t>()};
  }

  bool leave(std::chrono::milliseconds ttl) {
    connect(ttl);
    pqxx::nontransaction work{*connection_};
    for (int i = 0; i < leave_tries; ++i) {
      const auto left = work.exec_params(leave_sql, me_.node.str(), me_.incarnation);
      if (left.empty())
        break;
      if (left[0][0].as<std::int64_t>() > 0)
        return true;
    }
    return !work.exec_params(has_left_sql, me_.node.str(), me_.incarnation).empty();
  }

  void drop() {
    std::lock_guard guard{mutex_};
    socket_ = -1;
    connection_.reset();
  }

  /// Any thread: lets a blocked call fail at once, and every later one until open_again().
  void cut_off() {
    std::lock_guard guard{mutex_};
    cut_ = true;
    if (socket_ >= 0)
      ::shutdown(socket_, SHUT_RDWR);
  }

  void open_again() {
    drop();
    std::lock_guard guard{mutex_};
    cut_ = false;
  }

private:
  void connect(std::chrono::milliseconds ttl) {
    if (connection_ != nullptr && connection_->is_open())
      return;
    drop();
    auto fresh = std::make_unique<pqxx::connection>(conninfo_);
    {
      std::lock_guard guard{mutex_};
      if (cut_)
        throw pqxx::broken_connection{"the lease is being stopped"};
      connection_ = std::move(fresh);
      socket_ = connection_->sock();
    }
    pqxx::nontransaction work{*connection_};
    const auto limit = std::to_string(ttl.count());
    work.exec0("SET statement_timeout = " + limit + "; SET lock_timeout = " + limit);
  }

  /// Why no row was renewed.
  lease_end explain(pqxx::transaction_base& work) const {
    const auto now = work.exec1(generation_query);
    if (now[1].is_null())
      throw generation_error{"the database is a standby"};
    if (parse_generation(now[0].c_str(), now[1].c_str()) != expected_)
      return lease_end::other_generation;
    const auto row = work.exec_params("SELECT incarnation FROM cluster_member WHERE node_uuid = $1",
                                      me_.node.str());
    const bool later = !row.empty() && row[0][0].as<std::int64_t>() > me_.incarnation;
    return later ? lease_end::superseded : lease_end::declared_dead;
  }

  const std::string conninfo_;
  const node_identity me_;
  const generation expected_;
  std::unique_ptr<pqxx::connection> connection_; // the lease's thread only
  std::mutex mutex_;
  int socket_ = -1;
  bool cut_ = false;
};

node_lease::node_lease(std::string service_conninfo, node_identity me, generation expected,
                       lease_terms terms, lease_callbacks callbacks, boot_clock clock)
    : conninfo_(with_field(with_keepalives(service_conninfo, static_cast<int>(terms.ttl.count())),
                           "application_name", me.application_name("lease"))),
      me_(std::move(me)),
      expected_(expected),
      callbacks_(std::move(callbacks)),
      clock_(std::move(clock)),
      state_(terms),
      channel_(std::make_unique<channel>(conninfo_, me_, expected_)) {}

node_lease::~node_lease() {
  stop();
}

void node_lease::say(std::string_view event, std::string detail) const {
  if (callbacks_.log)
    callbacks_.log(event, std::move(detail));
}

void node_lease::start() {
  if (thread_.running())
    return;
  beat();
  {
    std::lock_guard guard{mutex_};
    stopping_ = false;
  }
  thread_.start([this] { run(); });
}

part node_lease::as_part() {
  const auto begin = [this](death_notice died) {
    if (ended() == lease_end::none) // an ended one has told the node, which stops
      start();
    thread_.watch(std::move(died));
  };
  const auto health = [this]() -> std::string { return valid() ? "held" : "lapsed"; };
  return {"lease", "lease", begin, [this] { stop(); }, health};
}

void node_lease::stop() {
  {
    std::lock_guard guard{mutex_};
    stopping_ = true;
  }
  changed_.notify_all();
  channel_->cut_off();
  thread_.join();
  channel_->open_again();
}

bool node_lease::release() {
  stop();
  try {
    const bool left = channel_->leave(state_.terms().ttl);
    state_.end(lease_end::declared_dead);
    channel_->drop();
    return left;
  } catch (const std::exception& error) {
    say("lease_release_failed", error.what());
    return false;
  }
}

bool node_lease::wait_valid(std::chrono::milliseconds limit) {
  std::unique_lock lock{mutex_};
  changed_.wait_for(lock, limit,
                    [this] { return stopping_ || ended() != lease_end::none || valid(); });
  return valid();
}

void node_lease::run() {
  for (;;) {
    const bool well = tick();
    std::unique_lock lock{mutex_};
    changed_.notify_all();
    if (stopping_ || ended() != lease_end::none)
      return;
    const auto& terms = state_.terms();
    changed_.wait_for(lock, well ? terms.renew_every : std::min(terms.renew_every, retry_every),
                      [this] { return stopping_; });
    if (stopping_)
      return;
  }
}

/// One attempt. False when it should be repeated soon.
bool node_lease::tick() {
  const auto sent_at = clock_();
  note(state_.valid(sent_at));
  if (!state_.may_renew(sent_at)) {
    if (last_trouble_ != "no heartbeat")
      say("lease_withheld", "the scheduler gives no sign of life: the lease is not renewed");
    last_trouble_ = "no heartbeat";
    return false;
  }
  try {
    const auto answer = channel_->renew(state_.terms().ttl);
    if (answer.why != lease_end::none) {
      finish(answer.why);
      return true;
    }
    state_.renewed(sent_at, answer.database_now_us);
    last_trouble_.clear();
    note(valid());
    return true;
  } catch (const std::exception& error) {
    channel_->drop();
    if (last_trouble_ != error.what())
      say("lease_renewal_failed", error.what());
    last_trouble_ = error.what();
    return false;
  }
}

void node_lease::finish(lease_end why) {
  state_.end(why);
  say("lease_ended", to_string(why));
  if (callbacks_.on_end)
    callbacks_.on_end(why);
}

void node_lease::note(bool valid_now) {
  if (valid_now != was_valid_)
    say(valid_now ? "lease_held" : "lease_lapsed", me_.application_name(""));
  was_valid_ = valid_now;
}

} // namespace rahat
