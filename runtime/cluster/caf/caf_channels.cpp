#include "runtime/cluster/caf/caf_channels.hpp"

#include "runtime/cluster/caf/door_mail.hpp"
#include "runtime/cluster/caf/preflight.hpp"
#include "runtime/cluster/overrides/overrides.hpp"
#include "runtime/ports/random.hpp"
#include "runtime/ports/worker_thread.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/io/all.hpp>
#include <caf/openssl/all.hpp>
#include <caf/send.hpp>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <stdexcept>

namespace rahat::cluster {

/// What the door and the threads that use it share.
struct door_book {
  using id = channels::id;

  struct channel {
    caf::actor peer; // the other door
    std::uint64_t number = 0;
    bool dialled = false;
    bool accepted = false; // dialled: the other side has answered
    std::string host;      // dialled
    std::uint16_t port = 0;
  };
  struct way {
    std::string host;
    std::uint16_t port = 0;
  };

  door_book(caf::actor_system& s, caf_channels_options o) : system(s), how(std::move(o)) {}

  caf::actor_system& system;
  const caf_channels_options how;
  system_random dice;
  channels::listener* told = nullptr;
  caf::actor door;

  std::mutex mutex; // guards the rest
  std::map<id, channel> open;
  id last = 0;
  bool stopping = false;
  std::condition_variable changed;
  std::deque<way> to_try; // at most max_dials

  static constexpr std::size_t max_dials = 64;

  /// The channel of that number with that door; 0 if there is none. Under the mutex.
  id find(const caf::actor& peer, std::uint64_t number) {
    for (auto& [at, c] : open)
      if (c.number == number && c.peer == peer)
        return at;
    return 0;
  }

  worker_thread scout; // last: it uses the rest

  void scout_ahead();
};

/// Tries the dials one by one; the door dials only who answers.
void door_book::scout_ahead() {
  std::unique_lock lock{mutex};
  while (true) {
    changed.wait(lock, [this] { return stopping || !to_try.empty(); });
    if (stopping)
      return;
    auto next = std::move(to_try.front());
    to_try.pop_front();
    lock.unlock();
    if (auto why = preflight(next.host, next.port, how.preflight))
      told->dial_failed(next.host, next.port, *why);
    else
      caf::anon_send(door, door_order{door_order::dial, next.host, next.port, 0});
    lock.lock();
  }
}

/// The actor that other nodes reach.
class door_actor final : public caf::event_based_actor {
public:
  door_actor(caf::actor_config& config, std::shared_ptr<door_book> book)
      : event_based_actor(config), book_(std::move(book)) {
    set_down_handler([this](const caf::down_msg& m) { peer_ended(m); });
  }

  caf::behavior make_behavior() override {
    return {[this](door_mail& m) { take(m); }, [this](const door_order& o) { obey(o); }};
  }

  void on_exit() override { book_.reset(); }
  const char* name() const override { return "cluster_door"; }

private:
  void obey(const door_order& o) {
    if (o.what == door_order::dial)
      dial(o.host, o.port);
    else if (o.what == door_order::forget)
      forget(o.channel);
    else
      quit();
  }

  void dial(const std::string& host, std::uint16_t port) {
    const auto& dialler = book_->how.insecure ? system().middleman().actor_handle()
                                              : system().openssl_manager().actor_handle();
    request(dialler, book_->how.dial, caf::connect_atom::value, host, port)
        .then(
            [this, host, port](const caf::node_id&, const caf::strong_actor_ptr& found,
                               const std::set<std::string>&) {
              if (found)
                propose(caf::actor_cast<caf::actor>(found), host, port);
              else
                book_->told->dial_failed(host, port, "nobody is published there");
            },
            [this, host, port](const caf::error& e) {
              book_->told->dial_failed(host, port, system().render(e));
            });
  }

  /// A handle may be a stale one of a link that has ended: only an answer opens the channel.
  void propose(const caf::actor& peer, const std::string& host, std::uint16_t port) {
    door_book::id at = 0;
    auto number = book_->dice.number();
    {
      std::lock_guard lock{book_->mutex};
      at = ++book_->last;
      book_->open[at] = {peer, number, true, false, host, port};
    }
    monitor(peer);
    send(peer, door_mail{number, door_mail::open, {}});
    delayed_send(this, book_->how.dial, door_order{door_order::forget, {}, 0, at});
  }

  /// A dial that nobody has accepted in time.
  void forget(door_book::id at) {
    door_book::channel gone;
    {
      std::lock_guard lock{book_->mutex};
      auto found = book_->open.find(at);
      if (found == book_->open.end() || found->second.accepted)
        return;
      gone = found->second;
      book_->open.erase(found);
    }
    book_->told->dial_failed(gone.host, gone.port, "the other node does not answer");
  }

  void take(door_mail& m) {
    auto peer = caf::actor_cast<caf::actor>(current_sender());
    if (!peer || peer->node() == node())
      return;
    door_book::id at = 0;
    bool opened = false;
    bool dialled = false;
    {
      std::lock_guard lock{book_->mutex};
      at = book_->find(peer, m.number);
      if (m.what == door_mail::open && at == 0 && !book_->stopping) {
        at = ++book_->last;
        book_->open[at] = {peer, m.number, false, true, {}, 0};
        opened = true;
      } else if (m.what == door_mail::accepted && at != 0 && !book_->open[at].accepted) {
        book_->open[at].accepted = opened = dialled = true;
      } else if (m.what == door_mail::close && at != 0) {
        book_->open.erase(at);
      }
    }
    if (at == 0)
      return;
    if (opened && !dialled) {
      monitor(peer);
      send(peer, door_mail{m.number, door_mail::accepted, {}});
    }
    if (opened)
      book_->told->opened(at, to_string(peer->node()), dialled);
    else if (m.what == door_mail::bytes)
      book_->told->received(at, std::move(m.content));
    else if (m.what == door_mail::close)
      book_->told->closed(at, "the other node has closed it");
  }

