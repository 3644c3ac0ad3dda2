#pragma once

#include "runtime/decider/error.hpp"
#include "runtime/decider/id.hpp"
#include "runtime/ports/clock.hpp"
#include "runtime/ports/random.hpp"
#include "runtime/trust/node_certificate.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

/// How two nodes prove to each other who they are, once a link is up: each signs the other's nonce
/// with its certificate's key, because CAF shows no peer's certificate (R22). Not bound to the TLS
/// channel: a malicious holder of another *node's* certificate could pass proofs on between two
/// nodes; the authority signs nodes only.
namespace rahat {

/// One life of one node, as the link knows it.
struct link_identity {
  uuid node;
  std::uint64_t incarnation = 0;
  std::string transport_id; // CAF's node id as text

  bool operator==(const link_identity&) const = default;
};

/// Which end of the link a node is.
enum class link_role : std::uint8_t { dialler, listener };

inline constexpr std::size_t proof_nonce_bytes = 32;
using proof_nonce = std::array<std::uint8_t, proof_nonce_bytes>;

proof_nonce make_proof_nonce(random& dice);

/// All that a proof says. The signer fills it from its own side, the verifier from what it knows
/// and expects; only if both are the same does the signature hold.
struct proof_statement {
  link_role role = link_role::dialler; // of the signer
  link_identity signer;
  link_identity verifier;
  proof_nonce verifiers_nonce{}; // what is answered; the verifier made it for this link
  proof_nonce signers_nonce{};
};

/// The bytes that are signed: "rahat-node-proof-v1", then role, signer, verifier, both nonces, each
/// preceded by its length as 4 bytes big endian. An identity is uuid, incarnation (8 bytes big
/// endian) and transport id, written in the same way.
std::string transcript(const proof_statement& statement);

/// What goes over the link. `role` and `answers` are told in clear so that the verifier can say
/// what is wrong; a change of them breaks the signature.
struct node_proof {
  link_role role = link_role::dialler;
  proof_nonce answers{}; // the verifier's nonce
  std::string signature;
};

enum class proof_verdict {
  proven,
  own_identity,          // it claims to be the verifier
  stale_nonce,           // a replay: it answers another nonce than this link's
  reflected_role,        // the verifier's own proof, or another's for the same end, sent back
  unreadable,            // the certificate is not PEM, or beyond max_peer_certificate_bytes
  foreign_authority,     // not signed by this cluster's authority
  expired,               //
  not_yet_valid,         //
  wrong_purpose,         // not made for both ends of a link between nodes
  another_node,          // it names another node than the signer, none, or several
  untrusted_certificate, // any other fault of the chain
  wrong_signature,       // not made with the certificate's key, or for another statement
};

/// One sentence for the log that says what to look at.
std::string_view to_string(proof_verdict verdict);

/// Signs in the name of one node. Immutable; may be used from several threads at once.
class proof_signer {
public:
  /// An error if the two do not belong together or the certificate names no node.
  static std::variant<proof_signer, error> make(const key_pair& pair);

  proof_signer(proof_signer&&) noexcept;
  proof_signer& operator=(proof_signer&&) noexcept;
  ~proof_signer();

  const uuid& node() const { return node_; }

  /// What peers are sent together with the proof.
  const std::string& certificate() const { return certificate_; }

  /// `statement.signer.node` must be `node()`: anything else is a mistake of ours and throws
  /// std::logic_error.
  node_proof sign(const proof_statement& statement) const;

private:
  struct secret;
  proof_signer(uuid node, std::string certificate, std::unique_ptr<secret> key);

  uuid node_;
  std::string certificate_;
  std::unique_ptr<secret> key_;
};

/// Judges proofs by the cluster's authority, which is read once: a new one counts from the next
/// start on. Immutable; may be used from several threads at once; the clock must outlive it.
class proof_verifier {
public:
  static constexpr std::size_t max_peer_certificate_bytes = 16 * 1024;

  /// `authority`: PEM text of one certificate of an authority or, while one follows another, of
  /// several. An error if there is none, or one of them may not sign.
  static std::variant<proof_verifier, error> make(std::string_view authority, const clock& time);

  proof_verifier(proof_verifier&&) noexcept;
  proof_verifier& operator=(proof_verifier&&) noexcept;
  ~proof_verifier();

  /// `expected`: signer as its hello told, everything else as this node knows it. Takes about 0.3
  /// ms.
  [[nodiscard]] proof_verdict verify(const proof_statement& expected, const node_proof& proof,
                                     std::string_view peer_certificate) const;

private:
  struct roots;
  proof_verifier(std::unique_ptr<roots> trusted, const clock& time);

  std::unique_ptr<roots> trusted_;
  const clock* time_;
};

} // namespace rahat
