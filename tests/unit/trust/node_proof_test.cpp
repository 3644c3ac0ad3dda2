#include "runtime/trust/node_proof.hpp"

#include "persistence/memory/hand_clock.hpp"
#include "runtime/trust/openssl_handles.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <set>

using namespace rahat;
using testing::HasSubstr;

namespace {

constexpr std::int64_t day_us = 86'400'000'000;
const uuid node_a = *uuid::parse("a0000000-0000-4000-8000-00000000000a");
const uuid node_b = *uuid::parse("b0000000-0000-4000-8000-00000000000b");

class proofs : public testing::TestWithParam<key_kind> {
protected:
  key_pair authority() {
    return std::get<key_pair>(
        make_authority("test authority", {authority_days, time_.now_us(), GetParam()}, dice_));
  }
  key_pair certificate_of(const uuid& node, const key_pair& root) {
    return std::get<key_pair>(make_node_certificate(
        root, node, {node_certificate_days, time_.now_us(), GetParam()}, dice_));
  }
  static proof_signer signer(const key_pair& pair) {
    return std::get<proof_signer>(proof_signer::make(pair));
  }
  proof_verifier verifier() {
    return std::get<proof_verifier>(proof_verifier::make(root_.certificate, time_));
  }
  /// a dials b and proves itself.
  proof_statement a_to_b() {
    return {link_role::dialler,
            {node_a, 7, "AA#1"},
            {node_b, 3, "BB#1"},
            make_proof_nonce(dice_),
            make_proof_nonce(dice_)};
  }

