#include "apps/rahatd/program.hpp"

#include "apps/rahatd/file_limit.hpp"
#include "apps/rahatd/last_resort.hpp"
#include "config/load.hpp"
#include "runtime/telemetry/log.hpp"

#include <pthread.h>
#include <unistd.h>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <iostream>

namespace rahat {

namespace {

constexpr int exit_usage = 2;
constexpr int exit_cannot_start = 3;
constexpr int exit_must_stop = 4;

/// What an end may take besides the times that the settings allow for: landing what is queued,
/// threads that wait for Postgres, Postgres itself.
constexpr std::chrono::seconds rest_of_a_stop{60};

/// Signals are taken by one thread at one place; all others, made later, inherit the block.
sigset_t block_signals() {
  sigset_t wanted;
  sigemptyset(&wanted);
  for (int s : {SIGTERM, SIGINT, SIGUSR1})
    sigaddset(&wanted, s);
  pthread_sigmask(SIG_BLOCK, &wanted, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return wanted;
}

/// SIGUSR1 is our own: a part of the node says that it must stop.
int wait_for_end(const sigset_t& wanted) {
  int got = 0;
  sigwait(&wanted, &got);
  return got;
}

/// How long the end of the process may take once it is decided; `in_order`: shards are handed over
/// before.
std::chrono::milliseconds limit_of_a_stop(const config& settings, bool in_order) {
  std::chrono::milliseconds limit{rest_of_a_stop};
  limit += std::chrono::milliseconds{settings.http.drain_timeout_ms};
  if (in_order && !settings.cluster.host.empty())
    limit += std::chrono::seconds{settings.cluster.shutdown_s};
  return limit;
}

int run(const config& settings, node::faults injected) {
  auto signals = block_signals();
  const auto files = raise_file_limit();
  if (const auto shortage = file_shortage(settings); shortage.empty())
    log::debug("file_limit", {{"files", files}});
  else
    log::warning("file_limit_low", {{"reason", std::string_view{shortage}}});
  const system_clock_port time;
  std::atomic<int> code{exit_must_stop}; // of an end that had to be cut short
  last_resort watchdog{time, [&code] { end_at_once(code); }};
  std::atomic<const node*> running{nullptr};
  auto must_stop = [&](const std::string& why) {
    log::error("node_must_stop", {{"reason", why}});
    const auto* self = running.load();
    const bool in_order = self != nullptr && self->too_old();
    if (in_order)
      code = exit_cannot_start;
    watchdog.arm(limit_of_a_stop(settings, in_order));
    kill(getpid(), SIGUSR1);
  };
  node node{settings, must_stop, std::move(injected)};
  running = &node;
  try {
    node.start();
  } catch (const std::exception& e) {
    log::error("node_cannot_start", {{"reason", e.what()}});
    std::cerr << "rahatd cannot start: " << e.what() << '\n';
    return exit_cannot_start;
  }
  log::info("node_ready",
            {{"public_port", node.public_port()}, {"internal_port", node.internal_port()}});
  std::cout << "Rahat is ready.\n"
            << "  API        http://" << settings.http.public_host << ':' << node.public_port()
            << "/v2  (GET /v2/openapi.json)\n"
            << "  operators  http://" << settings.http.internal_host << ':' << node.internal_port()
            << "  (/health /readiness /metrics)\n"
            << "  token      " << node.admin_token_file() << '\n'
            << std::flush;
  auto got = wait_for_end(signals);
  log::info("node_stopping", {{"signal", got}});
  watchdog.arm(limit_of_a_stop(settings, true));
  node.stop();
  log::info("node_stopped");
  if (node.too_old())
    return exit_cannot_start; // a new start of this build would end the same way
  return got == SIGUSR1 ? exit_must_stop : 0;
}

} // namespace

int run_program(int argc, char** argv, node::faults injected) {
  auto loaded = load(argc, argv, process_environment());
  if (loaded.message) {
    std::cout << *loaded.message << '\n';
    return 0;
  }
  if (!loaded.errors.empty()) {
    print(std::cerr, loaded.errors);
    return exit_usage;
  }
  if (loaded.check_only) {
    std::cout << describe(loaded);
    return 0;
  }
  log::options how;
  how.least = log::level_from(loaded.values.log.level);
  how.file = loaded.values.log.file;
  how.node = loaded.values.node.name;
  if (auto failed = log::start(how); !failed.empty()) {
    std::cerr << "rahatd cannot write its log: " << failed << '\n';
    return exit_usage;
  }
  auto code = run(loaded.values, std::move(injected));
  log::stop();
  return code;
}

} // namespace rahat
