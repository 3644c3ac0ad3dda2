#pragma once

#include "tests/e2e/ledger.hpp"
#include "tests/e2e/office.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>

namespace rahat::test {

/// Tests of one suite share a node that runs; each works on a project of its own.
class running_node : public testing::Test {
protected:
  static void SetUpTestSuite() {
    node_ = std::make_unique<node_process>();
    node_->start();
    staff_ = std::make_unique<office>(*node_);
  }

  static void TearDownTestSuite() {
    staff_.reset();
    if (node_ && node_->running()) {
      EXPECT_EQ(node_->stop(), 0);
    }
    node_.reset();
  }

  static node_process& node() { return *node_; }
  static office& staff() { return *staff_; }
  static ledger books() { return ledger{node_->owner_conninfo()}; }

private:
  static inline std::unique_ptr<node_process> node_;
  static inline std::unique_ptr<office> staff_;
};

/// What a refusal has to look like: problem+json with a stable type and code and a sentence.
inline void expect_problem(const http_reply& reply, unsigned status, const std::string& code,
                           const std::string& what) {
  SCOPED_TRACE(what);
  ASSERT_EQ(reply.fault, "");
  EXPECT_EQ(reply.status, status) << reply.body;
  EXPECT_EQ(reply.header("Content-Type"), "application/problem+json") << reply.body;
  auto problem = parse(reply);
  EXPECT_EQ(text(problem, "code"), code) << reply.body;
  EXPECT_EQ(text(problem, "type"), "https://rahat.io/problems/" + code);
  EXPECT_EQ(number(problem, "status"), status);
  EXPECT_GE(text(problem, "detail").size(), 10U) << "not a sentence: " << reply.body;
}

} // namespace rahat::test
