#include "router_scene.hpp"

#include <algorithm>
#include <utility>

namespace rahat::test {

using namespace std::chrono_literals;

namespace {

error not_here() {
  return {errc::moved, "not served here", {}};
}

uuid numbered(std::uint8_t first, std::uint8_t last) {
  uuid id;
  id.bytes[0] = first;
  id.bytes[15] = last;
  return id;
}

} // namespace

// -- hosts ------------------------------------------------------------------------------------

void fake_entities::ask(request r, reply_callback done) {
  ++times_asked[r.id];
  if (!open)
    return done(not_here());
  questions.push_back({std::move(r), std::move(done)});
}

void fake_entities::look(const entity_ref& target, std::chrono::steady_clock::time_point deadline,
                         view_callback done) {
  if (!open)
    return done(not_here());
  looks.push_back({target, deadline, std::move(done)});
}

bool fake_entities::deliver(const entity_ref& source, const entity_ref& target, std::uint64_t n,
                            const std::string&) {
  if (open && room)
    told.emplace_back(source, target, n);
  return open && room;
}

void fake_entities::heard(const entity_ref& source, const entity_ref& target, std::uint64_t n) {
  acknowledged.emplace_back(source, target, n);
}

void fake_entities::reply(const std::string& body) {
  auto one = std::move(questions.at(0));
  questions.erase(questions.begin());
  wire::Reply reply;
  reply.set_status(200);
  reply.set_body(body);
  one.done(std::move(reply));
}

void fake_entities::refuse(errc code) {
  auto one = std::move(questions.at(0));
  questions.erase(questions.begin());
  one.done(error{code, "refused", {}});
}

// -- callers ------------------------------------------------------------------------------------

std::string heard_answer::body() const {
  if (reply)
    if (auto* r = std::get_if<wire::Reply>(&*reply))
      return r->body();
  if (view)
    if (auto* v = std::get_if<entity_view>(&*view))
      return *v->json;
  return {};
}

std::string heard_answer::code() const {
  if (!any())
    return "none";
  if (reply)
    if (auto* e = std::get_if<error>(&*reply))
      return std::string(to_string(e->code));
  if (view)
    if (auto* e = std::get_if<error>(&*view))
      return std::string(to_string(e->code));
  return "ok";
}

// -- the scene ------------------------------------------------------------------------------------

router_scene::router_scene(int nodes, cluster::router_limits limits)
    : target{"project", numbered(0x77, 1)} {
  for (int i = 1; i <= nodes; ++i) {
    auto n = std::make_unique<node>();
    n->id = numbered(0x0a, static_cast<std::uint8_t>(i));
    auto* raw = n.get();
    auto& way = links.node(n->id);
    n->way = std::make_unique<cluster::router>(cluster::router::dependencies{
        n->id, n->here, way, n->owners, time, n->probe,
        [this, raw](std::chrono::milliseconds after, std::function<void()> then) {
          raw->delays.emplace_back(time.steady() + after, std::move(then));
        },
        [raw](shard_id shard, std::int64_t epoch) { raw->released.emplace_back(shard, epoch); },
        limits, [raw] { ++raw->read_soon; }});
    way.listen(n->way.get());
    nodes_[i] = std::move(n);
  }
  for (int a = 1; a <= nodes; ++a)
    for (int b = a + 1; b <= nodes; ++b)
      join(a, b);
}

router_scene::~router_scene() {
  for (auto& [i, n] : nodes_)
    n->way->stop();
}

void router_scene::owned_by(int number, std::int64_t epoch) {
  for (auto& [i, n] : nodes_) {
    believes(i, number, epoch);
    n->here.open = i == number;
    n->way->owners_changed();
  }
}

void router_scene::believes(int who, int owner, std::int64_t epoch) {
  std::vector<cluster::shard_map::row> rows;
  for (shard_id shard = 0; shard < shard_count; ++shard)
    rows.push_back({shard, {owner == 0 ? uuid{} : (*this)[owner].id, epoch}});
  (*this)[who].owners.rows_read(rows);
}

std::shared_ptr<heard_answer> router_scene::ask(int at, std::size_t bytes,
                                                std::chrono::milliseconds left) {
  auto out = std::make_shared<heard_answer>();
  request r;
  r.target = target;
  r.command = std::string(bytes, 'c');
  r.id = numbered(0x55, ++last_request_);
  r.deadline = time.steady() + left;
  (*this)[at].way->ask(std::move(r), [out](std::variant<wire::Reply, error> a) {
    EXPECT_FALSE(out->any()) << "answered twice";
    out->reply = std::move(a);
  });
  return out;
}

std::shared_ptr<heard_answer> router_scene::look(int at) {
  auto out = std::make_shared<heard_answer>();
  (*this)[at].way->look(target, time.steady() + 5s, [out](std::variant<entity_view, error> a) {
    EXPECT_FALSE(out->any()) << "answered twice";
    out->view = std::move(a);
  });
  return out;
}

void router_scene::run_delays(node& n) {
  std::vector<std::function<void()>> due;
  std::erase_if(n.delays, [&](auto& d) {
    if (d.first > time.steady())
      return false;
    due.push_back(std::move(d.second));
    return true;
  });
  for (auto& call : due)
    call();
}

void router_scene::run(std::chrono::milliseconds span) {
  links.pump();
  for (; span > 0ms; span -= 10ms) {
    time.pass(10ms);
    for (auto& [i, n] : nodes_)
      run_delays(*n);
    links.pump();
  }
}

} // namespace rahat::test
