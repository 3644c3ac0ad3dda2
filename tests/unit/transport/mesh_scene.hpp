#pragma once

#include "link_pair.hpp"

#include "runtime/cluster/transport/mesh.hpp"
#include "tests/support/cluster/channels_twin.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace rahat::test {

/// How links ended, by reason.
class counting_probe final : public cluster::mesh_probe {
public:
  void link_ended(std::string_view why, bool was_up, std::size_t) override {
    std::lock_guard lock{mutex_};
    ++(was_up ? ended_up : ended_before)[std::string(why)];
  }
  void stranger_heard(std::size_t n) override { strangers += n; }
  void call_threw(std::string_view) override { ++threw; }

  std::map<std::string, int> ended_up;
  std::map<std::string, int> ended_before;
  std::atomic<std::size_t> strangers{0};
  std::atomic<int> threw{0};

private:
  std::mutex mutex_;
};

/// One node of a scene: its mesh, and all that it was told.
class mesh_node final : public transport::listener {
public:
  mesh_node(network_twin& net, const hand_clock& time, std::uint64_t seed, int number,
            std::int64_t incarnation, bool insecure);

  void link_up(const uuid& peer) override;
  void link_down(const uuid& peer) override;
  void received(const uuid& peer, wire::Frame frame) override;

  /// A message that carries a number: `n` of a Tell.
  bool tell(const cluster::member_id& to, std::uint64_t n, std::size_t bytes = 10);

  /// What it was told last of the peer; false if nothing.
  bool reaches(const cluster::member_id& peer) const;

  int number = 0;
  cluster::member_id id;
  std::string host;
  seeded_random dice;
  counting_probe probe;
  std::optional<proof_signer> signer;
  std::optional<proof_verifier> verifier;
  std::set<uuid> up; // as it was told
  std::map<uuid, int> ups;
  std::map<uuid, int> downs;
  std::map<uuid, std::vector<std::uint64_t>> heard; // since the last link_up
  std::map<uuid, std::map<std::uint64_t, int>> times_heard;
  std::map<cluster::member_id, bool> readings;
  int asked_for_view = 0;
  std::function<void(const uuid&)> on_frame;
  std::unique_ptr<cluster::mesh> links; // last: it calls the rest
};

/// Several nodes over one network, by hand.
class mesh_scene {
public:
  explicit mesh_scene(int nodes, std::uint64_t seed = 1, bool insecure = true);
  ~mesh_scene();

  mesh_node& operator[](int number) { return *nodes_.at(number); }

  /// Everything moves in steps of 10 ms; meshes tick each 50 ms, those of `frozen` do not.
  void run(std::chrono::milliseconds time);

  /// Runs until it holds; false when the limit passed first.
  bool runs_until(const std::function<bool()>& holds, std::chrono::milliseconds limit);

  /// Tells every node the view as it is now, with a new version.
  void tell_view();
  cluster::member& row(int number);
  bool full_mesh();

  /// kill -9, and a start with the next incarnation; the view is not told yet.
  void restart(int number);

  hand_clock time;
  network_twin net;
  cluster::view now;
  std::set<int> frozen;

private:
  std::uint64_t seed_;
  bool insecure_;
  std::int64_t steps_ = 0;
  std::map<int, std::unique_ptr<mesh_node>> nodes_;
  std::vector<std::unique_ptr<mesh_node>> former_;
};

} // namespace rahat::test
