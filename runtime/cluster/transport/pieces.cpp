#include "runtime/cluster/transport/pieces.hpp"

#include <algorithm>
#include <utility>

namespace rahat::cluster {

bool cutter::push(std::string frame, bool in_order) {
  const bool large = frame.size() > terms_.piece_bytes;
  if (bytes_ + frame.size() > terms_.large_bytes || (large && large_ == terms_.large_frames))
    return false;
  bytes_ += frame.size();
  large_ += large ? 1 : 0;
  auto& to = in_order ? ordered_ : free_;
  to.push_back({large ? ++last_number_ : 0, std::move(frame), 0});
  return true;
}

/// Whose turn it is; both empty: the ordered one.
std::deque<cutter::item>& cutter::turn() {
  if (free_.empty())
    return ordered_;
  return ordered_.empty() || !ordered_next_ ? free_ : ordered_;
}

std::size_t cutter::next_bytes() const {
  const auto& from = turn();
  if (from.empty())
    return 0;
  return std::min(from.front().frame.size() - from.front().sent, terms_.piece_bytes);
}

bool cutter::next_is_piece() const {
  const auto& from = turn();
  return !from.empty() && from.front().number != 0;
}

cut_part cutter::next() {
  auto& from = turn();
  ordered_next_ = &from == &free_;
  auto one = std::move(from.front());
  from.pop_front();
  const auto total = one.frame.size();
  cut_part out{one.number, total, {}, true};
  if (one.number == 0) {
    out.bytes = std::move(one.frame);
    bytes_ -= total;
    return out;
  }
  out.bytes = one.frame.substr(one.sent, terms_.piece_bytes);
  one.sent += out.bytes.size();
  out.last = one.sent == total;
  if (out.last) {
    bytes_ -= total;
    --large_;
  } else if (&from == &ordered_) {
    from.push_front(std::move(one)); // nothing passes it
  } else {
    from.push_back(std::move(one));
  }
  return out;
}

std::optional<std::string_view> assembler::begin(std::uint64_t frame, std::size_t total) {
  if (total <= terms_.piece_bytes || total > max_frame_bytes_)
    return "a piece names a size that no frame in pieces has";
  if (open_.size() == terms_.large_frames)
    return "too many large frames at once";
  if (bytes_ + total > terms_.large_bytes)
    return "too many bytes of large frames at once";
  bytes_ += total;
  open_[frame].total = total;
  return std::nullopt;
}

assembler::result assembler::add(std::uint64_t frame, std::size_t total, std::string_view part) {
  auto found = open_.find(frame);
  if (found == open_.end()) {
    if (auto fault = begin(frame, total))
      return {std::nullopt, fault};
    found = open_.find(frame);
  }
  auto& one = found->second;
  if (part.empty() || part.size() > terms_.piece_bytes || one.total != total ||
      one.so_far.size() + part.size() > one.total)
    return {std::nullopt, "a piece does not fit its frame"};
  one.so_far += part;
  if (one.so_far.size() < one.total)
    return {};
  auto whole = std::move(one.so_far);
  bytes_ -= one.total;
  open_.erase(found);
  return {std::move(whole), std::nullopt};
}

} // namespace rahat::cluster
