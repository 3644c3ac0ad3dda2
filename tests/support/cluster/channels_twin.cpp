#include "tests/support/cluster/channels_twin.hpp"

#include <algorithm>
#include <stdexcept>

namespace rahat::test {

using cluster::channels;

/// What happens to one side of a channel, in order.
struct network_twin::item {
  enum class kind { opened, bytes, closed };
  kind what = kind::bytes;
  std::string text; // bytes, or why it closed
  time_point due;
};

/// The way into one side of a channel.
struct network_twin::direction {
  channels::id other = 0; // the sending side's id
  std::shared_ptr<process_twin> from;
  std::shared_ptr<process_twin> to;
  bool dialled = false; // by `to`
  bool dead = false;    // `to` has closed: nothing comes any more
  std::deque<item> on_its_way;
};

struct network_twin::attempt {
  std::shared_ptr<process_twin> from;
  std::string host;
  std::uint16_t port = 0;
  time_point since;
};

class network_twin::process_twin final : public channels,
                                         public std::enable_shared_from_this<process_twin> {
public:
  process_twin(network_twin& net, std::string host, std::uint64_t number)
      : net_(net), host_(std::move(host)), id_(host_ + "#" + std::to_string(number)) {}

  std::uint16_t start(listener& to) override {
    std::lock_guard lock{net_.mutex_};
    if (to_ != nullptr)
      throw std::runtime_error("started twice");
    to_ = &to;
    return network_twin::port;
  }

  void dial(const std::string& host, std::uint16_t port) override {
    std::lock_guard lock{net_.mutex_};
    if (to_ == nullptr)
      return;
    ++net_.dials_[host];
    net_.attempts_.push_back({shared_from_this(), host, port, net_.time_.steady()});
  }

  bool send(id channel, std::string bytes) override {
    if (bytes.size() > max_message_bytes)
      throw std::logic_error("a message above max_message_bytes");
    std::lock_guard lock{net_.mutex_};
    auto mine = net_.inbound_.find(channel);
    if (mine == net_.inbound_.end() || mine->second.to.get() != this || mine->second.dead)
      return false;
    auto& way = net_.inbound_.at(mine->second.other);
    if (net_.watch)
      net_.watch(host_, way.to->host(), bytes);
    if (net_.losing_.erase({host_, way.to->host()}) > 0 || way.dead)
      return true;
    way.on_its_way.push_back(
        {item::kind::bytes, std::move(bytes), net_.due(host_, way.to->host())});
    return true;
  }

  void close(id channel) override {
    std::lock_guard lock{net_.mutex_};
    auto mine = net_.inbound_.find(channel);
    if (mine == net_.inbound_.end() || mine->second.to.get() != this || mine->second.dead)
      return;
    mine->second.dead = true;
    net_.end_side(mine->second.other, "closed by " + host_);
  }

  void stop() override {
    std::lock_guard lock{net_.mutex_};
    net_.end_process(*this);
  }

  std::string local_id() const override { return id_; }
  const std::string& host() const { return host_; }

  listener* to_ = nullptr; // null: stopped, or not yet started

private:
  network_twin& net_;
  std::string host_;
  std::string id_;
};

network_twin::network_twin(const hand_clock& time, std::uint64_t seed) : time_(time), dice_(seed) {}

network_twin::~network_twin() = default;

channels& network_twin::process(const std::string& host) {
  std::lock_guard lock{mutex_};
  auto& p = processes_[host];
  if (!p)
    p = std::make_shared<process_twin>(*this, host, ++last_process_);
  return *p;
}

channels& network_twin::restart(const std::string& host) {
  {
    std::lock_guard lock{mutex_};
    auto& p = processes_[host];
    if (p) {
      end_process(*p);
      former_.push_back(p);
      p = nullptr;
    }
  }
  return process(host);
}

// -- faults -----------------------------------------------------------------------------------

void network_twin::cut_one_way(const std::string& from, const std::string& to) {
  std::lock_guard lock{mutex_};
  cuts_.insert({from, to});
}

void network_twin::cut(const std::string& a, const std::string& b) {
  cut_one_way(a, b);
  cut_one_way(b, a);
}

void network_twin::heal(const std::string& a, const std::string& b) {
  std::lock_guard lock{mutex_};
  cuts_.erase({a, b});
  cuts_.erase({b, a});
}

void network_twin::black_hole(const std::string& host) {
  cut(host, "*");
}

void network_twin::heal_all() {
  std::lock_guard lock{mutex_};
  cuts_.clear();
}

void network_twin::delay(const std::string& from, const std::string& to, ms least, ms most) {
  std::lock_guard lock{mutex_};
  delays_[{from, to}] = {least, most};
}

void network_twin::close(const std::string& a, const std::string& b, const std::string& why) {
  std::lock_guard lock{mutex_};
  std::vector<channels::id> sides;
  for (const auto& [id, way] : inbound_)
    if ((way.from->host() == a && way.to->host() == b) ||
        (way.from->host() == b && way.to->host() == a))
      sides.push_back(id);
  for (auto id : sides)
    end_side(id, why);
}

void network_twin::lose_next(const std::string& from, const std::string& to) {
  std::lock_guard lock{mutex_};
  losing_.insert({from, to});
}

void network_twin::inject(const std::string& from, const std::string& to,
                          const std::string& bytes) {
  std::lock_guard lock{mutex_};
  for (auto& [id, way] : inbound_)
    if (way.from->host() == from && way.to->host() == to)
      way.on_its_way.push_back({item::kind::bytes, bytes, time_.steady()});
}

/// The side hears that its channel has ended, after what was sent before.
void network_twin::end_side(channels::id id, const std::string& why) {
  auto& way = inbound_.at(id);
  if (!way.dead)
    way.on_its_way.push_back({item::kind::closed, why, time_.steady()});
}

void network_twin::end_process(process_twin& gone) {
  gone.to_ = nullptr;
  for (auto& [id, way] : inbound_)
    if (way.to.get() == &gone && !std::exchange(way.dead, true))
      end_side(way.other, gone.host() + " is gone");
  std::erase_if(attempts_, [&](const auto& a) { return a.from.get() == &gone; });
}

bool network_twin::cut_between(const std::string& from, const std::string& to) const {
  return cuts_.contains({from, to}) || cuts_.contains({from, "*"}) || cuts_.contains({"*", to});
}

network_twin::time_point network_twin::due(const std::string& from, const std::string& to) {
  auto found = delays_.find({from, to});
  if (found == delays_.end())
    return time_.steady();
  const auto [least, most] = found->second;
  const auto span = static_cast<std::uint64_t>((most - least).count()) + 1;
  return time_.steady() + least + ms(dice_.less_than(span));
}

// -- the hand -----------------------------------------------------------------------------------

void network_twin::answer_dials(std::vector<std::function<void()>>& calls) {
  const auto now = time_.steady();
  std::erase_if(attempts_, [&](attempt& a) {
    auto fail = [&](std::string why) {
      calls.emplace_back([to = a.from, host = a.host, port = a.port, why = std::move(why)] {
        if (auto* l = to->to_)
          l->dial_failed(host, port, why);
      });
      return true;
    };
    if (cut_between(a.from->host(), a.host) || cut_between(a.host, a.from->host()))
      return now - a.since >= dial_limit && fail("no answer");
    auto found = processes_.find(a.host);
    if (found == processes_.end() || !found->second || found->second->to_ == nullptr)
      return fail("connection refused");
    const auto mine = ++last_id_;
    const auto its = ++last_id_;
    inbound_[mine] = {its, found->second, a.from, true, false, {}};
    inbound_[its] = {mine, a.from, found->second, false, false, {}};
    for (auto id : {mine, its})
      inbound_[id].on_its_way.push_back({item::kind::opened, {}, now});
    return true;
  });
}

/// One thing that is due, of a side that the dice choose; empty when there is none.
std::function<void()> network_twin::next_delivery() {
  const auto now = time_.steady();
  std::erase_if(inbound_, [&](const auto& side) {
    auto other = inbound_.find(side.second.other);
    return side.second.dead && (other == inbound_.end() || other->second.dead);
  });
  std::vector<channels::id> ready;
  for (const auto& [id, way] : inbound_) {
    if (way.dead || way.on_its_way.empty())
      continue;
    const auto& head = way.on_its_way.front();
    const bool stuck =
        head.what != item::kind::opened && cut_between(way.from->host(), way.to->host());
    if (!stuck && head.due <= now)
      ready.push_back(id);
  }
  if (ready.empty())
    return nullptr;
  const auto id = ready[dice_.less_than(ready.size())];
  auto& way = inbound_.at(id);
  auto head = std::make_shared<item>(std::move(way.on_its_way.front()));
  way.on_its_way.pop_front();
  if (head->what == item::kind::closed)
    way.dead = true;
  return [id, head, to = way.to, from = way.from->local_id(), dialled = way.dialled] {
    auto* l = to->to_;
    if (l == nullptr)
      return;
    switch (head->what) {
      case item::kind::opened: l->opened(id, from, dialled); break;
      case item::kind::bytes: l->received(id, std::move(head->text)); break;
      case item::kind::closed: l->closed(id, head->text); break;
    }
  };
}

std::size_t network_twin::pump() {
  std::size_t delivered = 0;
  for (;;) {
    std::vector<std::function<void()>> calls;
    {
      std::lock_guard lock{mutex_};
      answer_dials(calls);
      if (calls.empty())
        if (auto one = next_delivery())
          calls.push_back(std::move(one));
    }
    if (calls.empty())
      return delivered;
    delivered += calls.size();
    for (auto& call : calls)
      call();
  }
}

std::size_t network_twin::channels_between(const std::string& a, const std::string& b) const {
  std::lock_guard lock{mutex_};
  return static_cast<std::size_t>(
      std::count_if(inbound_.begin(), inbound_.end(), [&](const auto& side) {
        const auto& way = side.second;
        return !way.dead && way.from->host() == a && way.to->host() == b;
      }));
}

std::size_t network_twin::dials_to(const std::string& host) const {
  std::lock_guard lock{mutex_};
  auto found = dials_.find(host);
  return found == dials_.end() ? 0 : found->second;
}

} // namespace rahat::test
