#pragma once

#include "gateways/http/handler.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

/// What WebSocket sessions and the hub of live events say to one another. Neither Beast nor CAF is
/// visible here.
namespace rahat::live {

/// One event as it is sent; made once, shared by all who follow its topic.
struct event {
  std::string topic; // "disbursement/<id>", "project/<id>" or "feed"
  std::string token; // where to resume; empty for progress ticks, which are not replayed
  std::string frame; // {"topic","token","type","at","data"} as JSON text
};

/// `at` is RFC 3339 in UTC; `data` is JSON text.
std::shared_ptr<const event> make_event(std::string topic, std::string token, std::string_view type,
                                        std::string_view at, std::string_view data);

/// Where a subscriber's events go. Any thread.
class sink {
public:
  virtual ~sink() = default;

  /// Queues an event. False when the subscriber is gone, or was too slow and is being closed: the
  /// hub then forgets the sink.
  virtual bool push(std::shared_ptr<const event> what) = 0;

  /// Asks for room for at most `most` events that happened long ago and can wait. `then` hears how
  /// many may be pushed now, one at least: at once, or once the subscriber has taken enough of what
  /// waits for it, on its thread; never if it is gone. Those who ask are served in turn. What was
  /// granted and is not needed any more, or has been pushed, is given back.
  virtual void reserve(std::size_t most, std::function<void(std::size_t places)> then) {
    then(most);
  }
  virtual void give_back(std::size_t places) { (void)places; }
};

/// The source of live events. Called on the gateway's io thread: it must not block, and may push
/// from any thread, also while `subscribe` runs.
class hub {
public:
  virtual ~hub() = default;

  /// Sends `to` every event of `topic` after the token (all new ones if there is none), in order.
  /// Refuses topics that do not exist, that `who` may not see, or tokens that cannot be read; else
  /// calls `placed` once what happens from then on is told: at once or a little later, from any
  /// thread, or never if that cannot be found out, which is told to the sink.
  virtual std::optional<error> subscribe(const http::caller& who, const std::string& topic,
                                         const std::optional<std::string>& after,
                                         std::shared_ptr<sink> to,
                                         std::function<void()> placed) = 0;

  /// The subscriber has left all of its topics.
  virtual void leave(const std::shared_ptr<sink>& to) = 0;
};

} // namespace rahat::live
