// One end of links, steered by lines on its standard input; each is answered by one line.
//
//   peer [--node UUID] [--incarnation N] [--late] [--certificate FILE --key FILE --ca FILE]
//
// It begins with "ready NODE_ID ours|foreign guarded|bare PORT".

#include "runtime/cluster/overrides/overrides.hpp"

#include <caf/all.hpp>
#include <caf/io/all.hpp>
#include <caf/openssl/all.hpp>
#include <chrono>
#include <csignal>
#include <iostream>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;

constexpr auto answer_limit = 2s;
constexpr const char* here = "127.0.0.1";

struct peer_config : caf::actor_system_config {
  explicit peer_config(const std::map<std::string, std::string>& flags) {
    load<caf::io::middleman>();
    load<caf::openssl::manager>();
    set("middleman.heartbeat-interval", caf::timespan{500ms});
    set("middleman.connection-timeout", caf::timespan{2s});
    set("scheduler.max-threads", size_t{2});
    if (!flags.contains("--certificate"))
      return;
    openssl_certificate = flags.at("--certificate");
    openssl_key = flags.at("--key");
    openssl_cafile = flags.at("--ca");
  }
};

/// The links whose end CAF has told.
class ended_links {
public:
  void add(std::size_t link) {
    std::lock_guard lock{guard_};
    ended_.insert(link);
  }
  std::string text() {
    std::lock_guard lock{guard_};
    std::string out = "ended";
    for (auto link : ended_)
      out += ' ' + std::to_string(link);
    return out;
  }

private:
  std::mutex guard_;
  std::set<std::size_t> ended_;
};

caf::behavior echo(caf::event_based_actor* self) {
  return {[self](const std::string& text) { return text + " to " + to_string(self->node()); }};
}

caf::behavior watch(caf::event_based_actor* self, caf::actor peer, std::size_t link,
                    ended_links* ended) {
  self->monitor(peer);
  self->set_down_handler([link, ended](const caf::down_msg&) { ended->add(link); });
  return {[](caf::unit_t) {}};
}

class peer {
public:
  explicit peer(caf::actor_system& system) : system_(system), self_(system) {}

  std::string serve() {
    auto port = caf::openssl::publish(system_.spawn(echo), 0, here, true);
    if (!port)
      return "error " + system_.render(port.error());
    auto ours = rahat::node_id_is_ours(system_);
    return "ready " + to_string(system_.node()) + (ours ? " ours " : " foreign ") +
           (rahat::tls_calls_are_guarded() ? "guarded " : "bare ") + std::to_string(*port);
  }

  std::string obey(const std::string& line) {
    std::istringstream words{line};
    std::string verb;
    std::size_t number = 0;
    words >> verb >> number;
    auto port = static_cast<std::uint16_t>(number);
    if (verb == "dial")
      return keep(caf::openssl::remote_actor(system_, here, port));
    if (verb == "dial-plain")
      return keep(system_.middleman().remote_actor(here, port));
    if (verb == "ask" && number < links_.size())
      return ask(links_[number]);
    if (verb == "ended")
      return ended_.text();
    return "error unknown command";
  }

private:
  std::string keep(caf::expected<caf::actor> dialled) {
    if (!dialled)
      return "error " + system_.render(dialled.error());
    auto link = links_.size();
    links_.push_back(*dialled);
    watchers_.push_back(system_.spawn(watch, *dialled, link, &ended_));
    return "link " + std::to_string(link);
  }

  std::string ask(const caf::actor& whom) {
    std::string out;
    self_->request(whom, answer_limit, std::string("hello"))
        .receive([&](const std::string& text) { out = "answer " + text; },
                 [&](const caf::error& e) { out = "error " + system_.render(e); });
    return out;
  }

  caf::actor_system& system_;
  caf::scoped_actor self_;
  std::vector<caf::actor> links_;
  std::vector<caf::actor> watchers_; // CAF ends an actor that nobody refers to
  ended_links ended_;
};

std::map<std::string, std::string> flags_of(int argc, char** argv) {
  std::map<std::string, std::string> out;
  for (int i = 1; i < argc; ++i) {
    std::string name = argv[i];
    out[name] = name == "--late" || i + 1 == argc ? "" : argv[++i];
  }
  return out;
}

void take_identity(const std::map<std::string, std::string>& flags) {
  if (flags.contains("--node"))
    rahat::set_node_identity(rahat::uuid::parse(flags.at("--node")).value(),
                             std::stoull(flags.at("--incarnation")));
}

} // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN); // as rahatd does: OpenSSL writes without MSG_NOSIGNAL
  auto flags = flags_of(argc, argv);
  if (!flags.contains("--late"))
    take_identity(flags);
  peer_config config{flags};
  caf::actor_system system{config};
  if (flags.contains("--late"))
    take_identity(flags);
  peer me{system};
  std::cout << me.serve() << std::endl;
  for (std::string line; std::getline(std::cin, line);)
    std::cout << me.obey(line) << std::endl;
  std::_Exit(0); // links that hang must not hold up the test's end
}
