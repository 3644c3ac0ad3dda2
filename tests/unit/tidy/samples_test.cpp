#include "tidy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace rahat::tidy;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Each rule is tried on lines that break it and on lines that come close.
namespace {

std::vector<std::string> texts(const findings& all) {
  std::vector<std::string> out;
  for (const auto& f : all)
    out.push_back(f.str());
  return out;
}

std::vector<std::string> layout(const std::string& path, const std::string& text) {
  return texts(check_layout(path, text));
}

std::vector<std::string> includes(const std::string& path, const std::string& name) {
  return texts(check_includes(path, "#include " + name + "\n"));
}

std::vector<std::string> ports(const std::string& path, const std::string& text) {
  return texts(check_ports(path, text));
}

TEST(layout, counts_columns_not_bytes) {
  EXPECT_THAT(layout("a.cpp", std::string(100, 'x') + "\n"), IsEmpty());
  EXPECT_THAT(layout("a.cpp", "\n" + std::string(101, 'x') + "\n"),
              ElementsAre(HasSubstr("a.cpp:2: is longer")));
  std::string wide;
  for (int i = 0; i < 100; ++i)
    wide += "é";
  EXPECT_THAT(layout("a.cpp", wide + "\n"), IsEmpty());
}

TEST(layout, finds_marks_of_unfinished_work) {
  EXPECT_THAT(layout("a.cpp", std::string("// TO") + "DO: later\n"), ElementsAre(HasSubstr(":1:")));
  EXPECT_THAT(layout("a.sql", std::string("-- FIX") + "ME\n"), ElementsAre(HasSubstr(":1:")));
  EXPECT_THAT(layout("a.cpp", std::string("// XX") + "X\n"), ElementsAre(HasSubstr(":1:")));
  EXPECT_THAT(layout("a.cpp", std::string("mkdtemp(\"rahat-XX") + "XXXX\");\n"), IsEmpty());
}

TEST(layout, finds_long_files_tabs_blanks_and_bare_headers) {
  std::string lines;
  for (int i = 0; i < 600; ++i)
    lines += "x\n";
  EXPECT_THAT(layout("a.cpp", lines), IsEmpty());
  EXPECT_THAT(layout("a.cpp", lines + "x\n"), ElementsAre(HasSubstr("601 lines")));
  EXPECT_THAT(layout("a.cpp", "\tx\n"), ElementsAre(HasSubstr("tab")));
  EXPECT_THAT(layout("a.cpp", "x \n"), ElementsAre(HasSubstr("blank")));
  EXPECT_THAT(layout("a.cpp", "x"), ElementsAre(HasSubstr("newline")));
  EXPECT_THAT(layout("a.hpp", "int x;\n"), ElementsAre(HasSubstr("#pragma once")));
  EXPECT_THAT(layout("a.hpp", "#pragma once\n"), IsEmpty());
}

TEST(includes, a_kind_sees_messages_and_decider_types_only) {
  const std::string kind = "actors/project/project.cpp";
  for (auto good : {"\"actors/project/project.hpp\"", "\"actors/vendor/vendor.pb.h\"",
                    "\"runtime/decider/decision.hpp\"", "\"runtime/wire/wire.pb.h\"", "<algorithm>",
                    "<google/protobuf/arena.h>"})
    EXPECT_THAT(includes(kind, good), IsEmpty()) << good;
  for (auto bad : {"\"actors/vendor/vendor.hpp\"", "\"runtime/entity/host.hpp\"",
                   "\"runtime/ports/clock.hpp\"", "\"runtime/telemetry/log.hpp\"",
                   "\"persistence/journal.hpp\"", "\"config/config.hpp\"", "<openssl/sha.h>",
                   "<unistd.h>", "\"boost/json.hpp\""})
    EXPECT_THAT(includes(kind, bad), ElementsAre(HasSubstr("must not include"))) << bad;
  EXPECT_THAT(includes(kind, "<caf/all.hpp>"), Not(IsEmpty()));
}

TEST(includes, the_runtime_knows_no_kind_no_store_and_no_edge) {
  const std::string host = "runtime/entity/host.cpp";
  EXPECT_THAT(includes(host, "\"runtime/ports/store.hpp\""), IsEmpty());
  EXPECT_THAT(includes(host, "<caf/all.hpp>"), IsEmpty());
  for (auto bad : {"\"actors/project/project.pb.h\"", "\"persistence/writer.hpp\"",
                   "\"gateways/http/handler.hpp\"", "\"apps/rahatd/node.hpp\"", "<pqxx/pqxx>",
                   "<boost/asio/io_context.hpp>"})
    EXPECT_THAT(includes(host, bad), ElementsAre(HasSubstr("host.cpp:1: must not"))) << bad;
}

TEST(includes, supervision_sees_caf_and_telemetry) {
  const std::string tree = "supervision/tree.cpp";
  EXPECT_THAT(includes(tree, "<caf/all.hpp>"), IsEmpty());
  EXPECT_THAT(includes(tree, "\"runtime/telemetry/log.hpp\""), IsEmpty());
  EXPECT_THAT(includes(tree, "\"runtime/ports/clock.hpp\""), IsEmpty());
  EXPECT_THAT(includes(tree, "\"runtime/ports/store.hpp\""), Not(IsEmpty()));
  EXPECT_THAT(includes(tree, "\"runtime/entity/host.hpp\""), Not(IsEmpty()));
  EXPECT_THAT(includes(tree, "\"persistence/writer.hpp\""), Not(IsEmpty()));
}

TEST(includes, store_and_edges_see_ports_and_messages) {
  for (std::string path : {"persistence/writer/writer.cpp", "gateways/rest/projects.cpp"}) {
    EXPECT_THAT(includes(path, "\"runtime/ports/store.hpp\""), IsEmpty());
    EXPECT_THAT(includes(path, "\"actors/project/project.pb.h\""), IsEmpty());
    EXPECT_THAT(includes(path, "\"actors/project/project.hpp\""), Not(IsEmpty()));
    EXPECT_THAT(includes(path, "\"runtime/entity/host.hpp\""), Not(IsEmpty()));
    EXPECT_THAT(includes(path, "\"runtime/cluster/region.hpp\""), Not(IsEmpty()));
  }
  EXPECT_THAT(includes("persistence/x.cpp", "\"gateways/http/handler.hpp\""), Not(IsEmpty()));
  EXPECT_THAT(includes("gateways/http/x.cpp", "\"persistence/writer.hpp\""), Not(IsEmpty()));
}

TEST(includes, heavy_libraries_stay_in_their_rooms) {
  EXPECT_THAT(includes("gateways/http/server.cpp", "<boost/beast/core.hpp>"), IsEmpty());
  EXPECT_THAT(includes("gateways/rest/projects.cpp", "<boost/json.hpp>"), IsEmpty());
  EXPECT_THAT(includes("gateways/rest/projects.cpp", "<boost/beast/core.hpp>"), Not(IsEmpty()));
  EXPECT_THAT(includes("persistence/x.cpp", "<boost/asio.hpp>"), Not(IsEmpty()));
  EXPECT_THAT(includes("gateways/rest/projects.cpp", "<caf/actor.hpp>"), Not(IsEmpty()));
  EXPECT_THAT(includes("gateways/http/server.cpp", "<caf/actor.hpp>"), IsEmpty());
  EXPECT_THAT(includes("gateways/http/server.hpp", "<caf/actor.hpp>"), Not(IsEmpty()));
  EXPECT_THAT(includes("config/load.cpp", "<caf/actor.hpp>"), Not(IsEmpty()));
  EXPECT_THAT(includes("gateways/http/server.cpp", "<pqxx/pqxx>"), Not(IsEmpty()));
  EXPECT_THAT(includes("persistence/pg.cpp", "<libpq-fe.h>"), IsEmpty());
  EXPECT_THAT(includes("bench/bulk.cpp", "<pqxx/pqxx>"), IsEmpty());
  EXPECT_THAT(includes("gateways/http/server.cpp", "<spdlog/spdlog.h>"), Not(IsEmpty()));
}

TEST(ports, clocks_and_dice_are_found) {
  for (auto bad :
       {"auto t = std::chrono::system_clock::now();", "steady_clock :: now()", "time(nullptr)",
        "::time(&now)", "std::time(0)", "gettimeofday(&tv, 0)",
        "clock_gettime(CLOCK_BOOTTIME, &ts)", "std::random_device d;", "x = rand();", "srand(1)"})
    EXPECT_THAT(ports("runtime/entity/host.cpp", std::string(bad) + "\n"),
                ElementsAre(HasSubstr("host.cpp:1:")))
        << bad;
}

TEST(ports, what_only_looks_like_it_is_left_alone) {
  for (auto good :
       {"// never steady_clock::now() here", "say(\"rand()\");", "auto t = clock.now();",
        "std::chrono::steady_clock::time_point at;", "strand(executor)", "x.rand();",
        "expected_time(nullptr)", "/* time(nullptr) */"})
    EXPECT_THAT(ports("runtime/entity/host.cpp", std::string(good) + "\n"), IsEmpty()) << good;
}

TEST(ports, files_with_a_reason_are_excepted) {
  const std::string call = "auto t = std::chrono::system_clock::now();\n";
  EXPECT_THAT(ports("runtime/ports/system_clock.cpp", call), IsEmpty());
  EXPECT_THAT(ports("apps/rahatctl/demo.cpp", call), IsEmpty());
  EXPECT_THAT(ports("tests/unit/x_test.cpp", call), IsEmpty());
  EXPECT_THAT(ports("apps/rahatd/main.cpp", call), Not(IsEmpty()));
}

TEST(code, has_no_comments_and_no_texts) {
  EXPECT_EQ(code_of("a // b\nc"), "a     \nc");
  EXPECT_EQ(code_of("a /* b\n{ */ c"), "a     \n     c");
  EXPECT_EQ(code_of("f(\"{\\\"}\")"), "f(\"    \")");
  EXPECT_EQ(code_of("R\"x({)\")x\";"), "R\"       \";");
  EXPECT_EQ(code_of("1'000'000; '{'"), "1'000'000; ' '");
}

TEST(functions, are_measured_from_head_to_brace) {
  auto all = functions_of(
      "namespace a {\n"
      "struct s {\n"
      "  int get() const { return x_; }\n"
      "  int x_ = {};\n"
      "};\n"
      "\n"
      "int sum(int a,\n"
      "        int b) {\n"
      "  if (a) {\n"
      "    auto f = [](int i) { return \"}\"; };\n"
      "  }\n"
      "  return a + b;\n"
      "}\n"
      "s::s() : x_(1) {\n"
      "}\n"
      "} // namespace a\n");
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].line, 3U);
  EXPECT_EQ(all[0].lines, 1U);
  EXPECT_EQ(all[1].name, "sum");
  EXPECT_EQ(all[1].line, 7U);
  EXPECT_EQ(all[1].lines, 7U);
  EXPECT_EQ(all[2].line, 14U);
  EXPECT_EQ(all[2].lines, 2U);
}

