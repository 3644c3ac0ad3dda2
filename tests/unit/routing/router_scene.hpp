#pragma once

#include "runtime/cluster/routing/router.hpp"
#include "tests/support/cluster/transport_twin.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace rahat::test {

/// The hosts of one node, as far as a router sees them: shards are open or not, questions wait
/// until the test answers them. Requests are remembered as hosts remember them.
class fake_entities final : public local_entities {
public:
  struct asked {
    request what;
    reply_callback done;
  };
  struct looked {
    entity_ref target;
    std::chrono::steady_clock::time_point deadline;
    view_callback done;
  };
  using message = std::tuple<entity_ref, entity_ref, std::uint64_t>;

  void ask(request r, reply_callback done) override;
  void look(const entity_ref& target, std::chrono::steady_clock::time_point deadline,
            view_callback done) override;
  bool deliver(const entity_ref& source, const entity_ref& target, std::uint64_t n,
               const std::string& body) override;
  void heard(const entity_ref& source, const entity_ref& target, std::uint64_t n) override;
  void release(const entity_ref& entity) override { released.push_back(entity); }

  /// Answers the oldest question that waits.
  void reply(const std::string& body);
  void refuse(errc code);

  bool open = true; // serves everything, or nothing
  bool room = true; // for messages
  std::vector<asked> questions;
  std::vector<looked> looks;
  std::map<uuid, int> times_asked; // by request id
  std::vector<message> told;
  std::vector<message> acknowledged;
  std::vector<entity_ref> released;
};

/// What a caller hears. Refuses to hear it twice.
struct heard_answer {
  std::optional<std::variant<wire::Reply, error>> reply;
  std::optional<std::variant<entity_view, error>> view;

  bool any() const { return reply || view; }
  std::string body() const;
  std::string code() const; // of a refusal; "ok" else, "none" yet
};

/// Two or three nodes with routers, over links and with time moved by hand.
class router_scene {
public:
  struct node {
    uuid id;
    fake_entities here;
    cluster::shard_map owners;
    struct counting final : cluster::router_probe {
      void call_again(std::string_view) override { ++again; }
      int again = 0;
    } probe;
    std::vector<std::pair<std::chrono::steady_clock::time_point, std::function<void()>>> delays;
    std::vector<std::pair<shard_id, std::int64_t>> released;
    int read_soon = 0;
    std::unique_ptr<cluster::router> way; // last: it calls the rest
  };

  explicit router_scene(int nodes = 2, cluster::router_limits limits = {});
  ~router_scene();

  node& operator[](int number) { return *nodes_.at(number); }

  /// All shards belong to this node, as everybody knows.
  void owned_by(int number, std::int64_t epoch);
  /// As this one believes.
  void believes(int who, int owner, std::int64_t epoch);

  std::shared_ptr<heard_answer> ask(int at, std::size_t bytes = 10,
                                    std::chrono::milliseconds left = std::chrono::seconds(5));
  std::shared_ptr<heard_answer> look(int at);

  /// Frames and delays move in steps of 10 ms.
  void run(std::chrono::milliseconds time);
  void join(int a, int b) { links.join((*this)[a].id, (*this)[b].id); }
  void part(int a, int b) { links.part((*this)[a].id, (*this)[b].id); }

  hand_clock time;
  links_twin links{1};
  entity_ref target; // of every call

private:
  void run_delays(node& n);

  std::uint8_t last_request_ = 0;
  std::map<int, std::unique_ptr<node>> nodes_;
};

} // namespace rahat::test
