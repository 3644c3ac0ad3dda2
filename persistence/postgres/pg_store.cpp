#include "persistence/postgres/pg_store.hpp"

#include "persistence/lease/doctor.hpp"
#include "persistence/postgres/housekeeping.hpp"
#include "persistence/postgres/reader_pool.hpp"
#include "persistence/postgres/reads.hpp"
#include "persistence/postgres/writer.hpp"

#include <algorithm>
#include <type_traits>

namespace rahat {

namespace {

using pqxx_connection = pqxx::connection_base;

} // namespace

struct pg_store::impl {
  explicit impl(pg::store_options options) : how(std::move(options)), readers(how), chores(how) {
    if (how.time == nullptr)
      how.time = &system_time;
    if (how.chance == nullptr)
      how.chance = &system_chance;
    if (how.probe == nullptr)
      how.probe = &no_probe;
    for (unsigned i = 0; i < std::max(1u, how.writers); ++i)
      writers.push_back(std::make_unique<pg::writer>(
          how, i, [this, i](auto load) { read_behind_barrier(i, std::move(load)); },
          [this](const std::map<shard_id, std::int64_t>& shards) {
            if (fenced)
              fenced(shards);
          }));
  }

  pg::writer& writer_of(shard_id shard) const { return *writers[shard % writers.size()]; }

  void adopt(const std::vector<pg::owned_shard>& shards) {
    std::vector<std::vector<pg::owned_shard>> of(writers.size());
    for (auto& s : shards)
      of[s.shard % writers.size()].push_back(s);
    for (std::size_t i = 0; i < writers.size(); ++i)
      writers[i]->adopt(of[i]);
  }

  /// Runs `work` on a reader. What it returns, a value or an outcome, goes to `done`.
  template <class T, class Work>
  void read(Work work, callback<T> done) {
    auto shared = std::make_shared<callback<T>>(std::move(done));
    readers.submit(
        [work = std::move(work), shared](pqxx_connection& c) -> std::function<void()> {
          auto result = std::make_shared<outcome<T>>(work(c));
          return [result, shared] { (*shared)(std::move(*result)); };
        },
        [shared](error e) { (*shared)(std::move(e)); });
  }

  /// The second half of a load: the writer has resolved all former commits of the entity.
  void read_behind_barrier(unsigned index, std::unique_ptr<pg::queued_load> load) {
    auto ask = std::shared_ptr<pg::queued_load>(std::move(load));
    const auto began = how.time->steady();
    readers.submit(
        [this, ask, index, began](pqxx_connection& c) -> std::function<void()> {
          auto found = std::make_shared<pg::load_result>(
              pg::read_entity(c, ask->entity, ask->evolve_version));
          return [this, ask, index, began, found] {
            // In the writer's mail before anything that the new host may send.
            writers[index]->learned(ask->entity, ask->incarnation, found->last_seq);
            how.probe->load_finished(
                std::chrono::duration<double>(how.time->steady() - began).count(),
                found->entity.tail.size());
            ask->answer(std::move(found->entity));
          };
        },
        [ask](error e) { ask->answer(std::move(e)); });
  }