TEST(functions, preprocessor_lines_and_tables_are_none) {
  EXPECT_EQ(functions_of("#define F(x) { x\n"
                         "const int table[] = {\n"
                         "  1, 2};\n"
                         "enum class e { a, b };\n")
                .size(),
            0U);
}

TEST(dead_files, are_those_that_no_list_names) {
  std::vector<cmake_file> lists = {{"config", "rahat_library(c SOURCES load.cpp sub/deep.cpp)"},
                                   {"bench", "file(GLOB files CONFIGURE_DEPENDS *.cpp)"},
                                   {"runtime", "set(x ${CMAKE_CURRENT_SOURCE_DIR}/id.cpp)"}};
  EXPECT_TRUE(is_built("config/load.cpp", lists));
  EXPECT_TRUE(is_built("config/sub/deep.cpp", lists));
  EXPECT_TRUE(is_built("bench/any.cpp", lists));
  EXPECT_TRUE(is_built("runtime/id.cpp", lists));
  EXPECT_FALSE(is_built("config/oad.cpp", lists));
  EXPECT_FALSE(is_built("config/deep.cpp", lists));
  EXPECT_FALSE(is_built("config/reload.cpp", lists));
  EXPECT_FALSE(is_built("bench/any.proto", lists));
  EXPECT_FALSE(is_built("gateways/load.cpp", lists));
}

} // namespace
