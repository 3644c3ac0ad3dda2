// The release after this one: the same node, whose kinds notice every command that changes
// something by an event that this release cannot read. Written from feature level 2 on.
#include "apps/rahatd/kinds.hpp"
#include "apps/rahatd/program.hpp"
#include "tests/cluster/next.pb.h"

namespace rahat {
namespace {

constexpr cluster::level next_level = 2;

/// A model of this release, and what the next one adds to it.
class next_model final : public model {
public:
  explicit next_model(std::unique_ptr<model> before) : before_(std::move(before)) {}

  result decide(std::string_view command, const context& ctx) const override {
    auto out = before_->decide(command, ctx);
    auto* decided = std::get_if<decision>(&out);
    if (ctx.level < next_level || decided == nullptr || decided->events().empty())
      return out;
    next::Event noticed;
    noticed.mutable_noticed();
    decided->record(noticed, next_level);
    return out;
  }

  void evolve(std::string_view event) override {
    next::Event ours;
    if (ours.ParseFromArray(event.data(), static_cast<int>(event.size())) && ours.has_noticed())
      ++noticed_;
    else
      before_->evolve(event);
  }

  std::string save() const override {
    next::State out;
    out.set_before(before_->save());
    out.set_noticed(noticed_);
    return out.SerializeAsString();
  }

  void load(std::string_view state) override {
    next::State in;
    must_hold(in.ParseFromArray(state.data(), static_cast<int>(state.size())),
              "a snapshot is unreadable");
    before_->load(in.before());
    noticed_ = in.noticed();
  }

  /// The view of the release before, with one member more.
  std::string view(const entity_ref& self, std::uint64_t version) const override {
    auto out = before_->view(self, version);
    out.insert(out.rfind('}'), ",\"noticed\":" + std::to_string(noticed_));
    return out;
  }

  decision told(std::string_view message, const context& ctx) const override {
    return before_->told(message, ctx);
  }
  decision credited(const wire::Credit& credit, const context& ctx) const override {
    return before_->credited(credit, ctx);
  }
  decision fired(std::string_view timer, const context& ctx) const override {
    return before_->fired(timer, ctx);
  }
  bool has_work() const override { return before_->has_work(); }
  std::optional<feed_request> feed_for() const override { return before_->feed_for(); }
  decision proceed(const context& ctx) const override { return before_->proceed(ctx); }
  std::string render(std::string_view answer) const override { return before_->render(answer); }
  bool exists() const override { return before_->exists(); }
  query_keys keys() const override { return before_->keys(); }
  std::vector<owned_total> totals() const override { return before_->totals(); }

private:
  std::unique_ptr<model> before_;
  std::uint64_t noticed_ = 0;
};

class next_kind final : public kind {
public:
  explicit next_kind(const kind& before) : before_(before) {}

  std::string_view name() const override { return before_.name(); }
  /// Snapshots of the one are nothing for the other.
  std::uint32_t evolve_version() const override { return before_.evolve_version() + 1; }
  std::unique_ptr<model> create() const override {
    return std::make_unique<next_model>(before_.create());
  }

private:
  const kind& before_;
};

kind_registry next_kinds() {
  static const auto before = all_kinds();
  kind_registry out;
  for (const auto& name : before.names())
    out.add(std::make_unique<next_kind>(*before.find(name)));
  return out;
}

} // namespace
} // namespace rahat

int main(int argc, char** argv) {
  rahat::node::faults next;
  next.build_reads = rahat::next_level;
  next.kinds = rahat::next_kinds;
  return rahat::run_program(argc, argv, next);
}