  hand_clock time_;
  system_random dice_;
  key_pair root_ = authority();
  key_pair a_ = certificate_of(node_a, root_);
  key_pair b_ = certificate_of(node_b, root_);
};

INSTANTIATE_TEST_SUITE_P(keys, proofs, testing::Values(key_kind::p256, key_kind::ed25519),
                         [](const auto& key) {
                           return key.param == key_kind::p256 ? "p256" : "ed25519";
                         });

TEST_P(proofs, of_a_node_to_another_hold) {
  auto said = a_to_b();
  auto judge = verifier();
  EXPECT_EQ(judge.verify(said, signer(a_).sign(said), signer(a_).certificate()),
            proof_verdict::proven);
  std::swap(said.signer, said.verifier);
  said.role = link_role::listener;
  EXPECT_EQ(judge.verify(said, signer(b_).sign(said), b_.certificate), proof_verdict::proven);
}

TEST_P(proofs, replayed_under_a_new_nonce_are_refused) {
  auto old = a_to_b();
  auto proof = signer(a_).sign(old);
  auto now = old;
  now.verifiers_nonce = make_proof_nonce(dice_);
  EXPECT_EQ(verifier().verify(now, proof, a_.certificate), proof_verdict::stale_nonce);
  proof.answers = now.verifiers_nonce; // claimed, but not what was signed
  EXPECT_EQ(verifier().verify(now, proof, a_.certificate), proof_verdict::wrong_signature);
}

TEST_P(proofs, for_the_other_end_are_refused) {
  auto said = a_to_b();
  auto proof = signer(a_).sign(said);
  auto expected = said;
  expected.role = link_role::listener;
  EXPECT_EQ(verifier().verify(expected, proof, a_.certificate), proof_verdict::reflected_role);
  proof.role = link_role::listener;
  EXPECT_EQ(verifier().verify(expected, proof, a_.certificate), proof_verdict::wrong_signature);
}

TEST_P(proofs, of_the_verifier_itself_are_refused) {
  auto said = a_to_b();
  said.verifier = said.signer;
  EXPECT_EQ(verifier().verify(said, signer(a_).sign(said), a_.certificate),
            proof_verdict::own_identity);
}

TEST_P(proofs, with_a_stolen_certificate_need_its_key) {
  auto said = a_to_b();
  auto thief = said;
  thief.signer.node = node_b;
  auto proof = signer(b_).sign(thief);
  EXPECT_EQ(verifier().verify(said, proof, a_.certificate), proof_verdict::wrong_signature);
  proof.signature.clear();
  EXPECT_EQ(verifier().verify(said, proof, a_.certificate), proof_verdict::wrong_signature);
}

TEST_P(proofs, with_another_nodes_certificate_are_refused) {
  auto said = a_to_b();
  auto as_b = said;
  as_b.signer.node = node_b;
  EXPECT_EQ(verifier().verify(said, signer(b_).sign(as_b), b_.certificate),
            proof_verdict::another_node);
}

TEST_P(proofs, every_part_of_the_statement_is_signed) {
  const auto said = a_to_b();
  const auto proof = signer(a_).sign(said);
  auto judged_as = [&](auto change) {
    auto other = said;
    change(other);
    return verifier().verify(other, proof, a_.certificate);
  };
  for (auto verdict : {judged_as([](auto& s) { ++s.signer.incarnation; }),
                       judged_as([](auto& s) { s.signer.transport_id = "AA#2"; }),
                       judged_as([](auto& s) { s.verifier.node = uuid{{1}}; }),
                       judged_as([](auto& s) { ++s.verifier.incarnation; }),
                       judged_as([](auto& s) { s.verifier.transport_id = ""; }),
                       judged_as([](auto& s) { s.signers_nonce[31] ^= 1; })})
    EXPECT_EQ(verdict, proof_verdict::wrong_signature);
}

TEST_P(proofs, of_a_foreign_authority_are_refused) {
  auto said = a_to_b();
  auto stranger = certificate_of(node_a, authority()); // of the same name
  EXPECT_EQ(verifier().verify(said, signer(stranger).sign(said), stranger.certificate),
            proof_verdict::foreign_authority);
}

TEST_P(proofs, end_with_the_certificate) {
  auto said = a_to_b();
  auto proof = signer(a_).sign(said);
  auto judge = verifier();
  time_.advance_us((node_certificate_days - 1) * day_us);
  EXPECT_EQ(judge.verify(said, proof, a_.certificate), proof_verdict::proven);
  time_.advance_us(2 * day_us);
  EXPECT_EQ(judge.verify(said, proof, a_.certificate), proof_verdict::expired);
  time_.advance_us(-(node_certificate_days + 2) * day_us); // the day before it was made
  EXPECT_EQ(judge.verify(said, proof, a_.certificate), proof_verdict::not_yet_valid);
}

TEST_P(proofs, with_unreadable_certificates_are_refused) {
  auto said = a_to_b();
  auto proof = signer(a_).sign(said);
  for (auto text : {std::string(), std::string("hello"),
                    a_.certificate + std::string(proof_verifier::max_peer_certificate_bytes, ' ')})
    EXPECT_EQ(verifier().verify(said, proof, text), proof_verdict::unreadable);
}

TEST_P(proofs, hold_under_either_of_two_authorities) {
  auto next = authority();
  auto both =
      std::get<proof_verifier>(proof_verifier::make(root_.certificate + next.certificate, time_));
  auto said = a_to_b();
  auto renewed = certificate_of(node_a, next);
  EXPECT_EQ(both.verify(said, signer(a_).sign(said), a_.certificate), proof_verdict::proven);
  EXPECT_EQ(both.verify(said, signer(renewed).sign(said), renewed.certificate),
            proof_verdict::proven);
}

TEST_P(proofs, are_made_and_judged_with_sound_certificates_only) {
  EXPECT_EQ(std::get<error>(proof_signer::make({a_.certificate, b_.key})).field, "cluster.key");
  EXPECT_EQ(std::get<error>(proof_signer::make(root_)).field, "cluster.certificate");
  EXPECT_EQ(std::get<error>(proof_verifier::make("", time_)).field, "cluster.ca");
  EXPECT_THAT(std::get<error>(proof_verifier::make(a_.certificate, time_)).message,
              HasSubstr("may not sign others"));
  auto said = a_to_b();
  EXPECT_THROW(signer(b_).sign(said), std::logic_error);
}

/// A certificate that our own tool would not make: the authority signed it all the same.
std::string certificate_with(const key_pair& root, const key_pair& node, const uuid& named,
                             const char* purposes, std::int64_t now_s) {
  auto issuer = openssl::parse_certificate(root.certificate);
  auto issuer_key = openssl::parse_key(root.key);
  auto key = openssl::parse_key(node.key);
  openssl::certificate cert{X509_new()};
  X509_set_version(cert.get(), 2);
  X509_set_issuer_name(cert.get(), X509_get_subject_name(issuer.get()));
  ASN1_INTEGER_set(X509_get_serialNumber(cert.get()), 1);
  ASN1_TIME_set(X509_getm_notBefore(cert.get()), now_s - 60);
  ASN1_TIME_set(X509_getm_notAfter(cert.get()), now_s + 60);
  X509_set_pubkey(cert.get(), key.get());
  auto add = [&](int nid, const std::string& value) {
    openssl::extension made{X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str())};
    X509_add_ext(cert.get(), made.get(), -1);
  };
  auto uri = "URI:" + node_uri(named);
  add(NID_subject_alt_name, named == node_b ? uri + ",URI:" + node_uri(node_a) : uri);
  if (*purposes != '\0')
    add(NID_ext_key_usage, purposes);
  X509_sign(cert.get(), issuer_key.get(), openssl::digest_for(issuer_key.get()));
  openssl::bio out{BIO_new(BIO_s_mem())};
  PEM_write_bio_X509(out.get(), cert.get());
  char* text = nullptr;
  auto size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

TEST_P(proofs, need_a_certificate_made_for_both_ends) {
  auto said = a_to_b();
  auto proof = signer(a_).sign(said);
  auto now_s = time_.now_us() / 1'000'000;
  auto judged_with = [&](const char* purposes) {
    return verifier().verify(said, proof, certificate_with(root_, a_, node_a, purposes, now_s));
  };
  EXPECT_EQ(judged_with("clientAuth,serverAuth"), proof_verdict::proven);
  for (auto purposes : {"emailProtection", "serverAuth", "clientAuth", ""})
    EXPECT_EQ(judged_with(purposes), proof_verdict::wrong_purpose) << purposes;
}

TEST_P(proofs, with_a_certificate_of_two_nodes_are_refused) {
  auto said = a_to_b();
  auto both =
      certificate_with(root_, a_, node_b, "clientAuth,serverAuth", time_.now_us() / 1'000'000);
  EXPECT_EQ(verifier().verify(said, signer(a_).sign(said), both), proof_verdict::another_node);
}

TEST(proof, transcript_is_a_fixed_layout) {
  proof_statement said;
  said.signer = {node_a, 258, "A"};
  said.verifier = {node_b, 0, ""};
  said.verifiers_nonce.fill(1);
  said.signers_nonce.fill(2);
  EXPECT_EQ(hex(transcript(said)),
            hex("rahat-node-proof-v1") + "00000007" + hex("dialler") + //
                "00000025" + "00000010" + "a000000000004000800000000000000a" + "00000008" +
                "0000000000000102" + "00000001" + "41" + //
                "00000024" + "00000010" + "b000000000004000800000000000000b" + "00000008" +
                "0000000000000000" + "00000000" + //
                "00000020" + hex(std::string(32, 1)) + "00000020" + hex(std::string(32, 2)));
}

TEST(proof, every_verdict_has_a_sentence_of_its_own) {
  std::set<std::string_view> sentences;
  constexpr int last = static_cast<int>(proof_verdict::wrong_signature);
  for (int i = 0; i <= last; ++i)
    sentences.insert(to_string(static_cast<proof_verdict>(i)));
  EXPECT_EQ(sentences.size(), last + 1u);
  EXPECT_FALSE(sentences.contains("unknown"));
}

} // namespace
