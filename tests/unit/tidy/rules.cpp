#include "rules.hpp"

namespace rahat::tidy {

// The first row whose folder fits counts. "*.pb.h" after a folder means its Protobuf messages only.
const std::vector<layer>& layers() {
  static const std::vector<layer> all = {
      {"actors/",
       {"actors/*.pb.h", "actors/shared/", "runtime/decider/", "runtime/wire/*.pb.h"},
       "a kind sees Protobuf messages and the decider types only"},
      {"runtime/",
       {"runtime/", "supervision/"},
       "the runtime knows no kind, no store and no edge: they come through runtime/ports"},
      {"supervision/",
       {"supervision/", "runtime/telemetry/", "runtime/ports/clock.hpp", "runtime/ports/part.hpp",
        "runtime/ports/random.hpp"},
       "supervision sees CAF, telemetry, what a part is, and for its backoff clock and random"},
      {"persistence/",
       {"persistence/", "supervision/", "runtime/ports/", "runtime/decider/", "runtime/wire/",
        "runtime/telemetry/", "runtime/cluster/self_deadline.hpp", "config/", "actors/*.pb.h"},
       "the store implements runtime/ports and sees the kinds' messages only; the lease computes "
       "with"
       " the cluster's own arithmetic"},
      {"gateways/rest/",
       {"gateways/", "runtime/ports/", "runtime/decider/", "runtime/wire/", "runtime/trust/",
        "actors/*.pb.h"},
       "resources speak to entities through runtime/ports, and seal personal fields"},
      {"gateways/",
       {"gateways/", "supervision/", "runtime/ports/", "runtime/decider/", "runtime/wire/",
        "runtime/telemetry/", "config/", "actors/*.pb.h"},
       "an edge speaks to entities through runtime/ports and the kinds' messages only"},
      {"config/", {"config/"}, "the configuration knows nobody"},
  };
  return all;
}

const std::vector<library>& libraries() {
  static const std::vector<library> all = {
      {{"caf/"},
       {"runtime/", "supervision/", "persistence/", "gateways/http/", "gateways/live/",
        "gateways/ops/", "apps/", "tests/", "bench/"},
       "CAF stays out of actors/, gateways/rest/ and config/, so that a later CAF is one move"},
      {{"boost/beast", "boost/asio"},
       {"gateways/http/", "gateways/live/", "gateways/ops/", "apps/rahatctl/", "tests/", "bench/"},
       "Beast and Asio are the edge's: they are slow to compile"},
      {{"pqxx/", "libpq-fe.h", "postgresql/"},
       {"persistence/", "tests/", "bench/"},
       "Postgres is the store's business"},
      {{"spdlog/", "fmt/"}, {"runtime/telemetry/"}, "log through runtime/telemetry/log.hpp"},
      {{"toml++/"}, {"config/"}, "settings come from config/"},
      {{"curl/"}, {"apps/rahatctl/", "tests/", "bench/"}, "only the operator's tool is a client"},
  };
  return all;
}

const std::vector<exception>& clock_exceptions() {
  static const std::vector<exception> all = {
      {"runtime/ports/", "the clock and random ports themselves"},
      {"runtime/telemetry/log.cpp", "a line is stamped with the time at which it was written"},
      {"persistence/embedded/", "waits for Postgres's own processes, which no simulation runs"},
      {"persistence/lease/lease_state.cpp", "is the boot clock's port: the lease is given it"},
      {"tests/", "tests wait with deadlines"},
      {"bench/", "benchmarks measure"},
      {"apps/rahatctl/", "a tool, not a part of the node: nothing of it is simulated"},
  };
  return all;
}

} // namespace rahat::tidy
