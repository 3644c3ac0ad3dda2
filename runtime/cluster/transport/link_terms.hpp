#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace rahat::cluster {

/// The version of the handshake and of what follows it. Another one is refused.
inline constexpr std::uint32_t link_protocol = 1;

inline constexpr std::size_t link_secret_bytes = 16;

/// The durations and bounds of one link, with what happens at each.
struct link_terms {
  using ms = std::chrono::milliseconds;

  ms beat_every{500};

  /// Without a message for this long: down. Without an answered beat: not reachable.
  ms silence{2'000};

  /// From the opening of the channel until both have welcomed each other. Then: closed.
  ms handshake{3'000};

  /// How long a hello of a node that the view does not name waits for a newer view. Then: refused.
  ms admission{1'000};

  /// What has been taken in is confirmed at the latest after this, or so many bytes.
  ms confirm_after{50};
  std::size_t confirm_bytes = 128 * 1024;

  /// Bytes on their way and not confirmed. Beyond: `send` says false, answers wait.
  std::size_t window_bytes = 1024 * 1024;

  /// Answers that wait for the window. Beyond: `send` says false; one always waits.
  std::size_t waiting_answer_bytes = 4 * 1024 * 1024;

  /// Refusals find room beyond that, so that whoever asked hears why it gets no answer.
  std::size_t waiting_refusal_bytes = 256 * 1024;

  /// A larger frame travels in pieces of this size; so few of them unconfirmed that a small frame
  /// never waits for more than two.
  std::size_t piece_bytes = 192 * 1024;
  std::size_t pieces_unconfirmed = 2;

  /// Large frames on their way from one peer, and their bytes together. Beyond: `send` says false;
  /// one who sends more all the same loses the link.
  std::size_t large_frames = 16;
  std::size_t large_bytes = 8 * 1024 * 1024;
};

} // namespace rahat::cluster
