#pragma once

#include "runtime/decider/error.hpp"
#include "runtime/decider/id.hpp"
#include "runtime/ports/random.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

/// The certificates that nodes of a cluster know each other by. The authority signs nodes and
/// nothing else: whoever holds a certificate of it may speak to every node.
namespace rahat {

inline constexpr int authority_days = 3650;
inline constexpr int node_certificate_days = 825;
inline constexpr int max_certificate_days = 7300;
inline constexpr std::size_t max_authority_name = 64; // bytes, by X.520

/// How a node is named in its certificate: `urn:rahat:node:<uuid>`, a URI among its subject
/// alternative names.
inline constexpr std::string_view node_uri_prefix = "urn:rahat:node:";
std::string node_uri(const uuid& node);

enum class key_kind { p256, ed25519 };

/// A private key and its certificate, both as PEM text.
struct key_pair {
  std::string certificate;
  std::string key;
};

using key_pair_result = std::variant<key_pair, error>;

/// What `make_*` work with besides their subject: `now_us` as clock::now_us().
struct issue_terms {
  int days = node_certificate_days; // 1 to max_certificate_days, else an error
  std::int64_t now_us = 0;
  key_kind kind = key_kind::p256;
};

/// A new authority: a key and a certificate that it signed itself.
key_pair_result make_authority(const std::string& name, const issue_terms& terms, random& dice);

/// A new key and a certificate of the authority, good for both ends of a link. Valid from an hour
/// ago, since nodes' clocks differ; never longer than the authority itself: that is an error.
key_pair_result make_node_certificate(const key_pair& authority, const uuid& node,
                                      const issue_terms& terms, random& dice);

/// What a certificate says.
struct certificate_facts {
  std::string name;               // common name of the subject
  std::string issuer;             // common name of who signed it
  std::optional<uuid> node;       // the node that it names, if it names exactly one
  bool authority = false;         // it may sign others
  std::string key;                // "P-256", "Ed25519", else OpenSSL's name of the algorithm
  std::string serial;             // hex
  std::string fingerprint;        // SHA-256 of the whole, hex
  std::int64_t valid_from_s = 0;  // seconds since 1970-01-01T00:00:00Z
  std::int64_t valid_until_s = 0; // the last second
};

/// Reads the first certificate of a PEM text. Checks no signature.
std::variant<certificate_facts, error> read_certificate(std::string_view pem);

/// Where the two halves stand.
struct key_pair_files {
  std::string certificate;
  std::string key;
};

/// Writes the key with mode 0600, then the certificate. Files that are there stay, and an error
/// names them; with `force` they are replaced. Without it, both are written or none. Blocks on
/// disk.
std::optional<error> write_key_pair(const key_pair& pair, const key_pair_files& to, bool force);

/// Reads both and checks that they belong together. A key that others may read, or one that a
/// passphrase guards, is an error. Blocks on disk.
key_pair_result read_key_pair(const key_pair_files& from);

} // namespace rahat
