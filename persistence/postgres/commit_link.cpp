#include "persistence/postgres/commit_link.hpp"

#include "persistence/postgres/session.hpp"

#include <pqxx/pqxx>

namespace rahat::pg {

namespace {

constexpr std::size_t scalars = 2; // batch id and generation
constexpr int end_patience_ms = 5'000;

std::string places(std::size_t first, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i)
    text += (i > 0 ? ",$" : "$") + std::to_string(first + i);
  return text;
}

pqxx::binarystring big_endian(std::int64_t v) {
  char bytes[8];
  for (int i = 0; i < 8; ++i)
    bytes[i] = static_cast<char>(static_cast<std::uint64_t>(v) >> (56 - 8 * i));
  return {bytes, sizeof bytes};
}

/// Prepared at once: a database without the functions fails here and not under a batch.
void prepare_statements(pqxx::connection_base& c) {
  batch_encoder shape;
  const auto common = scalars + shape.common().size();
  const auto lean = "commit_batch_v1(" + places(1, common) + ")";
  c.prepare("commit", "SELECT " + lean);
  c.prepare("commit_bulk",
            "SELECT " + lean + ", commit_bulk_v1(" + places(common + 1, shape.bulk().size()) + ")");
  c.prepare_now("commit");
  c.prepare_now("commit_bulk");
}

} // namespace

commit_link::commit_link(const store_options& how, unsigned writer)
    : how_(how), part_("writer-" + std::to_string(writer)) {}

commit_link::~commit_link() = default;

bool commit_link::open() const {
  return connection_ != nullptr && connection_->is_open();
}

void commit_link::connect() {
  connection_.reset();
  connection_ = open_session(how_, part_);
  end_former_sessions();
  prepare_statements(*connection_);
}

void commit_link::end_former_sessions() {
  pqxx::nontransaction work{*connection_};
  const auto name = how_.me.application_name(part_);
  // Waits for each of them: a session beyond its commit record cannot be interrupted any more.
  const auto ended = work.exec_params(
      "SELECT pg_terminate_backend(pid, $2) FROM pg_stat_activity"
      " WHERE application_name = $1 AND usename = current_user AND pid <> pg_backend_pid()",
      name, end_patience_ms);
  const auto left = work.exec_params1(
                            "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND "
                            "pid <> pg_backend_pid()",
                            name)[0]
                        .as<int>();
  if (left > 0)
    throw pqxx::broken_connection{"a former session of " + name + " does not end"};
}

void commit_link::send(std::int64_t batch_id, batch_encoder& batch) {
  parameters_.clear();
  parameters_.push_back(big_endian(batch_id));
  parameters_.emplace_back(how_.now.raw());
  for (auto& c : batch.common())
    parameters_.emplace_back(c.wire());
  const bool bulk = batch.has_bulk();
  if (bulk)
    for (auto& c : batch.bulk())
      parameters_.emplace_back(c.wire());
  pqxx::nontransaction work{*connection_};
  work.exec_prepared(bulk ? "commit_bulk" : "commit",
                     pqxx::prepare::make_dynamic_params(parameters_));
}

bool commit_link::answers() {
  try {
    pqxx::nontransaction{*connection_}.exec("SELECT");
    return true;
  } catch (const std::exception&) {
    connection_.reset();
    return false;
  }
}

bool commit_link::has_landed(std::int64_t batch_id, const head_move& head) {
  pqxx::nontransaction work{*connection_};
  const auto row = work.exec_params(
      "SELECT s.commit_id, encode(j.hash, 'hex') FROM shard s"
      " LEFT JOIN journal j ON j.shard = s.shard AND j.position = $2 WHERE s.shard = $1",
      head.shard, head.position);
  if (row.empty())
    return false;
  return row[0][0].as<std::int64_t>() == batch_id ||
         row[0][1].as<std::string>("") == hex(view(head.hash));
}

} // namespace rahat::pg
