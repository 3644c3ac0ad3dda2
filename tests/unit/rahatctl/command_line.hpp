#pragma once

#include "apps/rahatctl/app.hpp"
#include "tests/support/scratch_folder.hpp"

#include "fake_node.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace rahat::ctl {

/// Runs command lines against a fake node, with a data folder that holds a token.
class command_line : public testing::Test {
protected:
  void SetUp() override {
    std::ofstream(data_ / "admin.token") << "the-token\n";
    env_ = {{"RAHAT_INTERNAL_URL", node_.url()},
            {"RAHAT_URL", node_.url()},
            {"RAHAT_NODE_DATA_DIR", data_.string()}};
  }

  int run(std::vector<std::string> words) {
    std::vector<const char*> argv{"rahatctl"};
    for (const auto& word : words)
      argv.push_back(word.c_str());
    std::ostringstream out;
    std::ostringstream err;
    auto code = rahat::ctl::run(static_cast<int>(argv.size()), argv.data(), env_, out, err);
    out_ = out.str();
    err_ = err.str();
    return code;
  }

  fake_node node_;
  test::scratch_folder scratch_;
  const std::filesystem::path& data_ = scratch_.path();
  rahat::environment env_;
  std::string out_;
  std::string err_;
};

} // namespace rahat::ctl
