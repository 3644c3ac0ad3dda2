#include "tests/cluster/faults.hpp"

namespace rahat::test {

const char* name_of(fault what) {
  switch (what) {
    case fault::kill_node: return "kill_node";
    case fault::freeze_node: return "freeze_node";
    case fault::freeze_in_commit: return "freeze_in_commit";
    case fault::restart_postgres: return "restart_postgres";
    case fault::stop_postgres: return "stop_postgres";
  }
  return "";
}

commit_gate::commit_gate(std::string owner_conninfo) : conninfo_(std::move(owner_conninfo)) {
  pqxx::connection owner{conninfo_};
  pqxx::nontransaction{owner}.exec(R"(
CREATE TABLE test_gate (node text);
GRANT SELECT ON test_gate TO rahat_service;
CREATE FUNCTION test_hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM test_gate g
             WHERE starts_with(current_setting('application_name'), 'rahat/' || g.node || '/')) THEN
    PERFORM pg_advisory_xact_lock_shared(4711);
  END IF;
  IF NEW.kind = 'disbursement' THEN
    PERFORM pg_sleep(0.02);
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER test_hold AFTER INSERT ON journal DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION test_hold())");
}

void commit_gate::close(const std::string& node_uuid) {
  holder_ = std::make_unique<pqxx::connection>(conninfo_);
  pqxx::nontransaction work{*holder_};
  work.exec("SELECT pg_advisory_lock(4711)");
  work.exec("INSERT INTO test_gate VALUES (" + work.quote(node_uuid) + ")");
}

std::size_t commit_gate::waiting() {
  pqxx::nontransaction work{*holder_};
  return work
      .exec1(
          "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
          " AND objid = 4711")[0]
      .as<std::size_t>();
}

void commit_gate::let_others_pass() {
  pqxx::connection owner{conninfo_};
  pqxx::nontransaction{owner}.exec("DELETE FROM test_gate");
}

void commit_gate::open() {
  holder_.reset();
}

} // namespace rahat::test
