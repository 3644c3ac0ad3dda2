#include "config/load.hpp"

#include "tests/support/scratch_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

using namespace rahat;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

namespace {

class load_config : public testing::Test {
protected:
  std::string put(const std::string& name, const std::string& content) {
    auto path = (dir_ / name).string();
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }

  load_result run(std::vector<std::string> flags, environment env = {}) {
    env.emplace("HOME", dir_.string());
    std::vector<const char*> argv{"rahatd"};
    for (const auto& flag : flags)
      argv.push_back(flag.c_str());
    return load(static_cast<int>(argv.size()), argv.data(), env);
  }

  load_result run_file(const std::string& content, environment env = {}) {
    return run({"--config", put("rahatd.toml", content)}, std::move(env));
  }

  static std::vector<std::string> lines(const load_result& loaded) {
    std::vector<std::string> out;
    for (const auto& e : loaded.errors)
      out.push_back(e.str());
    return out;
  }

  test::scratch_folder scratch_;
  const std::filesystem::path& dir_ = scratch_.path();
};

TEST_F(load_config, without_any_source_the_defaults_hold) {
  auto loaded = run_file("");
  ASSERT_TRUE(loaded.ok()) << testing::PrintToString(lines(loaded));
  EXPECT_EQ(loaded.values.http.public_port, 8080);
  EXPECT_EQ(loaded.values.http.internal_host, "127.0.0.1");
  EXPECT_EQ(loaded.values.persistence.queue_bytes, 8 * 1024 * 1024);
  EXPECT_TRUE(loaded.values.database.url.empty());
  EXPECT_TRUE(loaded.values.database.fsync_check);
  EXPECT_FALSE(loaded.values.node.name.empty());
  EXPECT_FALSE(loaded.check_only);
}

TEST_F(load_config, flags_win_over_environment_and_environment_over_file) {
  auto path = put("rahatd.toml", "[http]\npublic_port = 1\ninternal_port = 2\nio_threads = 3\n");
  auto loaded = run({"--config", path, "--http.public_port", "11"},
                    {{"RAHAT_HTTP_PUBLIC_PORT", "21"}, {"RAHAT_HTTP_INTERNAL_PORT", "22"}});
  ASSERT_TRUE(loaded.ok()) << testing::PrintToString(lines(loaded));
  EXPECT_EQ(loaded.values.http.public_port, 11);
  EXPECT_EQ(loaded.values.http.internal_port, 22);
  EXPECT_EQ(loaded.values.http.io_threads, 3);
  EXPECT_EQ(loaded.origins.at("http.public_port"), "flag --http.public_port");
  EXPECT_EQ(loaded.origins.at("http.internal_port"), "environment RAHAT_HTTP_INTERNAL_PORT");
  EXPECT_EQ(loaded.origins.at("http.io_threads"), path + ":4");
}

TEST_F(load_config, the_file_may_be_named_by_the_environment) {
  auto loaded = run({}, {{"RAHAT_CONFIG", put("other.toml", "[log]\nlevel = \"debug\"\n")}});
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(loaded.values.log.level, "debug");
}

TEST_F(load_config, every_mistake_of_every_source_is_told_at_once_with_its_place) {
  auto path = put("rahatd.toml",
                  "[http]\npublic_port = 70000\nmax_body_byts = 5\n"
                  "[log]\nlevel = \"loud\"\n[lease]\nttl_ms = \"long\"\n");
  auto loaded = run({"--config", path, "--live.max_connections", "none", "--upload.max_row", "5"},
                    {{"RAHAT_DATABASE_FSYNC_CHECK", "yes"}, {"RAHAT_HTTP_PORT", "1"}});
  EXPECT_FALSE(loaded.ok());
  EXPECT_THAT(
      lines(loaded),
      testing::UnorderedElementsAre(
          AllOf(HasSubstr(path + ":2: http.public_port"), HasSubstr("from 0 to 65535")),
          AllOf(HasSubstr(path + ":3: http.max_body_byts"), HasSubstr("mean http.max_body_bytes?")),
          AllOf(HasSubstr(path + ":5: log.level"), HasSubstr("debug, info, warning, error")),
          AllOf(HasSubstr(path + ":7: lease.ttl_ms"), HasSubstr("whole number from 500 to 60000")),
          HasSubstr("flag --live.max_connections: live.max_connections: must be a whole number"),
          AllOf(HasSubstr("flag --upload.max_row"), HasSubstr("mean --upload.max_rows?")),
          HasSubstr("environment RAHAT_DATABASE_FSYNC_CHECK: database.fsync_check: must be true"),
          HasSubstr("environment RAHAT_HTTP_PORT")));
}

TEST_F(load_config, a_wrong_value_is_an_error_even_where_a_flag_overrides_it) {
  auto path = put("rahatd.toml", "[http]\npublic_port = -1\n");
  EXPECT_THAT(lines(run({"--config", path, "--http.public_port", "80"})),
              ElementsAre(HasSubstr(":2: http.public_port")));
}

TEST_F(load_config, what_cannot_be_parsed_is_told_with_its_line) {
  EXPECT_THAT(lines(run_file("[http]\npublic_port = = 4\n")),
              ElementsAre(AllOf(HasSubstr("rahatd.toml:2"), HasSubstr("not TOML"))));
  EXPECT_THAT(lines(run_file("[log]\nlevel = \"\xff\xfe\"\n")), ElementsAre(HasSubstr("not TOML")));
  EXPECT_THAT(lines(run({"--config", (dir_ / "absent.toml").string()})),
              ElementsAre(HasSubstr("cannot be read")));
  EXPECT_THAT(lines(run({"--config", dir_.string()})), ElementsAre(HasSubstr("cannot be read")));
}

TEST_F(load_config, wrong_types_and_shapes_in_the_file_are_refused) {
  EXPECT_THAT(lines(run_file("http = 5\n")), ElementsAre(HasSubstr("no such setting")));
  EXPECT_THAT(lines(run_file("public_port = 5\n")),
              ElementsAre(HasSubstr("did you mean http.public_port?")));
  EXPECT_THAT(lines(run_file("[http]\npublic_port = [1]\n")),
              ElementsAre(HasSubstr("must be a text, a whole number")));
  EXPECT_THAT(lines(run_file("[http]\npublic_port = 1.5\n")),
              ElementsAre(HasSubstr("must be a text, a whole number")));
  EXPECT_THAT(lines(run_file("[http]\npublic_host = 5\n")), ElementsAre(HasSubstr("a text")));
  EXPECT_THAT(lines(run_file("[http]\npublic_host = \"\"\n")), ElementsAre(HasSubstr("empty")));
  EXPECT_THAT(lines(run_file("[http]\npublic_host = \"a\\u0000b\"\n")),
              ElementsAre(HasSubstr("zero byte")));
  EXPECT_THAT(lines(run_file("[database]\nfsync_check = \"true\"\n")),
              ElementsAre(HasSubstr("true or false")));
  EXPECT_THAT(lines(run_file("[http.public_port]\nx = 5\n")), Not(IsEmpty()));
}

TEST_F(load_config, sizes_may_have_binary_units_and_nothing_else) {
  auto max_body = [&](const std::string& text) {
    return run_file("[http]\nmax_body_bytes = \"" + text + "\"\n");
  };
  EXPECT_EQ(max_body("16KiB").values.http.max_body_bytes, 16 * 1024);
  EXPECT_EQ(max_body("2 MiB").values.http.max_body_bytes, 2 * 1024 * 1024);
  EXPECT_EQ(max_body("4096").values.http.max_body_bytes, 4096);
  for (auto text : {"16KB", "KiB", "-1KiB", "1.5MiB", "99999999999999999999",
                    "17592186044418MiB" /* 2 MiB, were it to wrap */, "1GiB", ""})
    EXPECT_THAT(lines(max_body(text)), ElementsAre(HasSubstr("http.max_body_bytes"))) << text;
}

TEST_F(load_config, secrets_come_by_reference) {
  const std::string key(64, 'a');
  auto file = put("key", key + "\n");
  auto master_key = [&](const std::string& text, environment env = {}) {
    return run_file("[trust]\nmaster_key = \"" + text + "\"\n", std::move(env));
  };
  auto from_file = master_key("file:" + file);
  ASSERT_TRUE(from_file.ok()) << testing::PrintToString(lines(from_file));
  EXPECT_EQ(from_file.values.trust.master_key.reveal(), key);
  EXPECT_EQ(master_key("env:KEY", {{"KEY", key}}).values.trust.master_key.reveal(), key);
  EXPECT_EQ(run_file("", {{"RAHAT_TRUST_MASTER_KEY", key}}).values.trust.master_key.reveal(), key);

  EXPECT_THAT(lines(master_key(key)), ElementsAre(AllOf(HasSubstr("must not stand in the file"),
                                                        HasSubstr("file:/"), HasSubstr("env:"))));
  EXPECT_THAT(lines(run({"--trust.master_key", key})),
              ElementsAre(HasSubstr("on the command line")));
  EXPECT_THAT(lines(master_key("env:KEY")), ElementsAre(HasSubstr("KEY, which is not set")));
  EXPECT_THAT(lines(master_key("file:key")), ElementsAre(HasSubstr("absolute")));
  EXPECT_THAT(lines(master_key("file:/does/not/exist")), ElementsAre(HasSubstr("/does/not/exist")));
  EXPECT_THAT(lines(master_key("file:" + put("none", "\n"))), ElementsAre(HasSubstr("is empty")));
  EXPECT_THAT(lines(master_key("file:" + put("short", "abc"))), ElementsAre(HasSubstr("64 hex")));
}

TEST_F(load_config, a_database_url_is_secret_only_with_a_password_in_it) {
  auto url = [&](const std::string& text) {
    return run_file("[database]\nurl = \"" + text + "\"\n");
  };
  EXPECT_TRUE(url("postgresql://rahat@db.example:5432/rahat").ok());
  EXPECT_TRUE(url("host=/run/postgresql dbname=rahat").ok());
  EXPECT_TRUE(url("").ok());
  EXPECT_THAT(lines(url("postgresql://rahat:pw@db/rahat")),
              ElementsAre(HasSubstr("must not stand")));
  EXPECT_THAT(lines(url("host=db password=pw")), ElementsAre(HasSubstr("must not stand")));
  EXPECT_THAT(lines(url("postgresql://db/r?password=pw")),
              ElementsAre(HasSubstr("must not stand")));
  EXPECT_THAT(lines(url("mysql://db/rahat")),
              ElementsAre(HasSubstr("must look like postgresql://")));
  EXPECT_TRUE(run_file("", {{"RAHAT_DATABASE_URL", "postgresql://rahat:pw@db/rahat"}}).ok());
}

TEST_F(load_config, no_secret_is_ever_shown) {
  const std::string key(64, 'b');
  auto loaded = run_file("", {{"RAHAT_TRUST_MASTER_KEY", key},
                              {"RAHAT_DATABASE_URL", "postgresql://rahat:hush@db/rahat"}});
  ASSERT_TRUE(loaded.ok());
  EXPECT_THAT(describe(loaded), AllOf(Not(HasSubstr(key)), Not(HasSubstr("hush")),
                                      HasSubstr("trust.master_key = \"(set)\"")));
  auto wrong = run({"--trust.master_key", "plain-key"});
  std::ostringstream out;
  print(out, wrong.errors);
  EXPECT_THAT(out.str(), Not(HasSubstr("plain-key")));
}

TEST_F(load_config, relations_between_settings_are_checked) {
  EXPECT_THAT(lines(run_file("[lease]\nttl_ms = 1500\n")),
              ElementsAre(AllOf(HasSubstr("rahatd.toml:2: lease.ttl_ms"), HasSubstr("1500"))));
  EXPECT_TRUE(run_file("[lease]\nttl_ms = 1501\n").ok());
  EXPECT_THAT(lines(run_file("[http]\npublic_port = 9090\n")),
              ElementsAre(HasSubstr("http.internal_port")));
  EXPECT_TRUE(run_file("[http]\npublic_port = 0\ninternal_port = 0\n").ok());
  EXPECT_THAT(lines(run_file("[persistence]\nqueue_bytes = \"64KiB\"\n")),
              ElementsAre(HasSubstr("persistence.batch_bytes")));
  EXPECT_THAT(lines(run_file("[database]\nadmin_url = \"postgresql://o@db/r\"\n")),
              ElementsAre(HasSubstr("needs database.url")));
  EXPECT_THAT(lines(run_file("[node]\nname = \"a b\"\n")), ElementsAre(HasSubstr("node.name")));
}

TEST_F(load_config, the_data_folder_follows_the_user) {
  auto loaded = run_file("", {{"XDG_STATE_HOME", "/xdg"}});
  EXPECT_EQ(loaded.values.node.data_dir, geteuid() == 0 ? "/var/lib/rahat" : "/xdg/rahat");
  EXPECT_EQ(run_file("[node]\ndata_dir = \"/srv/a/../b/\"\n").values.node.data_dir, "/srv/b");
  EXPECT_TRUE(run({"--node.data_dir", "here"}).values.node.data_dir.starts_with("/"));
}

TEST_F(load_config, other_rahat_variables_are_not_ours) {
  EXPECT_TRUE(run_file("", {{"RAHAT_TOKEN", "x"}, {"RAHAT_SERVICE_HOST", "10.0.0.1"}}).ok());
  EXPECT_THAT(lines(run_file("", {{"RAHAT_LOG_LEVLE", "info"}})),
              ElementsAre(HasSubstr("did you mean RAHAT_LOG_LEVEL?")));
}

TEST_F(load_config, listeners_want_numeric_addresses) {
  for (auto* name : {"http.public_host", "http.internal_host"}) {
    EXPECT_THAT(lines(run({std::string{"--"} + name, "localhost"})),
                ElementsAre(AllOf(HasSubstr(name), HasSubstr("numeric address"))));
    for (auto* good : {"0.0.0.0", "::1", "::", "fe80::1%eth0"})
      EXPECT_TRUE(run({std::string{"--"} + name, good}).ok()) << good;
  }
  EXPECT_THAT(lines(run({"--cluster.host", "db.example", "--cluster.insecure", "true",
                         "--database.url", "host=/run/postgresql dbname=rahat"})),
              ElementsAre(AllOf(HasSubstr("cluster.host"), HasSubstr("numeric address"))));
}

TEST_F(load_config, certificates_have_to_be_there) {
  auto with_key = [&](const std::string& key) {
    return run({"--cluster.host", "127.0.0.1", "--database.url", "dbname=rahat",
                "--cluster.certificate", put("node.pem", "x"), "--cluster.key", key, "--cluster.ca",
                put("ca.pem", "x")});
  };
  EXPECT_TRUE(with_key(put("node.key", "x")).ok());
  EXPECT_THAT(lines(with_key("/does/not/exist")),
              ElementsAre(AllOf(HasSubstr("cluster.key"), HasSubstr("/does/not/exist"),
                                HasSubstr("No such file"))));
}

TEST_F(load_config, what_is_wrong_between_settings_is_told_beside_other_mistakes) {
  auto loaded = run({"--http.public_host", "localhost", "--log.level", "loud", "--node.name", "a b",
                     "--lease.ttl_ms", "1000"});
  EXPECT_THAT(lines(loaded),
              testing::UnorderedElementsAre(HasSubstr("http.public_host"), HasSubstr("log.level"),
                                            HasSubstr("node.name"), HasSubstr("lease.ttl_ms")));
}

TEST_F(load_config, a_rule_whose_own_settings_could_not_be_read_says_nothing) {
  EXPECT_THAT(lines(run({"--lease.ttl_ms", "1000", "--lease.renew_ms", "soon"})),
              ElementsAre(HasSubstr("lease.renew_ms: must be")));
  EXPECT_THAT(lines(run_file("[cluster]\nhost = \"127.0.0.1\"\ninsecure = true\n"
                             "[database]\nurll = \"dbname=rahat\"\n")),
              ElementsAre(HasSubstr("did you mean database.url?")));
  EXPECT_THAT(lines(run({"--config", (dir_ / "absent.toml").string(), "--node.name", "a b"})),
              ElementsAre(HasSubstr("cannot be read")));
}

TEST_F(load_config, help_version_and_check_config) {
  auto help = run({"--help"});
  ASSERT_TRUE(help.message);
  EXPECT_THAT(*help.message, AllOf(HasSubstr("--http.public_port"), HasSubstr("--check-config"),
                                   HasSubstr("--config"), HasSubstr("8080")));
  ASSERT_TRUE(run({"--version"}).message);
  EXPECT_THAT(*run({"--version"}).message, HasSubstr("rahatd "));
  EXPECT_TRUE(run({"--check-config"}).check_only);
  EXPECT_TRUE(run({"--check-config"}).ok());
  EXPECT_THAT(lines(run({"serve"})), ElementsAre(HasSubstr("'serve' is no flag")));
  EXPECT_THAT(lines(run({"--http.public_port"})), ElementsAre(HasSubstr("--http.public_port")));
}

} // namespace
