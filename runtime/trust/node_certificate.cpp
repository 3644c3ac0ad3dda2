#include "runtime/trust/node_certificate.hpp"

#include "runtime/trust/openssl_handles.hpp"
#include "runtime/trust/pem_file.hpp"

#include <openssl/pem.h>
#include <unistd.h>
#include <ctime>
#include <stdexcept>
#include <vector>

namespace rahat {

namespace {

constexpr std::int64_t second_us = 1'000'000;
constexpr std::int64_t day_s = 86'400;
constexpr std::int64_t clock_difference_s = 3'600; // between nodes that nobody keeps in time
constexpr int x509_version_3 = 2;
constexpr std::size_t serial_bytes = 16;

/// Out of memory, or a broken library: not the caller's mistake.
void must(bool ok, const char* what) {
  if (!ok)
    throw std::runtime_error(std::string("OpenSSL could not ") + what);
}

error refusal(std::string message, std::string field = "") {
  return {errc::invalid_input, std::move(message), std::move(field)};
}

std::string day_of(std::int64_t at_s) {
  auto at = static_cast<std::time_t>(at_s);
  std::tm utc{};
  char text[16];
  ::gmtime_r(&at, &utc);
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d", &utc)};
}

openssl::key make_key(key_kind kind) {
  openssl::key made{kind == key_kind::p256 ? EVP_EC_gen("P-256")
                                           : EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")};
  must(made != nullptr, "make a key");
  return made;
}

template <class Write>
std::string pem_of(Write write) {
  openssl::bio out{BIO_new(BIO_s_mem())};
  must(out && write(out.get()) == 1, "write PEM");
  char* text = nullptr;
  auto size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

key_pair as_text(X509* cert, EVP_PKEY* key) {
  return {pem_of([&](BIO* out) { return PEM_write_bio_X509(out, cert); }), pem_of([&](BIO* out) {
            return PEM_write_bio_PKCS8PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
          })};
}

void set_serial(X509* cert, random& dice) {
  std::array<std::uint8_t, serial_bytes> bytes;
  dice.fill(bytes.data(), bytes.size());
  bytes[0] = static_cast<std::uint8_t>((bytes[0] & 0x7f) | 0x40); // positive, and never short
  openssl::big_number n{BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr)};
  must(n && BN_to_ASN1_INTEGER(n.get(), X509_get_serialNumber(cert)), "number a certificate");
}

void set_name(X509_NAME* name, const std::string& common_name) {
  must(X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                                  reinterpret_cast<const unsigned char*>(common_name.data()),
                                  static_cast<int>(common_name.size()), -1, 0) == 1,
       "name a certificate");
}

struct extension_text {
  int nid;
  std::string value;
};

void add_extensions(X509* cert, X509* issuer, const std::vector<extension_text>& all) {
  X509V3_CTX surroundings;
  X509V3_set_ctx(&surroundings, issuer, cert, nullptr, nullptr, 0);
  for (const auto& e : all) {
    openssl::extension made{X509V3_EXT_conf_nid(nullptr, &surroundings, e.nid, e.value.c_str())};
    must(made && X509_add_ext(cert, made.get(), -1) == 1, "extend a certificate");
  }
}

struct validity {
  std::int64_t from_s;
  std::int64_t until_s;
};

validity validity_of(const issue_terms& terms) {
  auto now_s = terms.now_us / second_us;
  return {now_s - clock_difference_s, now_s + terms.days * day_s};
}

/// All that authorities and nodes have in common; the extensions and the signature are left.
openssl::certificate draft(const std::string& name, EVP_PKEY* key, const issue_terms& terms,
                           random& dice) {
  openssl::certificate cert{X509_new()};
  must(cert && X509_set_version(cert.get(), x509_version_3) == 1, "make a certificate");
  set_serial(cert.get(), dice);
  set_name(X509_get_subject_name(cert.get()), name);
  auto [from_s, until_s] = validity_of(terms);
  must(ASN1_TIME_set(X509_getm_notBefore(cert.get()), from_s) != nullptr &&
           ASN1_TIME_set(X509_getm_notAfter(cert.get()), until_s) != nullptr &&
           X509_set_pubkey(cert.get(), key) == 1,
       "fill in a certificate");
  return cert;
}

std::optional<error> check_days(int days) {
  if (days >= 1 && days <= max_certificate_days)
    return std::nullopt;
  return refusal("a certificate is valid for 1 to " + std::to_string(max_certificate_days) +
                     " days, not for " + std::to_string(days),
                 "days");
}

std::int64_t seconds_of(const ASN1_TIME* time) {
  std::tm utc{};
  must(ASN1_TIME_to_tm(time, &utc) == 1, "read a time");
  return ::timegm(&utc);
}

std::string common_name_of(const X509_NAME* name) {
  auto at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
  if (at < 0)
    return "";
  unsigned char* text = nullptr;
  auto size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
  if (size < 0)
    return "";
  std::string out(reinterpret_cast<char*>(text), static_cast<std::size_t>(size));
  OPENSSL_free(text);
  return out;
}

std::string name_of_key(const EVP_PKEY* key) {
  if (key == nullptr)
    return "unknown";
  if (EVP_PKEY_is_a(key, "ED25519"))
    return "Ed25519";
  std::array<char, 32> curve{};
  if (EVP_PKEY_is_a(key, "EC") &&
      EVP_PKEY_get_group_name(key, curve.data(), curve.size(), nullptr) == 1)
    return std::string_view(curve.data()) == SN_X9_62_prime256v1 ? "P-256" : curve.data();
  const auto* other = EVP_PKEY_get0_type_name(key);
  return other != nullptr ? other : "unknown";
}

std::string serial_of(const X509* cert) {
  openssl::big_number n{ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), nullptr)};
  if (!n)
    return "";
  std::string raw(static_cast<std::size_t>(BN_num_bytes(n.get())), '\0');
  BN_bn2bin(n.get(), reinterpret_cast<unsigned char*>(raw.data()));
  return hex(raw);
}

