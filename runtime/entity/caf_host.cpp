#include "runtime/entity/caf_host.hpp"

#include <caf/actor_system.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

namespace rahat {

namespace {

/// Mail in a CAF message. Local to this node, hence never serialised.
struct letter {
  std::shared_ptr<mail> content;
};

} // namespace

} // namespace rahat

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(rahat::letter)

namespace rahat {

namespace {

class host_actor final : public caf::event_based_actor {
public:
  using factory = std::function<std::unique_ptr<host>(poster)>;

  host_actor(caf::actor_config& config, const factory& make) : event_based_actor(config) {
    // The poster holds the actor weakly: a host that holds its own mailbox would never end.
    auto weak = caf::actor_cast<caf::weak_actor_ptr>(caf::actor{this});
    host_ = make([weak](mail m) {
      if (auto strong = caf::actor_cast<caf::strong_actor_ptr>(weak))
        caf::anon_send(caf::actor_cast<caf::actor>(strong),
                       letter{std::make_shared<mail>(std::move(m))});
    });
  }

  caf::behavior make_behavior() override {
    host_->start();
    return {[this](const letter& l) {
      host_->handle(std::move(*l.content));
      if (host_->ended())
        quit();
    }};
  }

  void on_exit() override { host_.reset(); }

  const char* name() const override { return "entity_host"; }

private:
  std::unique_ptr<host> host_;
};

} // namespace

host_spawner caf_host_spawner(caf::actor_system& system) {
  return [&system](host_actor::factory make) -> poster {
    auto actor = system.spawn<host_actor>(std::move(make));
    return [actor](mail m) { caf::anon_send(actor, letter{std::make_shared<mail>(std::move(m))}); };
  };
}

} // namespace rahat
