#include "tests/integration/store/store_kit.hpp"

#include "persistence/embedded/conninfo.hpp"
#include "persistence/lease/generation.hpp"
#include "persistence/postgres/decode.hpp"

#include <unistd.h>
#include <atomic>
#include <filesystem>

namespace rahat::test {

namespace {

/// Counts with a sequence, which a rollback does not turn back.
constexpr const char* fault_trigger = R"(
CREATE SEQUENCE fault_met;
CREATE TABLE fault (upto bigint NOT NULL, state text NOT NULL);
INSERT INTO fault VALUES (0, '40001');
CREATE FUNCTION fault_meet() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE f fault;
BEGIN
  SELECT * INTO f FROM fault;
  IF f.upto > 0 AND nextval('fault_met') <= f.upto THEN
    RAISE EXCEPTION 'injected' USING ERRCODE = f.state;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER fault_meet AFTER INSERT ON journal FOR EACH STATEMENT EXECUTE FUNCTION fault_meet();
)";

/// Waits for the signal that it sends itself: a backend looks for one only now and then.
constexpr const char* deadly_trigger = R"(
CREATE TABLE IF NOT EXISTS deadly (entity uuid PRIMARY KEY, how text NOT NULL);
CREATE OR REPLACE FUNCTION deadly_meet() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE ill deadly;
BEGIN
  SELECT * INTO ill FROM deadly d WHERE d.entity = NEW.entity;
  IF FOUND THEN
    EXECUTE replace(ill.how, 'PID', pg_backend_pid()::text);
    PERFORM pg_sleep(60);
  END IF;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER deadly_meet AFTER INSERT ON journal
  FOR EACH ROW EXECUTE FUNCTION deadly_meet();
)";

std::filesystem::path fresh_folder() {
  static std::atomic<int> count{0};
  return std::filesystem::temp_directory_path() /
         ("rahat-line-" + std::to_string(getpid()) + "-" + std::to_string(++count));
}

} // namespace

store_kit::store_kit(pg::store_options base, fence_listener listener)
    : database_(pg_fixture::get().fresh_database()),
      admin_(std::make_unique<pqxx::connection>(database_.admin)),
      options_(std::move(base)),
      fenced_(std::move(listener)) {
  const auto fields = parse_conninfo(database_.service);
  const auto port = fields.contains("port") ? fields.at("port") : "5432";
  line_ = std::make_unique<cut_line>(fresh_folder(), fields.at("host") + "/.s.PGSQL." + port);
  options_.conninfo = with_field(database_.service, "host", line_->folder());
  options_.me = {derive_id({"node of a test"}), 1, "test"};
  options_.now = read_generation(*admin_);
  options_.refuse_unsafe = false; // tests' servers force nothing to the disk
  sql(fault_trigger);
  start();
}

store_kit::~store_kit() {
  store_.reset();
  line_->away();
  std::error_code ignored;
  const auto folder = line_->folder();
  line_.reset();
  std::filesystem::remove_all(folder, ignored);
}

void store_kit::close() {
  store_->stop();
}

void store_kit::reopen() {
  store_->stop();
  store_.reset();
  start();
}

void store_kit::start() {
  store_ = std::make_unique<pg_store>(options_);
  if (fenced_)
    store_->on_fenced(fenced_);
  store_->start(take_all());
}

std::vector<pg::owned_shard> store_kit::take_all() {
  pqxx::work work{*admin_};
  const auto rows = work.exec_params(
      "UPDATE shard SET epoch = epoch + 1, generation = $1"
      " RETURNING shard, epoch, head_position, head_hash",
      pqxx::binarystring{options_.now.raw()});
  std::vector<pg::owned_shard> out;
  for (const auto& r : rows)
    out.push_back({static_cast<shard_id>(r[0].as<int>()), pg::number_of(r[1]), pg::number_of(r[2]),
                   pg::bytes_of(r[3])});
  work.commit();
  return out;
}

void store_kit::fence(shard_id shard) {
  sql("UPDATE shard SET epoch = epoch + 1 WHERE shard = " + std::to_string(shard));
}

void store_kit::take_over(shard_id shard) {
  const auto rows =
      sql("UPDATE shard SET epoch = epoch + 1 WHERE shard = " + std::to_string(shard) +
          " RETURNING shard, epoch, head_position, head_hash");
  store_->adopt(
      {{shard, pg::number_of(rows[0][1]), pg::number_of(rows[0][2]), pg::bytes_of(rows[0][3])}});
}

pqxx::result store_kit::sql(const std::string& text) {
  pqxx::nontransaction work{*admin_};
  return work.exec(text);
}

int store_kit::kill_writers() {
  const auto killed =
      sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
          " WHERE datname = current_database()"
          " AND application_name LIKE '%/writer-%'");
  return static_cast<int>(killed.size());
}

void store_kit::refuse_batches(const std::string& sqlstate, int n) {
  sql("UPDATE fault SET state = '" + sqlstate + "', upto = nextval('fault_met') + " +
      std::to_string(n));
}

void store_kit::die_of(const uuid& entity) {
  ruin(entity, "SELECT pg_terminate_backend(PID)");
}

void store_kit::crash_of(const uuid& entity) {
  ruin(entity, "COPY (SELECT 1) TO PROGRAM 'kill -SEGV PID'");
}

void store_kit::ruin(const uuid& entity, const std::string& how) {
  sql(deadly_trigger);
  sql("INSERT INTO deadly VALUES ('" + entity.str() + "', $$" + how + "$$)");
}

void store_kit::look_again() {
  admin_ = std::make_unique<pqxx::connection>(database_.admin);
}

commit probe_commit(const entity_ref& self, std::uint64_t incarnation, std::uint64_t seq) {
  commit c;
  c.entity = self;
  c.shard = shard_of(self);
  c.incarnation = incarnation;
  c.seq = seq;
  c.type = "probe.noted";
  c.principal = "test";
  c.at_us = 1'700'000'000'000'000;
  return c;
}

} // namespace rahat::test