  void peer_ended(const caf::down_msg& m) {
    std::vector<std::pair<door_book::id, door_book::channel>> ended;
    {
      std::lock_guard lock{book_->mutex};
      for (auto at = book_->open.begin(); at != book_->open.end();) {
        auto next = std::next(at);
        if (at->second.peer.address() == m.source) {
          ended.emplace_back(at->first, at->second);
          book_->open.erase(at);
        }
        at = next;
      }
    }
    for (auto& [at, c] : ended) {
      if (c.accepted)
        book_->told->closed(at, "the connection has ended: " + system().render(m.reason));
      else
        book_->told->dial_failed(c.host, c.port, "the connection ended at once");
    }
  }

  std::shared_ptr<door_book> book_;
};

void use_channels(caf::actor_system_config& config, const caf_channels_options& how) {
  config.add_message_types<caf::id_block::rahat_channels>();
  config.load<caf::io::middleman>();
  config.set("middleman.heartbeat-interval", caf::timespan{how.heartbeat});
  config.set("middleman.connection-timeout", caf::timespan{how.connection_timeout});
  // They would open a plain, unproven port.
  config.set("middleman.enable-automatic-connections", false);
  if (how.insecure)
    return;
  config.load<caf::openssl::manager>();
  config.openssl_certificate = how.certificate;
  config.openssl_key = how.key;
  config.openssl_cafile = how.authority;
}

caf_channels::caf_channels(caf::actor_system& system, caf_channels_options how)
    : book_(std::make_shared<door_book>(system, std::move(how))) {
  if (!book_->how.insecure &&
      (book_->how.certificate.empty() || book_->how.key.empty() || book_->how.authority.empty()))
    throw std::runtime_error(
        "the cluster needs cluster.certificate, cluster.key and cluster.ca (rahatctl certs makes "
        "them); for trials on one machine: cluster.insecure = true");
  if (auto fault = overrides_fault(system))
    throw std::runtime_error(*fault);
}

caf_channels::~caf_channels() {
  stop();
}

std::uint16_t caf_channels::start(listener& to) {
  auto& p = *book_;
  p.told = &to;
  p.door = p.system.spawn<door_actor>(book_);
  auto port = p.how.insecure
                  ? p.system.middleman().publish(p.door, p.how.port, p.how.host.c_str(), true)
                  : caf::openssl::publish(p.door, p.how.port, p.how.host.c_str(), true);
  if (!port)
    throw std::runtime_error("cannot listen for other nodes on " + p.how.host + ":" +
                             std::to_string(p.how.port) + ": " + p.system.render(port.error()));
  p.scout.start([&p] { p.scout_ahead(); });
  return *port;
}

void caf_channels::dial(const std::string& host, std::uint16_t port) {
  {
    std::lock_guard lock{book_->mutex};
    if (book_->stopping)
      return;
    if (book_->to_try.size() < door_book::max_dials) {
      book_->to_try.push_back({host, port});
      book_->changed.notify_all();
      return;
    }
  }
  book_->told->dial_failed(host, port, "too many dials are waiting");
}

bool caf_channels::send(id channel, std::string bytes) {
  door_book::channel to;
  {
    std::lock_guard lock{book_->mutex};
    auto found = book_->open.find(channel);
    if (found == book_->open.end() || !found->second.accepted)
      return false;
    to = found->second;
  }
  caf::send_as(book_->door, to.peer, door_mail{to.number, door_mail::bytes, std::move(bytes)});
  return true;
}

void caf_channels::close(id channel) {
  door_book::channel gone;
  {
    std::lock_guard lock{book_->mutex};
    auto found = book_->open.find(channel);
    if (found == book_->open.end())
      return;
    gone = found->second;
    book_->open.erase(found);
  }
  caf::send_as(book_->door, gone.peer, door_mail{gone.number, door_mail::close, {}});
}

void caf_channels::stop() {
  {
    std::lock_guard lock{book_->mutex};
    if (std::exchange(book_->stopping, true))
      return;
  }
  book_->changed.notify_all();
  book_->scout.join();
  if (!book_->door)
    return;
  std::map<id, door_book::channel> open;
  {
    std::lock_guard lock{book_->mutex};
    open.swap(book_->open);
  }
  for (auto& [at, c] : open)
    caf::send_as(book_->door, c.peer, door_mail{c.number, door_mail::close, {}});
  caf::anon_send(book_->door, door_order{});
  book_->door = nullptr;
}

part caf_channels::scout() {
  const auto begin = [this](death_notice died) {
    book_->scout.start([p = book_.get()] { p->scout_ahead(); });
    book_->scout.watch(std::move(died));
  };
  return {"dialler", "links", begin, [this] { stop(); }, {}};
}

std::string caf_channels::local_id() const {
  return to_string(book_->system.node());
}

} // namespace rahat::cluster
