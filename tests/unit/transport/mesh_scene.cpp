#include "mesh_scene.hpp"

namespace rahat::test {

using namespace std::chrono_literals;

namespace {

std::string host_of(int number) {
  return "node" + std::to_string(number);
}

} // namespace

mesh_node::mesh_node(network_twin& net, const hand_clock& time, std::uint64_t seed, int n,
                     std::int64_t incarnation, bool insecure)
    : number(n), id(member_number(n, incarnation)), host(host_of(n)), dice(seed) {
  cluster::link_self self;
  self.id = id;
  self.insecure = insecure;
  if (!insecure) {
    signer.emplace(std::get<proof_signer>(proof_signer::make(certificate_of(n))));
    verifier.emplace(std::get<proof_verifier>(proof_verifier::make(authority(), time)));
    self.signer = &*signer;
    self.verifier = &*verifier;
  }
  auto& wires = incarnation == 1 ? net.process(host) : net.restart(host);
  links = std::make_unique<cluster::mesh>(cluster::mesh::dependencies{
      wires, time, dice, probe, self, {}, [this] { ++asked_for_view; }});
  links->listen(this);
  links->on_reading([this](const cluster::member_id& peer, bool ok) { readings[peer] = ok; });
  links->start();
}

void mesh_node::link_up(const uuid& peer) {
  EXPECT_TRUE(up.insert(peer).second) << "up twice";
  ++ups[peer];
  heard[peer].clear();
}

void mesh_node::link_down(const uuid& peer) {
  EXPECT_EQ(up.erase(peer), 1U) << "down without having been up";
  ++downs[peer];
}

void mesh_node::received(const uuid& peer, wire::Frame frame) {
  EXPECT_TRUE(up.contains(peer)) << "a frame across a link_down";
  heard[peer].push_back(frame.tell().n());
  ++times_heard[peer][frame.tell().n()];
  if (on_frame)
    on_frame(peer);
}

bool mesh_node::tell(const cluster::member_id& to, std::uint64_t n, std::size_t bytes) {
  wire::Frame frame;
  frame.mutable_tell()->set_n(n);
  frame.mutable_tell()->set_body(std::string(bytes, 'x'));
  return links->send(to.node, frame);
}

bool mesh_node::reaches(const cluster::member_id& peer) const {
  auto found = readings.find(peer);
  return found != readings.end() && found->second;
}

mesh_scene::mesh_scene(int nodes, std::uint64_t seed, bool insecure)
    : net(time, seed), seed_(seed), insecure_(insecure) {
  for (int n = 1; n <= nodes; ++n) {
    nodes_[n] = std::make_unique<mesh_node>(net, time, seed * 100 + static_cast<unsigned>(n), n, 1,
                                            insecure);
    cluster::member m;
    m.node_uuid = nodes_[n]->id.node;
    m.incarnation = 1;
    m.address = host_of(n);
    m.port = network_twin::port;
    m.status = cluster::member_status::active;
    now.members.push_back(m);
  }
}

mesh_scene::~mesh_scene() {
  for (auto& [n, node] : nodes_)
    node->links->stop();
}

cluster::member& mesh_scene::row(int number) {
  return now.members.at(static_cast<std::size_t>(number - 1));
}

void mesh_scene::tell_view() {
  ++now.version;
  for (auto& [n, node] : nodes_)
    node->links->viewed(now, node->id.node);
}

void mesh_scene::run(std::chrono::milliseconds span) {
  for (; span > 0ms; span -= 10ms) {
    time.pass(10ms);
    net.pump();
    if (++steps_ % 5 != 0)
      continue;
    for (auto& [n, node] : nodes_)
      if (!frozen.contains(n))
        node->links->tick();
    net.pump();
  }
}

bool mesh_scene::runs_until(const std::function<bool()>& holds, std::chrono::milliseconds limit) {
  for (; limit > 0ms; limit -= 10ms) {
    if (holds())
      return true;
    run(10ms);
  }
  return holds();
}

bool mesh_scene::full_mesh() {
  for (auto& [n, node] : nodes_)
    if (node->links->linked().size() + 1 != nodes_.size() || node->up.size() + 1 != nodes_.size())
      return false;
  return true;
}

void mesh_scene::restart(int number) {
  auto former = std::move(nodes_[number]);
  const auto next = former->id.incarnation + 1;
  former->links->stop();
  former_.push_back(std::move(former));
  nodes_[number] = std::make_unique<mesh_node>(
      net, time, seed_ * 100 + static_cast<unsigned>(number) + 50, number, next, insecure_);
  row(number).incarnation = next;
}

} // namespace rahat::test