std::optional<error> check_authority(X509* cert, EVP_PKEY* key, const validity& wanted) {
  if (X509_check_ca(cert) == 0)
    return refusal("this certificate is of no authority: it may not sign others", "authority");
  if (X509_check_private_key(cert, key) != 1)
    return refusal("the authority's key does not belong to its certificate", "authority");
  auto ends_s = seconds_of(X509_get0_notAfter(cert));
  if (wanted.until_s > ends_s)
    return refusal("a certificate may not outlive its authority, which ends on " + day_of(ends_s) +
                       ": ask for fewer days, or make a new authority",
                   "days");
  return std::nullopt;
}

} // namespace

std::string node_uri(const uuid& node) {
  return std::string(node_uri_prefix) + node.str();
}

key_pair_result make_authority(const std::string& name, const issue_terms& terms, random& dice) {
  if (name.empty() || name.size() > max_authority_name)
    return refusal("an authority's name has 1 to 64 bytes", "name");
  if (auto why = check_days(terms.days))
    return *why;
  openssl::error_mark mark;
  auto key = make_key(terms.kind);
  auto cert = draft(name, key.get(), terms, dice);
  must(X509_set_issuer_name(cert.get(), X509_get_subject_name(cert.get())) == 1, "name an issuer");
  // No authority below this one, and no other use.
  add_extensions(cert.get(), cert.get(),
                 {{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
                  {NID_key_usage, "critical,keyCertSign,cRLSign"},
                  {NID_subject_key_identifier, "hash"}});
  must(X509_sign(cert.get(), key.get(), openssl::digest_for(key.get())) > 0, "sign");
  return as_text(cert.get(), key.get());
}

key_pair_result make_node_certificate(const key_pair& authority, const uuid& node,
                                      const issue_terms& terms, random& dice) {
  if (node.is_nil())
    return refusal("the nil id is no node", "node");
  if (auto why = check_days(terms.days))
    return *why;
  openssl::error_mark mark;
  auto issuer = openssl::parse_certificate(authority.certificate);
  auto issuer_key = openssl::parse_key(authority.key);
  if (!issuer || !issuer_key)
    return refusal("the authority's certificate or key is not PEM", "authority");
  if (auto why = check_authority(issuer.get(), issuer_key.get(), validity_of(terms)))
    return *why;
  auto key = make_key(terms.kind);
  auto cert = draft("rahat node " + node.str(), key.get(), terms, dice);
  must(X509_set_issuer_name(cert.get(), X509_get_subject_name(issuer.get())) == 1,
       "name an issuer");
  add_extensions(cert.get(), issuer.get(),
                 {{NID_basic_constraints, "critical,CA:FALSE"},
                  {NID_key_usage, "critical,digitalSignature"},
                  {NID_ext_key_usage, "clientAuth,serverAuth"},
                  {NID_subject_key_identifier, "hash"},
                  {NID_authority_key_identifier, "keyid"},
                  {NID_subject_alt_name, "URI:" + node_uri(node)}});
  must(X509_sign(cert.get(), issuer_key.get(), openssl::digest_for(issuer_key.get())) > 0, "sign");
  return as_text(cert.get(), key.get());
}

std::variant<certificate_facts, error> read_certificate(std::string_view pem) {
  openssl::error_mark mark;
  auto cert = openssl::parse_certificate(pem);
  if (!cert)
    return refusal("there is no certificate in it: one begins with -----BEGIN CERTIFICATE-----");
  certificate_facts out;
  out.name = common_name_of(X509_get_subject_name(cert.get()));
  out.issuer = common_name_of(X509_get_issuer_name(cert.get()));
  out.node = openssl::node_of(cert.get());
  out.authority = X509_check_ca(cert.get()) != 0;
  out.key = name_of_key(X509_get0_pubkey(cert.get()));
  out.serial = serial_of(cert.get());
  out.valid_from_s = seconds_of(X509_get0_notBefore(cert.get()));
  out.valid_until_s = seconds_of(X509_get0_notAfter(cert.get()));
  digest print{};
  unsigned size = 0;
  must(X509_digest(cert.get(), EVP_sha256(), print.data(), &size) == 1, "hash a certificate");
  out.fingerprint = hex(view(print));
  return out;
}

std::optional<error> write_key_pair(const key_pair& pair, const key_pair_files& to, bool force) {
  // Asked before anything is written, so that no fresh key stands beside another's certificate.
  if (!force && ::access(to.certificate.c_str(), F_OK) == 0)
    return error{errc::already_exists,
                 to.certificate +
                     " is there already and was left as it is: give another name, "
                     "or --force to replace it",
                 ""};
  if (auto why = write_pem_file(to.key, pair.key, true, force))
    return why;
  auto why = write_pem_file(to.certificate, pair.certificate, false, force);
  if (why && !force)
    ::unlink(to.key.c_str());
  return why;
}

key_pair_result read_key_pair(const key_pair_files& from) {
  auto certificate = read_pem_file(from.certificate, false);
  if (auto* why = std::get_if<error>(&certificate))
    return *why;
  auto key = read_pem_file(from.key, true);
  if (auto* why = std::get_if<error>(&key))
    return *why;
  key_pair out{std::get<std::string>(certificate), std::get<std::string>(key)};
  openssl::error_mark mark;
  auto parsed_certificate = openssl::parse_certificate(out.certificate);
  auto parsed_key = openssl::parse_key(out.key);
  if (!parsed_certificate)
    return refusal("there is no certificate in " + from.certificate);
  if (!parsed_key)
    return refusal("there is no private key in " + from.key + ", or a passphrase guards it");
  if (X509_check_private_key(parsed_certificate.get(), parsed_key.get()) != 1)
    return refusal("the key in " + from.key + " does not belong to the certificate in " +
                   from.certificate);
  return out;
}

} // namespace rahat
