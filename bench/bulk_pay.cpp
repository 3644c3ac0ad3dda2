#include "bench/bench_node.hpp"
#include "bench/distribution.hpp"
#include "bench/process.hpp"

#include <libpq-fe.h>
#include <unistd.h>
#include <memory>
#include <stdexcept>

/// A disbursement to everybody of the register, from approved to completed, against the fastest
/// thing that Postgres offers for the same rows: one COPY into the same server.
namespace rahat::bench {

namespace {

constexpr std::size_t copy_piece_bytes = 64 * 1024;

using connection = std::unique_ptr<PGconn, decltype(&PQfinish)>;
using answer = std::unique_ptr<PGresult, decltype(&PQclear)>;

answer run(PGconn* on, const char* statement, ExecStatusType wanted) {
  answer got{PQexec(on, statement), &PQclear};
  if (PQresultStatus(got.get()) != wanted)
    throw std::runtime_error(std::string{statement} + ": " + PQerrorMessage(on));
  return got;
}

/// The yardstick: the same rows, the same key, the same server, one transaction.
class copy_yardstick {
public:
  explicit copy_yardstick(const bench_node& node)
      : to_(PQconnectdb(node.conninfo().c_str()), &PQfinish) {
    run(to_.get(), "CREATE SCHEMA yardstick", PGRES_COMMAND_OK);
  }

  /// Takes a disbursement's transfers as the text that a client would prepare.
  void prepare(const std::string& list) {
    auto statement =
        "COPY (SELECT * FROM transfer WHERE purpose = '" + list + "' ORDER BY line) TO STDOUT";
    run(to_.get(), statement.c_str(), PGRES_COPY_OUT);
    text_.clear();
    for (;;) {
      char* row = nullptr;
      auto n = PQgetCopyData(to_.get(), &row, 0);
      if (n < 0)
        break;
      text_.append(row, static_cast<std::size_t>(n));
      PQfreemem(row);
    }
    finish();
  }

  /// Seconds of loading them into a fresh table, which is dropped afterwards.
  double load() {
    run(to_.get(), "CREATE TABLE yardstick.transfer (LIKE public.transfer INCLUDING ALL)",
        PGRES_COMMAND_OK);
    run(to_.get(), "CHECKPOINT", PGRES_COMMAND_OK);
    auto began = now_seconds();
    run(to_.get(), "BEGIN", PGRES_COMMAND_OK);
    run(to_.get(), "COPY yardstick.transfer FROM STDIN", PGRES_COPY_IN);
    for (std::size_t at = 0; at < text_.size(); at += copy_piece_bytes) {
      auto n = std::min(copy_piece_bytes, text_.size() - at);
      if (PQputCopyData(to_.get(), text_.data() + at, static_cast<int>(n)) != 1)
        throw std::runtime_error(PQerrorMessage(to_.get()));
    }
    if (PQputCopyEnd(to_.get(), nullptr) != 1)
      throw std::runtime_error(PQerrorMessage(to_.get()));
    finish();
    run(to_.get(), "COMMIT", PGRES_COMMAND_OK);
    auto took = now_seconds() - began;
    run(to_.get(), "DROP TABLE yardstick.transfer", PGRES_COMMAND_OK);
    return took;
  }

private:
  void finish() {
    while (auto* got = PQgetResult(to_.get())) {
      auto status = PQresultStatus(got);
      PQclear(got);
      if (status != PGRES_COMMAND_OK)
        throw std::runtime_error(PQerrorMessage(to_.get()));
    }
  }

  connection to_;
  std::string text_;
};

void check_paid(const distribution& all) {
  if (auto there = all.transfers(); there != all.lines())
    throw std::runtime_error("a completed disbursement of " + std::to_string(all.lines()) +
                             " lines made " + std::to_string(there) + " transfers");
}

} // namespace

std::vector<measurement> bulk_pay(const settings& how) {
  bench_node node{how};
  distribution all{node, how, how.lines};
  copy_yardstick copy{node};
  auto lines = static_cast<double>(all.lines());
  std::vector<double> locked, paid, copied, paid_us, copied_us;
  for (unsigned round = 0; round <= how.rounds; ++round) { // the first one warms up
    node.sql("CHECKPOINT");
    auto lock = lines / all.lock();
    auto cpu = cpu_seconds(node.pid());
    auto pay = lines / all.approve_and_pay();
    cpu = cpu_seconds(node.pid()) - cpu;
    check_paid(all);
    if (round == 0) {
      copy.prepare(all.list());
      copy.load();
      continue;
    }
    locked.push_back(lock);
    paid.push_back(pay);
    paid_us.push_back(cpu / lines * 1e6);
    cpu = cpu_seconds(node.pid()) + own_cpu_seconds(::getpid());
    copied.push_back(lines / copy.load());
    cpu = cpu_seconds(node.pid()) + own_cpu_seconds(::getpid()) - cpu;
    copied_us.push_back(cpu / lines * 1e6);
    say("round " + std::to_string(round) + ": lock " + std::to_string(lock) + ", pay " +
        std::to_string(pay) + ", COPY " + std::to_string(copied.back()) + " lines/s");
  }
  return {{"bulk_pay", median(paid), "lines/s", median(copied), at_least(0.7)},
          {"bulk_pay_cpu", median(paid_us), "us/line", median(copied_us), {}},
          {"bulk_lock", median(locked), "lines/s", {}, {}}};
}

} // namespace rahat::bench
