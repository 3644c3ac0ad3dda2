#pragma once

#include "runtime/cluster/transport/flow.hpp"
#include "runtime/cluster/transport/link_terms.hpp"
#include "runtime/cluster/view.hpp"
#include "runtime/ports/random.hpp"
#include "runtime/trust/node_proof.hpp"
#include "runtime/wire/link.pb.h"

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace rahat::cluster {

/// Why a link is over.
enum class link_end {
  refused,     // by this side or the other, in the handshake
  late,        // the handshake took too long
  silent,      // nothing was heard for 2 s
  skipped,     // a message number was not the next
  violation,   // the other side does not keep to the rules
  closed,      // the channel has ended
  replaced,    // a newer link to the same peer
  not_in_view, // the incarnation is no member any more
  stopped,     // this node stops
};

/// The name that metrics use, e.g. "silent".
std::string_view to_string(link_end why);

/// What every link of this process says of it. Must outlive the links.
struct link_self {
  member_id id;
  std::string transport_id; // channels::local_id()
  std::int32_t build_level = 1;
  bool insecure = false;                    // `cluster.insecure`: no proofs
  const proof_signer* signer = nullptr;     // null only if insecure
  const proof_verifier* verifier = nullptr; // the same
  link_terms terms = {};
};

/// What this node thinks of somebody who says hello.
struct admission {
  enum class verdict { welcome, unknown, refused };
  verdict what = verdict::unknown;
  std::string why; // of a refusal: a sentence
};

/// One channel to one peer, from its opening to its end. A state machine: it is told what happened,
/// and what it wants done stands in its output, in order. It knows no channel, no clock and no
/// lock: the mesh calls it under its own.
///
/// Nothing but the handshake is accepted before both sides have proven who they are: hello, proof,
/// welcome. The smaller uuid welcomes last and numbers its links, so that both ends agree which of
/// two links is the newer one. From then on every message carries the secret that this side gave
/// out; one without it is dropped and counted. Once over, a link stays so.
class link {
public:
  using time_point = std::chrono::steady_clock::time_point;
  using admit = std::function<admission(const member_id& peer)>;

  enum class phase { greeting, proving, up, over };

  /// A frame that has come, for the listener. What it costs is given back by `taken`.
  struct delivery {
    std::string frame; // serialised
    std::size_t bytes = 0;
    std::size_t pieces = 0;
  };

  struct output {
    std::vector<wire::LinkMessage> messages;
    std::vector<delivery> frames;
    std::optional<std::int64_t> view_version; // the other side goes by this one
    std::vector<std::chrono::microseconds> round_trips;
    std::size_t strangers = 0; // messages without the secret
  };

  /// Who is at the other end, as it says; `phase` tells whether it has proven it.
  const std::optional<member_id>& peer() const { return peer_; }

  /// `last_link` numbers the links of this process; shared by all of them.
  link(const link_self& self, link_role role, std::string remote_id, admit judge, random& dice,
       std::uint64_t& last_link, time_point now);

  /// The first words; once.
  void begin();

  /// One message of the channel.
  void received(std::string_view bytes, time_point now);

  /// Hands over a serialised frame. False: the link is not up, or has no room.
  bool send(frame_class what, std::string frame);

  /// The listener has had these.
  void taken(const delivery& what, time_point now);

  /// Beats, confirmations and the ends of patience; at least each 50 ms.
  void tick(time_point now, std::int64_t view_version);

  /// A newer view: who was unknown may be known now.
  void view_changed(time_point now);

  /// From outside. The first end stays.
  void finish(link_end why, std::string sentence);

  /// A sentence that the other side reads before the channel ends; in the handshake only.
  void refuse(std::string sentence);

  phase now_in() const { return phase_; }
  link_role role() const { return role_; }
  std::uint64_t number() const { return link_number_; }
  link_end why_over() const { return why_over_; }
  const std::string& sentence() const { return sentence_; }

  /// A beat of this side was answered within the last 2 s.
  bool reachable(time_point now) const;
  std::chrono::microseconds round_trip() const { return round_trip_; }
  std::size_t unconfirmed() const { return out_.unconfirmed(); }
  std::size_t waiting() const { return out_.waiting(); }

  output take_output();

private:
  void heard_hello(const wire::Hello& hello, time_point now);
  void judge_hello(time_point now);
  void heard_proof(wire::Proof proof, time_point now);
  void heard_welcome(const wire::Welcome& welcome, time_point now);
  void advance(time_point now);
  void prove();
  bool check_proof();
  void say_welcome();
  proof_statement statement(link_role signer) const;

  void heard_numbered(wire::Numbered& message, time_point now);
  void heard_beat(const wire::Beat& beat, time_point now);
  void heard_frame(std::string frame);
  void heard_piece(const wire::Piece& piece, time_point now);
  wire::Numbered& numbered();
  void beat(time_point now);
  void flush();
  bool comes_from_peer(const wire::Numbered& message) const;

  const link_self& self_;
  link_role role_;
  std::string remote_id_;
  admit judge_;
  random& dice_;
  std::uint64_t& last_link_;

  phase phase_ = phase::greeting;
  link_end why_over_ = link_end::closed;
  std::string sentence_;
  output wanted_;
  time_point opened_;

  // The handshake.
  proof_nonce my_nonce_{};
  proof_nonce its_nonce_{};
  std::optional<member_id> peer_;
  std::string its_certificate_;
  std::optional<time_point> unknown_since_;
  std::optional<wire::Proof> its_proof_;
  std::string my_secret_;  // that the peer's messages carry
  std::string its_secret_; // that mine carry
  bool admitted_ = false;
  bool proof_sent_ = false;
  bool proven_ = false;
  bool welcome_sent_ = false;
  bool welcome_heard_ = false;
  std::uint64_t link_number_ = 0;

  // Up.
  outflow out_;
  inflow in_;
  assembler pieces_;
  std::uint64_t last_sent_ = 0;
  std::uint64_t last_heard_ = 0;
  time_point heard_at_{};
  std::optional<time_point> beat_at_;
  std::optional<time_point> answered_at_;
  std::uint64_t last_beat_ = 0;
  std::deque<std::pair<std::uint64_t, time_point>> beats_; // not yet answered
  std::chrono::microseconds round_trip_{0};
  std::int64_t view_version_ = 0;
};

} // namespace rahat::cluster
