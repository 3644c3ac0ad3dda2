// A writer's thread from its first breath to its last, and what another one does after its death.
#include "persistence/chain/chain.hpp"
#include "persistence/postgres/decode.hpp"
#include "persistence/postgres/session.hpp"
#include "persistence/postgres/writer.hpp"
#include "runtime/telemetry/log.hpp"

#include <pqxx/pqxx>
#include <utility>

namespace rahat::pg {

part writer::as_part() {
  const auto start = [this](death_notice died) {
    if (!thread_.running()) {
      {
        std::lock_guard lock{mutex_};
        stopping_ = false;
        closed_ = false; // what comes waits for the end of `recover`
      }
      thread_.start([this] { live(true); });
    }
    thread_.watch(std::move(died));
  };
  const auto health = [this] {
    return std::to_string(queued_bytes_.load(std::memory_order_relaxed)) + " bytes queued";
  };
  return {"writer-" + std::to_string(index_), "writer", start, [this] { stop(); }, health};
}

void writer::live(bool again) {
  try {
    if (again)
      recover();
    run();
  } catch (...) {
    die();
    throw; // to the owner
  }
}

/// Nobody is kept waiting: all that was accepted is let go of, which tells it as unavailable, and
/// mail is refused until there is a thread again. Shards that were given to us stay.
void writer::die() {
  std::vector<letter> mail;
  {
    std::lock_guard lock{mutex_};
    closed_ = true;
    mail.swap(inbox_);
    wake_at_ = 1;
  }
  log::error("writer_died", {{"writer", index_},
                             {"commits_queued", queue_.commits()},
                             {"bytes_queued", queued_bytes_.load()}});
  for (auto& m : mail)
    if (std::holds_alternative<owned_shard>(m) || std::holds_alternative<farewell>(m))
      file(m);
  for (auto& f : std::exchange(leaving_, {}))
    f.done(error{errc::unavailable, "the store's writer has failed: try again", {}});
  mail.clear();
  queue_ = {};
  last_round_ = 0;
}

/// After a death: what the former session had been sent has happened or never will (`connect` waits
/// for its end), so the heads are what the database says now. No entity is known: a host of before
/// has to pass the barrier of a load (R2).
void writer::recover() {
  book_ = seq_book{limits::known_entities};
  for (unsigned tries = 0;; ++tries) {
    try {
      link_.connect();
      how_.probe->connected(true);
      adopt_what_came();
      read_heads_again();
      break;
    } catch (const other_generation& e) {
      fence(fence_all(e.what()).shards);
      break;
    } catch (const std::exception& e) {
      how_.probe->connect_failed();
      log::warning("writer_cannot_recover", {{"writer", index_}, {"error", e.what()}});
      if (!pause(tries))
        break; // the store is stopping: what is left is refused
    }
  }
}

/// Shards that were given to us while there was no thread, under newer epochs. Other mail waits.
void writer::adopt_what_came() {
  std::lock_guard lock{mutex_};
  std::erase_if(inbox_, [this](letter& mail) {
    const bool shard = std::holds_alternative<owned_shard>(mail);
    if (shard)
      file(mail);
    return shard;
  });
}

/// On a session of its own: the link's is for batches.
void writer::read_heads_again() {
  const auto session = open_session(how_, "writer-" + std::to_string(index_) + "-heads");
  pqxx::nontransaction work{*session};
  std::vector<shard_id> lost;
  std::size_t moved = 0;
  for (const auto& row : work.exec("SELECT shard, epoch, head_position, head_hash FROM shard")) {
    const auto shard = static_cast<shard_id>(row[0].as<int>());
    auto& head = heads_.at(shard);
    if (!head.owned)
      continue;
    if (number_of(row[1]) != head.epoch) {
      lost.push_back(shard);
      continue;
    }
    moved += number_of(row[2]) != head.position ? 1 : 0;
    head.position = number_of(row[2]);
    head.hash = chain::to_digest(bytes_of(row[3]));
  }
  log::info("writer_recovered",
            {{"writer", index_}, {"heads_moved", moved}, {"shards_lost", lost.size()}});
  fence(lost);
}

} // namespace rahat::pg
