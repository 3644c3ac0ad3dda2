#include "gateways/http/text.hpp"
#include "gateways/live/hub.hpp"

namespace rahat::live {

std::shared_ptr<const event> make_event(std::string topic, std::string token, std::string_view type,
                                        std::string_view at, std::string_view data) {
  auto out = std::make_shared<event>();
  auto& frame = out->frame;
  frame.reserve(64 + topic.size() + token.size() + type.size() + at.size() + data.size());
  auto field = [&frame](std::string_view name, std::string_view value) {
    frame += name;
    http::append_json_string(frame, value);
  };
  field("{\"topic\":", topic);
  field(",\"token\":", token);
  field(",\"type\":", type);
  field(",\"at\":", at);
  frame += ",\"data\":";
  frame += data;
  frame += '}';
  out->topic = std::move(topic);
  out->token = std::move(token);
  return out;
}

} // namespace rahat::live
