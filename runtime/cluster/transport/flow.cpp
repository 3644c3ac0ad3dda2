#include "runtime/cluster/transport/flow.hpp"

#include <utility>

namespace rahat::cluster {

bool outflow::push(frame_class what, std::string frame) {
  const bool ordered = what == frame_class::in_order;
  if (frame.size() <= terms_.piece_bytes && !(ordered && cut_.holds_order()))
    return push_small(what, std::move(frame));
  const bool answers = what == frame_class::answer || what == frame_class::refusal;
  if (!answers && unconfirmed() >= terms_.window_bytes)
    return false;
  return cut_.push(std::move(frame), ordered);
}

bool outflow::push_small(frame_class what, std::string frame) {
  const bool answers = what == frame_class::answer || what == frame_class::refusal;
  if (answers_.empty() && room_for(frame.size())) {
    sent_ += frame.size();
    ready_.push_back(std::move(frame));
    return true;
  }
  if (!answers || !may_wait(what, frame.size()))
    return false;
  answer_bytes_ += frame.size();
  answers_.push_back(std::move(frame));
  return true;
}

/// Pieces keep their part of the window free, or small frames would starve them.
bool outflow::room_for(std::size_t bytes) const {
  const auto kept = cut_.empty() ? 0 : terms_.pieces_unconfirmed * terms_.piece_bytes;
  const auto pieces = (pieces_sent_ - pieces_confirmed_) * terms_.piece_bytes;
  const auto reserved = kept > pieces ? kept - static_cast<std::size_t>(pieces) : 0;
  return unconfirmed() + bytes + reserved <= terms_.window_bytes;
}

bool outflow::may_wait(frame_class what, std::size_t bytes) const {
  const auto bound = terms_.waiting_answer_bytes +
                     (what == frame_class::refusal ? terms_.waiting_refusal_bytes : 0);
  return answers_.empty() || answer_bytes_ + bytes <= bound;
}

bool outflow::piece_may_go() const {
  if (cut_.empty() || unconfirmed() + cut_.next_bytes() > terms_.window_bytes)
    return false;
  return !cut_.next_is_piece() || pieces_sent_ - pieces_confirmed_ < terms_.pieces_unconfirmed;
}

std::optional<cut_part> outflow::next() {
  if (ready_.empty() && !answers_.empty() && room_for(answers_.front().size())) {
    const auto bytes = answers_.front().size();
    sent_ += bytes;
    answer_bytes_ -= bytes;
    ready_.push_back(std::move(answers_.front()));
    answers_.pop_front();
  }
  if (!ready_.empty()) {
    cut_part out{0, ready_.front().size(), std::move(ready_.front()), true};
    ready_.pop_front();
    return out;
  }
  if (!piece_may_go())
    return std::nullopt;
  auto out = cut_.next();
  sent_ += out.bytes.size();
  pieces_sent_ += out.frame != 0 ? 1 : 0;
  return out;
}

bool outflow::confirmed(std::uint64_t bytes, std::uint64_t pieces) {
  if (bytes > sent_ || bytes < confirmed_ || pieces > pieces_sent_ || pieces < pieces_confirmed_)
    return false;
  confirmed_ = bytes;
  pieces_confirmed_ = pieces;
  return true;
}

bool inflow::came(std::size_t bytes) {
  came_ += bytes;
  return came_ - told_ <= terms_.window_bytes;
}

void inflow::taken(std::size_t bytes, std::size_t pieces, time_point now) {
  taken_ += bytes;
  pieces_ += pieces;
  if (!untold_since_)
    untold_since_ = now;
}

bool inflow::confirmation_due(time_point now) const {
  return untold_since_ &&
         (taken_ - told_ >= terms_.confirm_bytes || now - *untold_since_ >= terms_.confirm_after);
}

void inflow::told() {
  told_ = taken_;
  untold_since_.reset();
}

} // namespace rahat::cluster
