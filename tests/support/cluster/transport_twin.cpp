#include "tests/support/cluster/transport_twin.hpp"

namespace rahat::test {

class links_twin::node_twin final : public transport {
public:
  node_twin(links_twin& net, const uuid& id) : net_(net), id_(id) {}

  void listen(listener* who) override {
    std::lock_guard lock{net_.mutex_};
    who_ = who;
  }

  bool send(const uuid& peer, const wire::Frame& frame) override {
    return net_.send(id_, peer, frame);
  }

  std::vector<uuid> linked() const override {
    std::lock_guard lock{net_.mutex_};
    std::vector<uuid> out;
    for (const auto& [from, to] : net_.links_)
      if (from == id_)
        out.push_back(to);
    return out;
  }

  listener* who_ = nullptr;

private:
  links_twin& net_;
  uuid id_;
};

transport& links_twin::node(const uuid& id) {
  std::lock_guard lock{mutex_};
  auto& n = nodes_[id];
  if (!n)
    n = std::make_shared<node_twin>(*this, id);
  return *n;
}

transport::listener* links_twin::listener_of(const uuid& id) const {
  std::lock_guard lock{mutex_};
  auto found = nodes_.find(id);
  return found == nodes_.end() ? nullptr : found->second->who_;
}

void links_twin::join(const uuid& a, const uuid& b) {
  {
    std::lock_guard lock{mutex_};
    links_.insert({a, b});
    links_.insert({b, a});
  }
  if (auto* l = listener_of(a))
    l->link_up(b);
  if (auto* l = listener_of(b))
    l->link_up(a);
}

void links_twin::part(const uuid& a, const uuid& b) {
  {
    std::lock_guard lock{mutex_};
    for (const auto& way : {pair{a, b}, pair{b, a}}) {
      links_.erase(way);
      on_their_way_.erase(way);
    }
  }
  if (auto* l = listener_of(a))
    l->link_down(b);
  if (auto* l = listener_of(b))
    l->link_down(a);
}

void links_twin::fill(const uuid& from, const uuid& to, bool full) {
  std::lock_guard lock{mutex_};
  if (full)
    full_.insert({from, to});
  else
    full_.erase({from, to});
}

void links_twin::fill_for(const uuid& from, const uuid& to, wire::Frame::BodyCase what) {
  std::lock_guard lock{mutex_};
  full_for_.insert({{from, to}, what});
}

void links_twin::hold(const uuid& from, const uuid& to, bool held) {
  std::lock_guard lock{mutex_};
  if (held)
    held_.insert({from, to});
  else
    held_.erase({from, to});
}

bool links_twin::send(const uuid& from, const uuid& to, const wire::Frame& frame) {
  std::lock_guard lock{mutex_};
  const pair way{from, to};
  if (!links_.contains(way) || full_.contains(way) ||
      full_for_.contains({way, frame.body_case()}) ||
      frame.ByteSizeLong() > transport::max_frame_bytes)
    return false;
  on_their_way_[way].push_back(frame.SerializeAsString());
  if (watch)
    watch(from, to, frame);
  return true;
}

std::size_t links_twin::pump() {
  for (std::size_t delivered = 0;; ++delivered) {
    std::vector<pair> ready;
    pair way;
    std::string bytes;
    {
      std::lock_guard lock{mutex_};
      for (const auto& [between, frames] : on_their_way_)
        if (!frames.empty() && !held_.contains(between))
          ready.push_back(between);
      if (ready.empty())
        return delivered;
      way = ready[dice_.less_than(ready.size())];
      auto& frames = on_their_way_[way];
      bytes = std::move(frames.front());
      frames.pop_front();
    }
    wire::Frame frame;
    frame.ParseFromString(bytes);
    if (auto* l = listener_of(way.second))
      l->received(way.first, std::move(frame));
  }
}

} // namespace rahat::test
