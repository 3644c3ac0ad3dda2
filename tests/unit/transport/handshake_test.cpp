#include "link_pair.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace rahat;
using namespace rahat::test;
using namespace std::chrono_literals;
using cluster::admission;
using cluster::link_end;
using phase = cluster::link::phase;
using testing::HasSubstr;

namespace {

TEST(link, comes_up_when_both_have_proven_who_they_are) {
  link_pair pair;
  ASSERT_TRUE(pair.up()) << pair.a.l->sentence() << pair.b.l->sentence();
  EXPECT_EQ(pair.a.l->peer(), member_number(2));
  EXPECT_EQ(pair.b.l->peer(), member_number(1));
  EXPECT_EQ(pair.a.l->number(), 1U);
  EXPECT_EQ(pair.b.l->number(), 1U) << "the smaller uuid numbers the link, for both";
}

TEST(link, comes_up_whoever_has_dialled) {
  link_pair pair;
  std::swap(pair.a.self.id, pair.b.self.id);
  std::swap(pair.a.self.signer, pair.b.self.signer);
  ASSERT_TRUE(pair.up()) << pair.a.l->sentence() << pair.b.l->sentence();
  EXPECT_EQ(pair.a.l->number(), pair.b.l->number());
}

TEST(link, is_up_without_proofs_only_if_both_were_told_so) {
  link_pair pair{true};
  EXPECT_TRUE(pair.up());
  link_pair mixed;
  mixed.b.self.insecure = true;
  ASSERT_FALSE(mixed.up());
  EXPECT_EQ(mixed.a.l->now_in(), phase::over);
  EXPECT_THAT(mixed.a.l->sentence(), HasSubstr("cluster.insecure"));
}

TEST(link, carries_nothing_before_the_proof) {
  link_pair pair;
  pair.open();
  EXPECT_FALSE(pair.a.l->send(cluster::frame_class::question, "frame"));
  pair.pass_from(pair.a); // hello
  wire::LinkMessage early;
  early.mutable_numbered()->set_number(1);
  early.mutable_numbered()->set_frame("frame");
  pair.b.l->received(early.SerializeAsString(), pair.time.steady());
  EXPECT_TRUE(pair.b.l->take_output().frames.empty());
  EXPECT_EQ(pair.b.l->now_in(), phase::over);
  EXPECT_EQ(pair.b.l->why_over(), link_end::violation);
}

TEST(link, does_not_take_a_welcome_for_a_proof) {
  link_pair pair;
  pair.open();
  pair.pass_from(pair.a);
  wire::LinkMessage welcome;
  welcome.mutable_welcome()->set_secret(std::string(16, 's'));
  pair.b.l->received(welcome.SerializeAsString(), pair.time.steady());
  EXPECT_NE(pair.b.l->now_in(), phase::up) << "it has not proven who it is";
  EXPECT_FALSE(pair.b.l->send(cluster::frame_class::question, "frame"));
}

TEST(link, refuses_a_node_that_is_not_in_the_view) {
  link_pair pair;
  pair.b.judge = [](const auto&) { return admission{}; };
  ASSERT_FALSE(pair.up());
  EXPECT_EQ(pair.b.l->now_in(), phase::greeting) << "a newer view may name it";
  pair.run(1'100ms);
  EXPECT_EQ(pair.b.l->now_in(), phase::over);
  EXPECT_THAT(pair.a.l->sentence(), HasSubstr("is no member in the view of")) << "and says so";
}

TEST(link, waits_for_a_view_that_names_the_node) {
  link_pair pair;
  bool known = false;
  pair.b.judge = [&](const auto&) {
    return admission{known ? admission::verdict::welcome : admission::verdict::unknown, {}};
  };
  ASSERT_FALSE(pair.up());
  known = true;
  pair.b.l->view_changed(pair.time.steady());
  pair.pass();
  EXPECT_EQ(pair.a.l->now_in(), phase::up);
  EXPECT_EQ(pair.b.l->now_in(), phase::up);
}

TEST(link, tells_why_the_view_refuses) {
  link_pair pair;
  pair.b.judge = [](const auto&) {
    return admission{admission::verdict::refused, "it is dead: it has to join again"};
  };
  ASSERT_FALSE(pair.up());
  EXPECT_THAT(pair.a.l->sentence(), HasSubstr("it is dead: it has to join again"));
  EXPECT_EQ(pair.a.l->why_over(), link_end::refused);
}

TEST(link, refuses_another_version_of_the_protocol) {
  link_pair pair;
  pair.on_the_way = [&](const auto& from, wire::LinkMessage& m) {
    if (&from == &pair.a && m.has_hello())
      m.mutable_hello()->set_protocol(9);
    return true;
  };
  ASSERT_FALSE(pair.up());
  EXPECT_THAT(pair.b.l->sentence(), HasSubstr("version 9"));
}

TEST(link, refuses_itself) {
  link_pair pair;
  pair.b.self.id = pair.a.self.id;
  pair.b.self.signer = pair.a.self.signer;
  ASSERT_FALSE(pair.up());
  EXPECT_THAT(pair.a.l->sentence(), HasSubstr("both ends are"));
}

TEST(link, refuses_a_hello_that_names_another_process) {
  link_pair pair;
  pair.b.remote = "process-3";
  ASSERT_FALSE(pair.up());
  EXPECT_THAT(pair.b.l->sentence(), HasSubstr("another process"));
}

TEST(link, refuses_a_certificate_of_another_authority) {
  link_pair pair;
  pair.a.signer.emplace(std::get<proof_signer>(proof_signer::make(foreign_certificate_of(1))));
  ASSERT_FALSE(pair.up());
  EXPECT_THAT(pair.b.l->sentence(), HasSubstr("has not proven who it is"));
}

TEST(link, refuses_a_node_in_the_name_of_another) {
  link_pair pair;
  pair.on_the_way = [&](const auto& from, wire::LinkMessage& m) {
    if (&from == &pair.a && m.has_hello())
      m.mutable_hello()->set_node(member_number(3).node.raw());
    return true;
  };
  ASSERT_FALSE(pair.up());
  EXPECT_THAT(pair.b.l->sentence(), HasSubstr("has not proven who it is"));
}

TEST(link, refuses_a_proof_of_another_incarnation) {
  link_pair pair;
  pair.on_the_way = [&](const auto& from, wire::LinkMessage& m) {
    if (&from == &pair.a && m.has_hello())
      m.mutable_hello()->set_incarnation(2);
    return true;
  };
  ASSERT_FALSE(pair.up());
  EXPECT_THAT(pair.b.l->sentence(), HasSubstr("has not proven who it is"));
}

TEST(link, refuses_a_proof_that_was_heard_before) {
  link_pair first;
  std::optional<wire::LinkMessage> heard;
  first.on_the_way = [&](const auto& from, wire::LinkMessage& m) {
    if (&from == &first.a && m.has_proof())
      heard = m;
    return true;
  };
  ASSERT_TRUE(first.up());
  link_pair second;
  second.dice.number(); // other nonces
  second.on_the_way = [&](const auto& from, wire::LinkMessage& m) {
    if (&from == &second.a && m.has_proof())
      m = *heard;
    return true;
  };
  ASSERT_FALSE(second.up());
  EXPECT_THAT(second.b.l->sentence(), HasSubstr("has not proven who it is"));
}

TEST(link, ends_a_handshake_that_takes_too_long) {
  link_pair pair;
  pair.on_the_way = [](const auto&, wire::LinkMessage& m) { return !m.has_proof(); };
  pair.open();
  pair.run(2'900ms);
  EXPECT_EQ(pair.a.l->now_in(), phase::proving);
  pair.run(200ms);
  EXPECT_EQ(pair.a.l->why_over(), link_end::late);
  EXPECT_EQ(pair.b.l->why_over(), link_end::late);
}

TEST(link, ends_at_what_is_not_of_the_protocol) {
  for (const auto& bytes :
       {std::string("GET / HTTP/1.1\r\n"), std::string(), std::string(300, '\xff')}) {
    link_pair pair;
    pair.open();
    pair.b.l->received(bytes, pair.time.steady());
    EXPECT_EQ(pair.b.l->now_in(), phase::over);
    EXPECT_EQ(pair.b.l->why_over(), link_end::violation);
  }
}

} // namespace
