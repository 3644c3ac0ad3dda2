#include "runtime/cluster/caf/caf_channels.hpp"

#include "runtime/cluster/caf/door_mail.hpp"
#include "runtime/cluster/caf/preflight.hpp"
#include "runtime/cluster/caf/scouts.hpp"
#include "runtime/cluster/overrides/overrides.hpp"
#include "runtime/ports/random.hpp"

#include <caf/actor_clock.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/io/all.hpp>
#include <caf/openssl/all.hpp>
#include <caf/send.hpp>
#include <chrono>
#include <map>
#include <mutex>
#include <set>
#include <stdexcept>
#include <utility>
#include <vector>

namespace rahat::cluster {

namespace {

/// Messages of one channel that follow each other within this time travel together.
constexpr std::chrono::microseconds company{300};

} // namespace

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
    std::vector<std::string> waiting{}; // for the door's turn; at most max_message_bytes
    std::size_t waiting_bytes = 0;
    caf::actor_clock::time_point posted{};
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

  /// The channel of that number with that door; 0 if there is none. Under the mutex.
  id find(const caf::actor& peer, std::uint64_t number) {
    for (auto& [at, c] : open)
      if (c.number == number && c.peer == peer)
        return at;
    return 0;
  }

  /// Sends what waits, as one message. Under the mutex, which keeps the order.
  void post(channel& c) {
    c.posted = system.clock().now();
    if (c.waiting.empty())
      return;
    c.waiting_bytes = 0;
    caf::send_as(door, c.peer, door_mail{c.number, door_mail::bytes, std::exchange(c.waiting, {})});
  }

  /// The same for a channel that ends.
  void post_last(channel& c) {
    post(c);
    caf::send_as(door, c.peer, door_mail{c.number, door_mail::close, {}});
  }

  /// True while a channel with that door is open. Under the mutex.
  bool any_with(const caf::actor_addr& peer) const {
    for (auto& [at, c] : open)
      if (c.peer.address() == peer)
        return true;
    return false;
  }

  /// The door dials only who answers.
  scouts ahead{[this](auto& host, auto port) { return preflight(host, port, how.preflight); },
               [this](auto& host, auto port, auto why_not) {
                 if (why_not)
                   told->dial_failed(host, port, *why_not);
                 else
                   caf::anon_send(door, door_order{door_order::dial, host, port, 0});
               }}; // last: they use the rest
};

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
    else if (o.what == door_order::post)
      post(o.channel);
    else if (o.what == door_order::tidy)
      tidy();
    else
      quit();
  }

  /// Once for all channels with that door: CAF keeps each call of monitor until the other side
  /// ends.
  void watch(const caf::actor& peer) {
    if (watched_.insert(peer.address()).second)
      monitor(peer);
  }

  /// Channels have ended: those doors that have none left are watched no more.
  void tidy() {
    std::vector<caf::actor_addr> idle;
    {
      std::lock_guard lock{book_->mutex};
      for (auto& peer : watched_)
        if (!book_->any_with(peer))
          idle.push_back(peer);
    }
    for (auto& peer : idle) {
      watched_.erase(peer);
      demonitor(peer);
    }
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
    watch(peer);
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
    tidy();
    book_->told->dial_failed(gone.host, gone.port, "the other node does not answer");
  }

  void post(door_book::id at) {
    std::lock_guard lock{book_->mutex};
    if (auto found = book_->open.find(at); found != book_->open.end())
      book_->post(found->second);
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
      watch(peer);
      send(peer, door_mail{m.number, door_mail::accepted, {}});
    }
    if (m.what == door_mail::close)
      tidy();
    if (opened)
      book_->told->opened(at, to_string(peer->node()), dialled);
    else if (m.what == door_mail::bytes)
      for (auto& content : m.contents)
        book_->told->received(at, std::move(content));
    else if (m.what == door_mail::close)
      book_->told->closed(at, "the other node has closed it");
  }

  void peer_ended(const caf::down_msg& m) {
    std::vector<std::pair<door_book::id, door_book::channel>> ended;
    watched_.erase(m.source);
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
  std::set<caf::actor_addr> watched_;
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
  p.ahead.start();
  return *port;
}

void caf_channels::dial(const std::string& host, std::uint16_t port) {
  if (!book_->ahead.ask(host, port))
    book_->told->dial_failed(host, port, "too many dials are waiting");
}

/// A message that comes alone goes at once. Those that follow it closely wait until the door has
/// its turn, behind what its thread has to do first: under load many travel as one message, which
/// is what a hop's CPU is spent on; without load nothing waits.
bool caf_channels::send(id channel, std::string bytes) {
  auto& p = *book_;
  std::lock_guard lock{p.mutex};
  auto found = p.open.find(channel);
  if (found == p.open.end() || !found->second.accepted)
    return false;
  auto& to = found->second;
  const bool asked = !to.waiting.empty();
  if (to.waiting_bytes + bytes.size() > max_message_bytes)
    p.post(to);
  to.waiting_bytes += bytes.size();
  to.waiting.push_back(std::move(bytes));
  if (!asked && p.system.clock().now() - to.posted > company)
    p.post(to);
  else if (!asked)
    caf::anon_send(p.door, door_order{door_order::post, {}, 0, channel});
  return true;
}

void caf_channels::close(id channel) {
  {
    std::lock_guard lock{book_->mutex};
    auto found = book_->open.find(channel);
    if (found == book_->open.end())
      return;
    book_->post_last(found->second);
    book_->open.erase(found);
  }
  caf::anon_send(book_->door, door_order{door_order::tidy, {}, 0, 0});
}

void caf_channels::stop() {
  {
    std::lock_guard lock{book_->mutex};
    if (std::exchange(book_->stopping, true))
      return;
  }
  book_->ahead.stop();
  if (!book_->door)
    return;
  std::map<id, door_book::channel> open;
  {
    std::lock_guard lock{book_->mutex};
    open.swap(book_->open);
  }
  for (auto& [at, c] : open)
    book_->post_last(c);
  caf::anon_send(book_->door, door_order{});
  book_->door = nullptr;
}

std::vector<part> caf_channels::threads() {
  return book_->ahead.parts([this] { stop(); });
}

std::string caf_channels::local_id() const {
  return to_string(book_->system.node());
}

} // namespace rahat::cluster
