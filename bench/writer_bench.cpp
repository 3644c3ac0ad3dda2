// The writer alone, without hosts and HTTP: commands at 64 in flight and chunks of a pay list.
//
//   writer_bench commands CONNINFO SECONDS IN_FLIGHT   prints commands/s
//   writer_bench pay CONNINFO LINES                    prints lines/s of paying 1,000 a commit
//   writer_bench fill CONNINFO LINES                   prints lines/s of inserting 1,000 a commit
//
// CONNINFO is a role that may take shards, of a migrated database.
#include "persistence/chain/marks.hpp"
#include "persistence/lease/generation.hpp"
#include "persistence/postgres/decode.hpp"
#include "persistence/postgres/pg_store.hpp"
#include "runtime/decider/account.hpp"

#include <sys/resource.h>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <mutex>
#include <pqxx/pqxx>

namespace rahat {

namespace {

using steady = std::chrono::steady_clock;

constexpr std::uint32_t chunk_lines = 1'000;
constexpr std::size_t entities = 10'000;

double seconds_since(steady::time_point t) {
  return std::chrono::duration<double>(steady::now() - t).count();
}

double own_cpu_seconds() {
  rusage r;
  getrusage(RUSAGE_SELF, &r);
  return static_cast<double>(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
         static_cast<double>(r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1e-6;
}

std::vector<pg::owned_shard> take_all(const std::string& conninfo, generation& now) {
  pqxx::connection c{conninfo};
  now = read_generation(c);
  pqxx::work work{c};
  std::vector<pg::owned_shard> out;
  for (const auto& r : work.exec_params("UPDATE shard SET epoch = epoch + 1, generation = $1"
                                        " RETURNING shard, epoch, head_position, head_hash",
                                        pqxx::binarystring{now.raw()}))
    out.push_back({static_cast<shard_id>(r[0].as<int>()), pg::number_of(r[1]), pg::number_of(r[2]),
                   pg::bytes_of(r[3])});
  work.commit();
  return out;
}

std::uint64_t load(store& s, const entity_ref& entity) {
  std::promise<std::uint64_t> done;
  s.load(entity, 1, 1, [&](outcome<loaded_entity> o) {
    auto& loaded = std::get<loaded_entity>(o);
    done.set_value(loaded.tail.empty() ? 0 : loaded.tail.back().seq);
  });
  return done.get_future().get();
}

/// Counts what landed and ends the program at the first refusal.
class counter final : public commit_listener {
public:
  explicit counter(std::function<void()> next = {}) : next_(std::move(next)) {}

  void committed(std::uint64_t, std::uint64_t) override {
    {
      std::lock_guard lock{mutex_};
      ++landed_;
    }
    changed_.notify_one();
    if (next_)
      next_();
  }

  void failed(std::uint64_t seq, const commit_refusal& why) override {
    std::fprintf(stderr, "commit %lu failed: %s\n", seq, why.message.c_str());
    std::_Exit(1);
  }

  void wait(std::uint64_t count) {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [&] { return landed_ >= count; });
  }

  std::uint64_t landed() {
    std::lock_guard lock{mutex_};
    return landed_;
  }

private:
  std::function<void()> next_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t landed_ = 0;
};

commit commit_of(const entity_ref& entity, std::uint64_t seq, const char* type) {
  commit c;
  c.entity = entity;
  c.shard = shard_of(entity);
  c.incarnation = 1;
  c.seq = seq;
  c.type = type;
  c.principal = "bench";
  c.at_us = system_clock_port().now_us();
  return c;
}

/// A command like a project's: event, request, document, every fourth a message.
commit command(const entity_ref& entity, std::uint64_t seq) {
  auto c = commit_of(entity, seq, "project.noted");
  wire::Commit payload;
  payload.add_events(std::string(200, 'e'));
  c.payload = payload.SerializeAsString();
  const auto n = std::to_string(seq);
  c.request = request_row{derive_id({entity.id.raw(), n}), seq, std::string(150, 'r')};
  query_row q{entity.kind, entity.id, {}, {}};
  q.doc = "{\"seq\":" + n + ",\"name\":\"" + std::string(250, 'n') + "\"}";
  c.queries.push_back(std::move(q));
  if (seq % 4 == 0)
    c.outbox.push_back({{"vendor", entity.id}, seq / 4, std::string(120, 'o')});
  return c;
}

void run_commands(pg_store& s, double seconds, unsigned in_flight) {
  std::vector<std::pair<entity_ref, std::uint64_t>> hosts;
  for (std::size_t i = 0; i < entities; ++i)
    hosts.push_back({{"project", derive_id({"bench", std::to_string(i)})}, 0});
  for (auto& [entity, seq] : hosts)
    seq = load(s, entity);
  std::size_t next = 0; // the writer's thread alone, once it runs
  std::shared_ptr<counter> count;
  const auto until = steady::now() + std::chrono::duration<double>(seconds);
  unsigned running = in_flight; // the writer's thread alone
  std::promise<void> over;
  const auto send = [&] {
    if (steady::now() >= until) {
      if (--running == 0)
        over.set_value();
      return;
    }
    auto& [entity, seq] = hosts[next++ % hosts.size()];
    s.write(command(entity, ++seq), count);
  };
  count = std::make_shared<counter>(send);
  const auto began = steady::now();
  const auto cpu = own_cpu_seconds();
  std::vector<commit> first;
  for (unsigned i = 0; i < in_flight; ++i) {
    auto& [entity, seq] = hosts[next++ % hosts.size()];
    first.push_back(command(entity, ++seq));
  }
  for (auto& c : first)
    s.write(std::move(c), count);
  over.get_future().wait();
  const auto took = seconds_since(began);
  const auto landed = static_cast<double>(count->landed());
  std::printf("%.0f commands/s, own CPU %.1f us a command\n", landed / took,
              (own_cpu_seconds() - cpu) / landed * 1e6);
}

line_rows chunk_of(const uuid& list, const uuid& batch, std::uint32_t first) {
  line_rows out{list, {"batch", batch}, {}};
  out.rows.reserve(chunk_lines);
  for (auto no = first; no < first + chunk_lines; ++no)
    out.rows.push_back(
        {no, derive_id({"person", std::to_string(no)}), wallet_of(batch, no), 1'000 + no % 500});
  return out;
}

/// As many chunks in flight as a disbursement has.
void run_lines(pg_store& s, bool pay, std::uint32_t lines) {
  const entity_ref self{"disbursement", derive_id({"bench list", std::to_string(lines)})};
  const auto batch = derive_id({"bench batch"});
  const auto debit = derive_id({"reserve"});
  std::vector<line_payment> payments;
  for (std::uint32_t first = 0; pay && first < lines; first += chunk_lines) {
    const auto chunk = chunk_of(self.id, batch, first);
    line_payment p{self.id, first, first + chunk_lines - 1, debit, "NPR", chunk_lines, 0, {}, {}};
    for (auto& row : chunk.rows)
      p.sum_minor += row.amount_minor;
    p.lines_digest = digest_of(chunk.rows);
    p.credit_owner = {"batch", batch};
    payments.push_back(p);
  }
  auto seq = load(s, self);
  const auto count = std::make_shared<counter>();
  const auto began = steady::now();
  const auto cpu = own_cpu_seconds();
  std::uint64_t sent = 0;
  for (std::uint32_t first = 0; first < lines; first += chunk_lines, ++sent) {
    auto c = commit_of(self, ++seq, "disbursement.progress");
    wire::Commit payload;
    payload.add_events(std::string(80, 'p'));
    if (pay) {
      c.payments = {payments[first / chunk_lines]};
      chain::add_marks(payload, {}, c.payments);
      c.outbox.push_back({{"batch", batch}, seq, std::string(150, 'o')});
    } else {
      c.lines = {chunk_of(self.id, batch, first)};
    }
    c.payload = payload.SerializeAsString();
    if (sent >= 8)
      count->wait(sent - 7);
    s.write(std::move(c), count);
  }
  count->wait(sent);
  std::printf("%.0f lines/s, own CPU %.2f us a line\n", lines / seconds_since(began),
              (own_cpu_seconds() - cpu) / lines * 1e6);
}

int run(int argc, char** argv) {
  const std::string what = argc > 2 ? argv[1] : "";
  if (what != "commands" && what != "pay" && what != "fill") {
    std::fprintf(stderr,
                 "usage: writer_bench commands|pay|fill CONNINFO "
                 "[SECONDS IN_FLIGHT | LINES]\n");
    return 2;
  }
  pg::store_options how;
  how.conninfo = argv[2];
  how.me = {derive_id({"bench"}), 1, "bench"};
  const auto shards = take_all(how.conninfo, how.now);
  pg_store s{how};
  s.start(shards);
  if (what == "commands")
    run_commands(s, argc > 3 ? std::atof(argv[3]) : 3,
                 argc > 4 ? static_cast<unsigned>(std::atoi(argv[4])) : 64);
  else
    run_lines(s, what == "pay",
              argc > 3 ? static_cast<std::uint32_t>(std::atoi(argv[3])) : 1'000'000);
  s.stop();
  return 0;
}

} // namespace

} // namespace rahat

int main(int argc, char** argv) {
  try {
    return rahat::run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
