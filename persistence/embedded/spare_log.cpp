#include "persistence/embedded/spare_log.hpp"

#include <pqxx/pqxx>

namespace rahat {

namespace {

constexpr int segment_mb = 16; // Postgres' default; initdb is not told otherwise

int segments(pqxx::nontransaction& work) {
  return work.exec1("SELECT count(*) FROM pg_ls_waldir()")[0].as<int>();
}

} // namespace

spare_log::spare_log(std::string conninfo, int megabytes)
    : conninfo_(std::move(conninfo)), wanted_(megabytes / segment_mb) {}

spare_log::~spare_log() = default;

bool spare_log::step() {
  if (wanted_ == 0)
    return true;
  try {
    if (more())
      return false;
  } catch (const pqxx::failure&) {
    // Commits then wait for their segments, as they would without this.
  }
  connection_.reset();
  wanted_ = 0;
  return true;
}

/// A switch fills a segment's rest with zeros and begins the next one; a checkpoint then keeps them
/// all for further use, up to `min_wal_size`.
bool spare_log::more() {
  if (!connection_)
    connection_ = std::make_unique<pqxx::connection>(conninfo_);
  pqxx::nontransaction work{*connection_};
  if (segments(work) < wanted_ && made_ < wanted_) {
    work.exec("SELECT pg_logical_emit_message(true, 'rahat', '')"); // an empty one is not switched
    work.exec("SELECT pg_switch_wal()");
    ++made_;
    return true;
  }
  if (made_ > 0)
    work.exec("CHECKPOINT");
  return false;
}

} // namespace rahat
