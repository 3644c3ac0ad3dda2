#include "runtime/cluster/transport/link.hpp"

#include "runtime/ports/transport.hpp"

#include <algorithm>
#include <utility>

/// A link that is up: numbers, beats, confirmations, frames. The handshake stands in
/// link_handshake.cpp.
namespace rahat::cluster {

namespace {

/// Beats whose answers are remembered; older ones are not measured.
constexpr std::size_t beats_remembered = 8;

/// Takes as long for any two secrets: how much of it was right is nobody's to know.
bool same_secret(const std::string& a, const std::string& b) {
  if (a.size() != b.size())
    return false;
  unsigned different = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    different |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
  return different == 0;
}

} // namespace

std::string_view to_string(link_end why) {
  switch (why) {
    case link_end::refused: return "refused";
    case link_end::late: return "late";
    case link_end::silent: return "silent";
    case link_end::skipped: return "skipped";
    case link_end::violation: return "violation";
    case link_end::closed: return "closed";
    case link_end::replaced: return "replaced";
    case link_end::not_in_view: return "not_in_view";
    case link_end::stopped: return "stopped";
  }
  return "unknown";
}

link::link(const link_self& self, link_role role, std::string remote_id, admit judge, random& dice,
           std::uint64_t& last_link, time_point now)
    : self_(self),
      role_(role),
      remote_id_(std::move(remote_id)),
      judge_(std::move(judge)),
      dice_(dice),
      last_link_(last_link),
      opened_(now),
      out_(self.terms),
      in_(self.terms),
      pieces_(self.terms, transport::max_frame_bytes) {}

link::output link::take_output() {
  return std::exchange(wanted_, {});
}

void link::finish(link_end why, std::string sentence) {
  if (phase_ == phase::over)
    return;
  phase_ = phase::over;
  why_over_ = why;
  sentence_ = std::move(sentence);
}

void link::received(std::string_view bytes, time_point now) {
  if (phase_ == phase::over)
    return;
  wire::LinkMessage message;
  const bool readable = message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  if (phase_ == phase::up) {
    // Whoever cannot name the secret is not the peer, and can do its link no harm.
    if (readable && message.has_numbered() && comes_from_peer(message.numbered()))
      heard_numbered(*message.mutable_numbered(), now);
    else
      ++wanted_.strangers;
    return;
  }
  if (!readable) {
    finish(link_end::violation, "what it says is not of the protocol of links");
    return;
  }
  switch (message.step_case()) {
    case wire::LinkMessage::kHello: heard_hello(message.hello(), now); break;
    case wire::LinkMessage::kProof: heard_proof(std::move(*message.mutable_proof()), now); break;
    case wire::LinkMessage::kWelcome: heard_welcome(message.welcome(), now); break;
    case wire::LinkMessage::kRefused:
      finish(link_end::refused, "the other side says: " + message.refused().why());
      break;
    case wire::LinkMessage::kNumbered:
      finish(link_end::violation, "it spoke before it had proven who it is");
      break;
    case wire::LinkMessage::STEP_NOT_SET:
      finish(link_end::violation, "it sent an empty message");
      break;
  }
}

bool link::comes_from_peer(const wire::Numbered& message) const {
  return same_secret(message.secret(), my_secret_);
}

// -- what comes in --------------------------------------------------------------------------

void link::heard_numbered(wire::Numbered& message, time_point now) {
  if (message.number() != last_heard_ + 1) {
    finish(link_end::skipped, "message " + std::to_string(last_heard_ + 1) + " has not come");
    return;
  }
  last_heard_ = message.number();
  heard_at_ = now;
  if (!out_.confirmed(message.taken_bytes(), message.taken_pieces())) {
    finish(link_end::violation, "it confirms what was never sent");
    return;
  }
  switch (message.body_case()) {
    case wire::Numbered::kBeat: heard_beat(message.beat(), now); break;
    case wire::Numbered::kFrame: heard_frame(std::move(*message.mutable_frame())); break;
    case wire::Numbered::kPiece: heard_piece(message.piece(), now); break;
    case wire::Numbered::BODY_NOT_SET: break; // a confirmation
  }
  flush();
}

void link::heard_beat(const wire::Beat& heard, time_point now) {
  wanted_.view_version = heard.view_version();
  if (heard.number() != 0) {
    auto& answer = *numbered().mutable_beat();
    answer.set_answers(heard.number());
    answer.set_view_version(view_version_);
  }
  while (!beats_.empty() && beats_.front().first <= heard.answers()) {
    if (beats_.front().first == heard.answers()) {
      answered_at_ = now;
      round_trip_ =
          std::chrono::duration_cast<std::chrono::microseconds>(now - beats_.front().second);
      wanted_.round_trips.push_back(round_trip_);
    }
    beats_.pop_front();
  }
}

void link::heard_frame(std::string frame) {
  const auto bytes = frame.size();
  if (bytes > self_.terms.piece_bytes || !in_.came(bytes)) {
    finish(link_end::violation, "it sends more than it may without a confirmation");
    return;
  }
  wanted_.frames.push_back({std::move(frame), bytes, 0});
}

void link::heard_piece(const wire::Piece& piece, time_point now) {
  const auto bytes = piece.part().size();
  if (!in_.came(bytes)) {
    finish(link_end::violation, "it sends more than it may without a confirmation");
    return;
  }
  auto added = pieces_.add(piece.frame(), piece.total(), piece.part());
  if (added.fault) {
    finish(link_end::violation, std::string(*added.fault));
    return;
  }
  delivery what{{}, bytes, 1};
  if (!added.frame)
    return taken(what, now);
  what.frame = std::move(*added.frame);
  wanted_.frames.push_back(std::move(what));
}

void link::taken(const delivery& what, time_point now) {
  if (phase_ != phase::up)
    return;
  in_.taken(what.bytes, what.pieces, now);
  if (in_.confirmation_due(now))
    numbered();
}

// -- what goes out --------------------------------------------------------------------------

/// The next message, with everything that each of them says. Its body is the caller's.
wire::Numbered& link::numbered() {
  auto& out = *wanted_.messages.emplace_back().mutable_numbered();
  out.set_secret(its_secret_);
  out.set_number(++last_sent_);
  out.set_taken_bytes(in_.bytes());
  out.set_taken_pieces(in_.pieces());
  in_.told();
  return out;
}

bool link::send(frame_class what, std::string frame) {
  if (phase_ != phase::up || frame.size() > transport::max_frame_bytes ||
      !out_.push(what, std::move(frame)))
    return false;
  flush();
  return true;
}

void link::flush() {
  if (phase_ != phase::up)
    return;
  while (auto part = out_.next()) {
    auto& message = numbered();
    if (part->frame == 0) {
      message.set_frame(std::move(part->bytes));
      continue;
    }
    auto& piece = *message.mutable_piece();
    piece.set_frame(part->frame);
    piece.set_total(static_cast<std::uint32_t>(part->total));
    piece.set_part(std::move(part->bytes));
  }
}

void link::beat(time_point now) {
  beat_at_ = now;
  beats_.emplace_back(++last_beat_, now);
  if (beats_.size() > beats_remembered)
    beats_.pop_front();
  auto& out = *numbered().mutable_beat();
  out.set_number(last_beat_);
  out.set_view_version(view_version_);
}

void link::tick(time_point now, std::int64_t view_version) {
  view_version_ = view_version;
  if (phase_ == phase::greeting || phase_ == phase::proving) {
    if (unknown_since_ && now - *unknown_since_ >= self_.terms.admission)
      judge_hello(now);
    else if (now - opened_ >= self_.terms.handshake)
      finish(link_end::late, "it has not proven who it is in time");
    return;
  }
  if (phase_ != phase::up)
    return;
  if (now - heard_at_ >= self_.terms.silence) {
    finish(link_end::silent, "nothing was heard of it for too long");
    return;
  }
  if (!beat_at_ || now - *beat_at_ >= self_.terms.beat_every)
    beat(now);
  else if (in_.confirmation_due(now))
    numbered();
}

bool link::reachable(time_point now) const {
  return phase_ == phase::up && answered_at_ && now - *answered_at_ <= self_.terms.silence;
}

} // namespace rahat::cluster
