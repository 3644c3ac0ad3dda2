#include "persistence/postgres/housekeeping.hpp"

#include "persistence/postgres/column.hpp"
#include "persistence/postgres/decode.hpp"
#include "persistence/postgres/session.hpp"
#include "runtime/telemetry/log.hpp"

#include <algorithm>
#include <pqxx/pqxx>

namespace rahat::pg {

namespace {

constexpr std::chrono::milliseconds turn_every{200};
constexpr std::size_t acks_a_turn = 1'000; // beyond, a turn comes at once
constexpr std::chrono::hours days_every{1};
constexpr std::chrono::hours staged_every{1};
constexpr std::size_t staged_a_turn = 10'000; // of each table; beyond, the next turn goes on

void prepare_statements(pqxx::connection_base& c) {
  {
    pqxx::nontransaction work{c}; // the few acknowledged rows by their keys, never all rows
    work.exec0("SET enable_hashjoin = off; SET enable_mergejoin = off");
  }
  c.prepare("delete_acknowledged",
            "DELETE FROM outbox o USING unnest($1::text[], $2::uuid[], $3::text[], $4::uuid[],"
            " $5::bigint[]) a(source_kind, source, target_kind, target, n)"
            " WHERE o.source = a.source AND o.target = a.target AND o.n <= a.n"
            " AND o.source_kind = a.source_kind AND o.target_kind = a.target_kind");
  // Of a committed seq only: what was never committed would be believed. Where newer only.
  c.prepare("save_snapshot",
            "INSERT INTO snapshot AS s (kind, entity, seq, evolve_version, body)"
            " SELECT $1, $2, $3, $4, $5 WHERE EXISTS (SELECT FROM journal j"
            " WHERE j.entity = $2::uuid AND j.seq = $3::bigint AND j.kind = $1::text)"
            " ON CONFLICT (entity, kind) DO UPDATE SET seq = excluded.seq,"
            " evolve_version = excluded.evolve_version, body = excluded.body"
            " WHERE (s.seq, s.evolve_version) < (excluded.seq, excluded.evolve_version)");
  c.prepare("park",
            "INSERT INTO parked (kind, entity, shard, reason, body, tries, at_us)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7)");
  // Households of registers that came to nothing, and the keys of their persons. Both statuses are
  // final, so that it does not matter who holds the shard; another node may do the same just now.
  for (std::string table : {"upload_row", "person_key"})
    c.prepare("forget_" + table,
              "DELETE FROM " + table + " WHERE (upload, ordinal) IN (SELECT r.upload, r.ordinal" +
                  " FROM query q JOIN " + table + " r ON r.upload = q.id WHERE q.kind = 'upload'" +
                  " AND q.status IN ('rejected', 'abandoned') LIMIT $1" +
                  " FOR UPDATE OF r SKIP LOCKED)");
}

} // namespace

housekeeping::housekeeping(const store_options& how) : how_(how) {}

housekeeping::~housekeeping() {
  stop();
}

void housekeeping::start() {
  connection_ = open_session(how_, "housekeeping");
  prepare_statements(*connection_);
  make_request_days();
  next_days_ = how_.time->steady() + days_every;
  next_staged_ = how_.time->steady();
  thread_.start([this] { run(); });
}

part housekeeping::as_part() {
  const auto start = [this](death_notice died) {
    if (!thread_.running()) {
      {
        std::lock_guard lock{mutex_};
        stopping_ = false;
      }
      thread_.start([this] { run(); });
    }
    thread_.watch(std::move(died));
  };
  const auto health = [this] {
    std::lock_guard lock{mutex_};
    return std::to_string(acks_.size() + snapshots_.size() + parked_.size()) + " rows waiting";
  };
  return {"housekeeping", "housekeeping", start, [this] { stop(); }, health};
}

void housekeeping::stop() {
  {
    std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  mail_.notify_all();
  thread_.join();
}

void housekeeping::acknowledged(const entity_ref& source, const entity_ref& target,
                                std::uint64_t n) {
  std::lock_guard lock{mutex_};
  if (acks_.size() >= limits::waiting_acks && !acks_.contains({source, target})) {
    how_.probe->housekeeping_dropped(); // the row stays: a later start sends it once more
    return;
  }
  auto& upto = acks_[{source, target}];
  upto = std::max(upto, n);
  if (acks_.size() == acks_a_turn)
    mail_.notify_one();
}

void housekeeping::save(snapshot_row row) {
  std::lock_guard lock{mutex_};
  if (snapshot_bytes_ + row.body.size() > limits::waiting_snapshot_bytes) {
    how_.probe->housekeeping_dropped();
    return;
  }
  snapshot_bytes_ += row.body.size();
  auto& slot = snapshots_[row.entity];
  if (row.seq < slot.seq) {
    snapshot_bytes_ -= row.body.size();
    return;
  }
  snapshot_bytes_ -= slot.body.size();
  slot = std::move(row);
}

void housekeeping::park(parked_row row) {
  std::lock_guard lock{mutex_};
  if (parked_.size() >= limits::waiting_parked) {
    parked_.pop_front();
    how_.probe->housekeeping_dropped();
  }
  parked_.push_back(std::move(row));
  mail_.notify_one();
}

void housekeeping::run() {
  for (bool stop = false; !stop;) {
    {
      std::unique_lock lock{mutex_};
      mail_.wait_for(lock, turn_every, [this] {
        return stopping_ || acks_.size() >= acks_a_turn || !parked_.empty();
      });
      stop = stopping_;
    }
    if (!turn() && !stop) {
      std::unique_lock lock{mutex_};
      mail_.wait_for(lock, turn_every, [this] { return stopping_; });
    }
  }
}

/// False if something failed; what failed waits for the next turn.
bool housekeeping::turn() {
  ack_map acks;
  snapshot_map snapshots;
  std::deque<parked_row> parked;
  {
    std::lock_guard lock{mutex_};
    acks.swap(acks_);
    snapshots.swap(snapshots_);
    snapshot_bytes_ = 0;
    parked.swap(parked_);
  }
  bool well = false;
  try {
    well = write_parked(parked);
    well = delete_acknowledged(acks) && well;
    well = write_snapshots(snapshots) && well;
    if (how_.time->steady() >= next_days_) {
      well = attempt([this] { make_request_days(); }) && well;
      next_days_ = how_.time->steady() + days_every;
    }
    if (how_.time->steady() >= next_staged_) {
      next_staged_ = how_.time->steady() + staged_every;
      well = attempt([this] { delete_staged(); }) && well;
    }
  } catch (...) { // the thread dies: another one finds what is not done
    put_back(parked, acks);
    throw;
  }
  put_back(parked, acks);
  return well;
}

void housekeeping::put_back(const std::deque<parked_row>& parked, const ack_map& acks) {
  if (!parked.empty()) {
    std::lock_guard lock{mutex_};
    parked_.insert(parked_.begin(), parked.begin(), parked.end());
  }
  for (auto& [pair, n] : acks)
    acknowledged(pair.first, pair.second, n);
}

template <class Work>
bool housekeeping::attempt(Work work) {
  try {
    if (connection_ == nullptr || !connection_->is_open()) {
      connection_.reset();
      connection_ = open_session(how_, "housekeeping");
      prepare_statements(*connection_);
      how_.probe->connected(false);
    }
    work();
    return true;
  } catch (const std::exception& e) {
    if (dynamic_cast<const pqxx::broken_connection*>(&e) != nullptr)
      connection_.reset();
    how_.probe->housekeeping_failed();
    log::warning("housekeeping_failed", {{"error", e.what()}});
    return false;
  }
}

void housekeeping::make_request_days() {
  pqxx::nontransaction work{*connection_};
  work.exec1("SELECT request_days_v1()");
}

/// A bounded number of them; the next turn goes on when there are more.
void housekeeping::delete_staged() {
  std::size_t rows = 0;
  for (const char* statement : {"forget_upload_row", "forget_person_key"}) {
    pqxx::nontransaction work{*connection_};
    const auto gone = work.exec_prepared(statement, staged_a_turn).affected_rows();
    if (gone == staged_a_turn)
      next_staged_ = how_.time->steady();
    rows += gone;
  }
  if (rows > 0)
    log::info("staged_rows_deleted", {{"rows", rows}});
}

/// Empties `acks` when they are deleted.
bool housekeeping::delete_acknowledged(ack_map& acks) {
  if (acks.empty())
    return true;
  return attempt([&] {
    column source_kind{column::type::text}, source{column::type::uuid};
    column target_kind{column::type::text}, target{column::type::uuid}, n{column::type::int8};
    for (auto& [pair, upto] : acks) {
      source_kind.bytes(pair.first.kind);
      source.id(pair.first.id);
      target_kind.bytes(pair.second.kind);
      target.id(pair.second.id);
      n.int8(static_cast<std::int64_t>(upto));
    }
    pqxx::nontransaction work{*connection_};
    const auto gone = work.exec_prepared("delete_acknowledged", as_bytea(source_kind.wire()),
                                         as_bytea(source.wire()), as_bytea(target_kind.wire()),
                                         as_bytea(target.wire()), as_bytea(n.wire()));
    how_.probe->outbox_deleted(gone.affected_rows());
    acks.clear();
  });
}

/// Each by itself: a failed one is lost, it is a cache.
bool housekeeping::write_snapshots(snapshot_map& rows) {
  bool well = true;
  for (auto& [entity, row] : rows) {
    well = attempt([&] {
             pqxx::nontransaction work{*connection_};
             work.exec_prepared("save_snapshot", entity.kind, entity.id.str(),
                                static_cast<std::int64_t>(row.seq), row.evolve_version,
                                as_bytea(row.body));
           }) &&
           well;
  }
  return well;
}

/// Takes out of `rows` what is written.
bool housekeeping::write_parked(std::deque<parked_row>& rows) {
  while (!rows.empty()) {
    const auto& row = rows.front();
    auto reason = row.reason;
    std::replace(reason.begin(), reason.end(), '\0', ' '); // text cannot hold it
    const bool done = attempt([&] {
      pqxx::nontransaction work{*connection_};
      work.exec_prepared("park", row.entity.kind, row.entity.id.str(),
                         static_cast<int>(shard_of(row.entity)), reason, as_bytea(row.body),
                         row.tries, row.at_us);
    });
    if (!done)
      return false;
    rows.pop_front();
  }
  return true;
}

} // namespace rahat::pg