  pg::store_options how;
  system_clock_port system_time;
  system_random system_chance;
  pg::store_probe no_probe;
  std::function<void(const std::map<shard_id, std::int64_t>&)> fenced;
  pg::reader_pool readers;
  pg::housekeeping chores;
  std::vector<std::unique_ptr<pg::writer>> writers;
};

pg_store::pg_store(pg::store_options how) : impl_(std::make_unique<impl>(std::move(how))) {}

pg_store::~pg_store() {
  stop();
}

void pg_store::start(const std::vector<pg::owned_shard>& shards) {
  impl_->chores.start();
  impl_->readers.start();
  for (auto& w : impl_->writers)
    w->start();
  impl_->adopt(shards);
}

void pg_store::stop() {
  // Writers first: they still hand loads to the readers.
  for (auto& w : impl_->writers)
    w->stop();
  impl_->readers.stop();
  impl_->chores.stop();
}

std::vector<part> pg_store::parts() {
  std::vector<part> out{impl_->chores.as_part()};
  for (auto& reader : impl_->readers.parts())
    out.push_back(std::move(reader));
  for (auto& w : impl_->writers)
    out.push_back(w->as_part());
  return out;
}

void pg_store::adopt(const std::vector<pg::owned_shard>& shards) {
  impl_->adopt(shards);
}

void pg_store::adopt(const shard_grant& shard) {
  impl_->adopt({{shard.shard, static_cast<std::uint64_t>(shard.epoch),
                 static_cast<std::uint64_t>(shard.head_position), shard.head_hash}});
}

void pg_store::give_up(shard_id shard, std::int64_t epoch,
                       std::function<void(std::variant<shard_grant, error>)> done) {
  impl_->writer_of(shard).give_up(shard, static_cast<std::uint64_t>(epoch), std::move(done));
}

std::vector<pg::writer_report> pg_store::writers() const {
  std::vector<pg::writer_report> out;
  for (auto& w : impl_->writers)
    out.push_back(w->report());
  return out;
}

void pg_store::look_at_durability(rahat::callback<std::string> done) {
  impl_->read<std::string>([](pqxx_connection& c) { return why_not_durable(c); }, std::move(done));
}

void pg_store::distrust() {
  for (auto& w : impl_->writers)
    w->distrust();
}

void pg_store::write(commit c, std::shared_ptr<commit_listener> listener) {
  auto& w = impl_->writer_of(c.shard);
  w.push(std::move(c), std::move(listener));
}

std::int64_t pg_store::writer_credit(shard_id shard) const {
  return impl_->writer_of(shard).credit();
}

void pg_store::load(const entity_ref& entity, std::uint64_t incarnation,
                    std::uint32_t evolve_version, rahat::callback<loaded_entity> done) {
  auto load = std::make_unique<pg::queued_load>();
  load->entity = entity;
  load->incarnation = incarnation;
  load->evolve_version = evolve_version;
  load->done = std::move(done);
  impl_->writer_of(shard_of(entity)).push(std::move(load));
}

void pg_store::find_request(const entity_ref& entity, const uuid& request,
                            rahat::callback<std::optional<request_row>> done) {
  impl_->read<std::optional<request_row>>(
      [=](pqxx_connection& c) { return pg::read_request(c, entity, request); }, std::move(done));
}

void pg_store::feed(const feed_request& what, rahat::callback<wire::Feed> done) {
  impl_->read<wire::Feed>([=](pqxx_connection& c) { return pg::read_feed(c, what); },
                          std::move(done));
}

void pg_store::save_snapshot(snapshot_row row) {
  impl_->chores.save(std::move(row));
}

void pg_store::acknowledged(const entity_ref& source, const entity_ref& target, std::uint64_t n) {
  impl_->chores.acknowledged(source, target, n);
}

void pg_store::pending(shard_id shard, std::uint32_t limit,
                       rahat::callback<std::vector<entity_ref>> done) {
  const auto now_us = impl_->how.time->now_us();
  impl_->read<std::vector<entity_ref>>(
      [=](pqxx_connection& c) { return pg::read_pending(c, shard, now_us, limit); },
      std::move(done));
}

void pg_store::park(parked_row row) {
  impl_->chores.park(std::move(row));
}

void pg_store::parked(std::uint64_t after, std::uint32_t limit,
                      rahat::callback<std::vector<parked_row>> done) {
  impl_->read<std::vector<parked_row>>(
      [=](pqxx_connection& c) { return pg::read_parked(c, after, limit); }, std::move(done));
}

void pg_store::release(const entity_ref& entity, rahat::callback<std::uint64_t> done) {
  impl_->read<std::uint64_t>([=](pqxx_connection& c) { return pg::release_parked(c, entity); },
                             std::move(done));
}

void pg_store::journal(shard_id shard, std::uint64_t after, std::uint32_t limit,
                       rahat::callback<std::vector<journal_row>> done) {
  impl_->read<std::vector<journal_row>>(
      [=](pqxx_connection& c) { return pg::read_journal(c, shard, after, limit); },
      std::move(done));
}

void pg_store::history(const entity_ref& entity, std::uint64_t after, std::uint32_t limit,
                       rahat::callback<std::vector<journal_row>> done) {
  impl_->read<std::vector<journal_row>>(
      [=](pqxx_connection& c) { return pg::read_history(c, entity, after, limit); },
      std::move(done));
}

void pg_store::heads(rahat::callback<std::vector<shard_head>> done) {
  impl_->read<std::vector<shard_head>>([](pqxx_connection& c) { return pg::read_heads(c); },
                                       std::move(done));
}

void pg_store::on_fenced(std::function<void(std::vector<shard_id>)> listener) {
  on_lost([listener = std::move(listener)](const std::map<shard_id, std::int64_t>& lost) {
    std::vector<shard_id> shards;
    for (auto& [shard, epoch] : lost)
      shards.push_back(shard);
    listener(std::move(shards));
  });
}

void pg_store::on_lost(std::function<void(const std::map<shard_id, std::int64_t>&)> listener) {
  impl_->fenced = std::move(listener);
}

void pg_store::list(list_query q, rahat::callback<page> done) {
  impl_->read<page>([q = std::move(q)](pqxx_connection& c) { return pg::read_list(c, q); },
                    std::move(done));
}

void pg_store::document(std::string kind, uuid id, rahat::callback<std::string> done) {
  impl_->read<std::string>(
      [kind = std::move(kind), id](pqxx_connection& c) { return pg::read_document(c, kind, id); },
      std::move(done));
}

void pg_store::lines(uuid list, std::int64_t after, std::uint32_t limit,
                     rahat::callback<std::vector<stored_line>> done) {
  impl_->read<std::vector<stored_line>>(
      [=](pqxx_connection& c) { return pg::read_lines(c, list, after, limit); }, std::move(done));
}

void pg_store::rows(uuid upload, std::vector<std::uint32_t> ordinals,
                    rahat::callback<std::vector<stored_row>> done) {
  impl_->read<std::vector<stored_row>>(
      [upload, ordinals = std::move(ordinals)](pqxx_connection& c) {
        return pg::read_rows(c, upload, ordinals);
      },
      std::move(done));
}

void pg_store::upload_errors(uuid upload, std::int64_t after, std::uint32_t limit,
                             rahat::callback<std::vector<stored_error>> done) {
  impl_->read<std::vector<stored_error>>(
      [=](pqxx_connection& c) { return pg::read_upload_errors(c, upload, after, limit); },
      std::move(done));
}

} // namespace rahat
