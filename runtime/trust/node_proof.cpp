#include "runtime/trust/node_proof.hpp"

#include "runtime/trust/openssl_handles.hpp"

#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <stdexcept>

namespace rahat {

namespace {

constexpr std::string_view label = "rahat-node-proof-v1";
constexpr std::int64_t second_us = 1'000'000;

void append_number(std::string& out, std::uint64_t n, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
    out += static_cast<char>(n >> shift & 0xff);
}

void append_part(std::string& out, std::string_view part) {
  append_number(out, part.size(), 4);
  out += part;
}

std::string bytes_of(const link_identity& who) {
  std::string incarnation;
  append_number(incarnation, who.incarnation, 8);
  std::string out;
  append_part(out, who.node.raw());
  append_part(out, incarnation);
  append_part(out, who.transport_id);
  return out;
}

std::string_view bytes_of(const proof_nonce& nonce) {
  return {reinterpret_cast<const char*>(nonce.data()), nonce.size()};
}

const std::uint8_t* data_of(std::string_view text) {
  return reinterpret_cast<const std::uint8_t*>(text.data());
}

proof_verdict verdict_of(int chain_error) {
  switch (chain_error) {
    case X509_V_ERR_CERT_HAS_EXPIRED: return proof_verdict::expired;
    case X509_V_ERR_CERT_NOT_YET_VALID: return proof_verdict::not_yet_valid;
    case X509_V_ERR_INVALID_PURPOSE: return proof_verdict::wrong_purpose;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE: return proof_verdict::foreign_authority;
    default: return proof_verdict::untrusted_certificate;
  }
}

proof_verdict check_chain(X509_STORE* trusted, X509* cert, std::int64_t now_us) {
  openssl::trust_context judge{X509_STORE_CTX_new()};
  if (!judge || X509_STORE_CTX_init(judge.get(), trusted, cert, nullptr) != 1 ||
      X509_STORE_CTX_set_purpose(judge.get(), X509_PURPOSE_SSL_CLIENT) != 1)
    return proof_verdict::untrusted_certificate;
  X509_STORE_CTX_set_time(judge.get(), 0, static_cast<std::time_t>(now_us / second_us));
  return X509_verify_cert(judge.get()) == 1 ? proof_verdict::proven
                                            : verdict_of(X509_STORE_CTX_get_error(judge.get()));
}

/// A certificate without a list of purposes would be good for anything; ours say both.
bool is_for_both_ends(X509* cert) {
  constexpr std::uint32_t both = XKU_SSL_CLIENT | XKU_SSL_SERVER;
  return (X509_get_extension_flags(cert) & EXFLAG_XKUSAGE) != 0 &&
         (X509_get_extended_key_usage(cert) & both) == both && X509_check_ca(cert) == 0;
}

bool holds(EVP_PKEY* key, std::string_view message, std::string_view signature) {
  openssl::digest_context ctx{EVP_MD_CTX_new()};
  return ctx && key != nullptr &&
         EVP_DigestVerifyInit(ctx.get(), nullptr, openssl::digest_for(key), nullptr, key) == 1 &&
         EVP_DigestVerify(ctx.get(), data_of(signature), signature.size(), data_of(message),
                          message.size()) == 1;
}

std::string signature_of(EVP_PKEY* key, std::string_view message) {
  openssl::digest_context ctx{EVP_MD_CTX_new()};
  std::size_t size = 0;
  auto ok = ctx &&
            EVP_DigestSignInit(ctx.get(), nullptr, openssl::digest_for(key), nullptr, key) == 1 &&
            EVP_DigestSign(ctx.get(), nullptr, &size, data_of(message), message.size()) == 1;
  std::string out(size, '\0');
  if (!ok || EVP_DigestSign(ctx.get(), reinterpret_cast<std::uint8_t*>(out.data()), &size,
                            data_of(message), message.size()) != 1)
    throw std::runtime_error("OpenSSL could not sign a proof");
  out.resize(size); // ECDSA's are often shorter than announced
  return out;
}

} // namespace

proof_nonce make_proof_nonce(random& dice) {
  proof_nonce out;
  dice.fill(out.data(), out.size());
  return out;
}

std::string transcript(const proof_statement& statement) {
  std::string out{label};
  append_part(out, statement.role == link_role::dialler ? "dialler" : "listener");
  append_part(out, bytes_of(statement.signer));
  append_part(out, bytes_of(statement.verifier));
  append_part(out, bytes_of(statement.verifiers_nonce));
  append_part(out, bytes_of(statement.signers_nonce));
  return out;
}

std::string_view to_string(proof_verdict verdict) {
  switch (verdict) {
    case proof_verdict::proven: return "the peer has proven who it is";
    case proof_verdict::own_identity:
      return "the peer claims to be this node: is a copy of the data folder running elsewhere?";
    case proof_verdict::stale_nonce:
      return "the proof answers the nonce of another link: somebody replays an old one";
    case proof_verdict::reflected_role:
      return "the proof was made for the other end of a link: somebody sends ours back";
    case proof_verdict::unreadable: return "the peer's certificate cannot be read";
    case proof_verdict::foreign_authority:
      return "the peer's certificate is not signed by this cluster's authority: compare "
             "cluster.ca of both nodes";
    case proof_verdict::expired:
      return "the peer's certificate or its authority has expired: sign a new one with rahatctl "
             "certs node";
    case proof_verdict::not_yet_valid:
      return "the peer's certificate is not valid yet: compare the clocks of both nodes";
    case proof_verdict::wrong_purpose:
      return "the peer's certificate was not made for links between nodes (it needs clientAuth "
             "and serverAuth): sign one with rahatctl certs node";
    case proof_verdict::another_node:
      return "the peer's certificate names another node than the peer claims to be: give each node "
             "its own";
    case proof_verdict::untrusted_certificate:
      return "the peer's certificate was not accepted: look at it with rahatctl certs show";
    case proof_verdict::wrong_signature:
      return "the peer does not hold the key of its certificate, or signed another identity than "
             "it told";
  }
  return "unknown";
}

struct proof_signer::secret {
  openssl::key key;
};

proof_signer::proof_signer(uuid node, std::string certificate, std::unique_ptr<secret> key)
    : node_(node), certificate_(std::move(certificate)), key_(std::move(key)) {}
proof_signer::proof_signer(proof_signer&&) noexcept = default;
proof_signer& proof_signer::operator=(proof_signer&&) noexcept = default;
proof_signer::~proof_signer() = default;

std::variant<proof_signer, error> proof_signer::make(const key_pair& pair) {
  openssl::error_mark mark;
  auto cert = openssl::parse_certificate(pair.certificate);
  auto key = openssl::parse_key(pair.key);
  if (!cert || !key || X509_check_private_key(cert.get(), key.get()) != 1)
    return error{errc::invalid_input, "the node's key does not belong to its certificate",
                 "cluster.key"};
  auto node = openssl::node_of(cert.get());
  if (!node)
    return error{errc::invalid_input,
                 "the certificate names no node (urn:rahat:node:<uuid>), or several: make one "
                 "with rahatctl certs node",
                 "cluster.certificate"};
  // Peers need the node's own only, not what else stands in the file.
  openssl::bio out{BIO_new(BIO_s_mem())};
  char* text = nullptr;
  if (!out || PEM_write_bio_X509(out.get(), cert.get()) != 1)
    throw std::runtime_error("OpenSSL could not write a certificate");
  auto size = BIO_get_mem_data(out.get(), &text);
  return proof_signer(*node, std::string(text, static_cast<std::size_t>(size)),
                      std::make_unique<secret>(secret{std::move(key)}));
}

node_proof proof_signer::sign(const proof_statement& statement) const {
  if (statement.signer.node != node_)
    throw std::logic_error("a proof in the name of another node than the certificate's");
  openssl::error_mark mark;
  return {statement.role, statement.verifiers_nonce,
          signature_of(key_->key.get(), transcript(statement))};
}

struct proof_verifier::roots {
  openssl::trust_store store;
};

proof_verifier::proof_verifier(std::unique_ptr<roots> trusted, const clock& time)
    : trusted_(std::move(trusted)), time_(&time) {}
proof_verifier::proof_verifier(proof_verifier&&) noexcept = default;
proof_verifier& proof_verifier::operator=(proof_verifier&&) noexcept = default;
proof_verifier::~proof_verifier() = default;

std::variant<proof_verifier, error> proof_verifier::make(std::string_view authority,
                                                         const clock& time) {
  openssl::error_mark mark;
  auto trusted = std::make_unique<roots>(roots{openssl::trust_store{X509_STORE_new()}});
  auto in = openssl::reader_of(authority);
  int found = 0;
  if (!in || !trusted->store)
    throw std::runtime_error("OpenSSL has no memory left");
  while (auto cert = openssl::next_certificate(in.get())) {
    if (X509_check_ca(cert.get()) == 0)
      return error{errc::invalid_input,
                   "a certificate given as the cluster's authority may not sign others: it is a "
                   "node's",
                   "cluster.ca"};
    if (X509_STORE_add_cert(trusted->store.get(), cert.get()) != 1)
      return error{errc::invalid_input, "the authority's certificate was not accepted",
                   "cluster.ca"};
    ++found;
  }
  if (found == 0)
    return error{errc::invalid_input, "there is no certificate of an authority in it",
                 "cluster.ca"};
  return proof_verifier(std::move(trusted), time);
}

proof_verdict proof_verifier::verify(const proof_statement& expected, const node_proof& proof,
                                     std::string_view peer_certificate) const {
  if (expected.signer.node == expected.verifier.node)
    return proof_verdict::own_identity;
  if (CRYPTO_memcmp(proof.answers.data(), expected.verifiers_nonce.data(), proof_nonce_bytes) != 0)
    return proof_verdict::stale_nonce;
  if (proof.role != expected.role)
    return proof_verdict::reflected_role;
  if (peer_certificate.size() > max_peer_certificate_bytes)
    return proof_verdict::unreadable;
  openssl::error_mark mark;
  auto cert = openssl::parse_certificate(peer_certificate);
  if (!cert)
    return proof_verdict::unreadable;
  auto chain = check_chain(trusted_->store.get(), cert.get(), time_->now_us());
  if (chain != proof_verdict::proven)
    return chain;
  if (!is_for_both_ends(cert.get()))
    return proof_verdict::wrong_purpose;
  if (openssl::node_of(cert.get()) != expected.signer.node)
    return proof_verdict::another_node;
  return holds(X509_get0_pubkey(cert.get()), transcript(expected), proof.signature)
             ? proof_verdict::proven
             : proof_verdict::wrong_signature;
}

} // namespace rahat
