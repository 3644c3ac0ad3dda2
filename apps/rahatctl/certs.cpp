#include "apps/rahatctl/commands.hpp"
#include "apps/rahatctl/context.hpp"
#include "apps/rahatctl/output.hpp"
#include "runtime/ports/clock.hpp"
#include "runtime/trust/node_certificate.hpp"
#include "runtime/trust/pem_file.hpp"

#include <CLI/CLI.hpp>

#include <ctime>
#include <filesystem>

namespace rahat::ctl {

namespace fs = std::filesystem;

namespace {

constexpr std::int64_t second_us = 1'000'000;
constexpr std::int64_t day_s = 86'400;
constexpr std::size_t name_digits = 8;

struct arguments {
  std::string dir = "certs";
  std::string name;
  std::string node;
  std::string out;
  std::string file;
  int days = 0;
  bool force = false;
};

std::int64_t now_us() {
  return system_clock_port{}.now_us();
}

std::string time_of(std::int64_t at_s) {
  auto at = static_cast<std::time_t>(at_s);
  std::tm utc{};
  char text[32];
  ::gmtime_r(&at, &utc);
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc)};
}

boost::json::object fields_of(const certificate_facts& facts) {
  auto now_s = now_us() / second_us;
  boost::json::object out{{"name", facts.name}, {"issuer", facts.issuer}};
  out["node"] = facts.node ? boost::json::value(facts.node->str()) : nullptr;
  out["authority"] = facts.authority;
  out["key"] = facts.key;
  out["valid_from"] = time_of(facts.valid_from_s);
  out["valid_until"] = time_of(facts.valid_until_s);
  out["days_left"] = facts.valid_until_s > now_s ? (facts.valid_until_s - now_s) / day_s : 0;
  out["expired"] = facts.valid_until_s < now_s;
  out["serial"] = facts.serial;
  out["fingerprint_sha256"] = facts.fingerprint;
  return out;
}

void tell(context& ctx, const boost::json::object& fields) {
  if (ctx.json)
    ctx.out << boost::json::serialize(fields) << '\n';
  else
    print_fields(ctx.out, fields);
}

key_pair_files authority_files(const std::string& dir) {
  return {dir + "/ca.pem", dir + "/ca.key"};
}

/// Writes what was made and says where and what it is.
int keep(context& ctx, const key_pair_result& made, const key_pair_files& to, bool force) {
  if (auto* why = std::get_if<error>(&made))
    return ctx.fail(why->message);
  const auto& pair = std::get<key_pair>(made);
  if (auto why = write_key_pair(pair, to, force))
    return ctx.fail(why->message);
  auto facts = std::get<certificate_facts>(read_certificate(pair.certificate));
  boost::json::object fields{{"certificate_file", to.certificate}, {"key_file", to.key}};
  for (const auto& f : fields_of(facts))
    fields.insert(f);
  tell(ctx, fields);
  return exit_ok;
}

int init(context& ctx, const arguments& given) {
  std::error_code failed;
  fs::create_directories(given.dir, failed);
  if (failed)
    return ctx.fail("cannot make the folder " + given.dir + ": " + failed.message());
  system_random dice;
  std::string mark(name_digits / 2, '\0');
  dice.fill(mark.data(), mark.size());
  auto name = given.name.empty() ? "rahat cluster authority " + hex(mark) : given.name;
  auto code = keep(ctx, make_authority(name, {given.days, now_us()}, dice),
                   authority_files(given.dir), given.force);
  if (code == exit_ok && !ctx.json)
    ctx.err << "Whoever holds the key can make nodes of this cluster: keep it off the nodes. Every "
               "node needs the certificate (cluster.ca).\n";
  return code;
}

int node(context& ctx, const arguments& given) {
  auto id = uuid::parse(given.node); // checked by the flag
  auto authority = read_key_pair(authority_files(given.dir));
  if (auto* why = std::get_if<error>(&authority))
    return ctx.fail(why->message + "; rahatctl certs init makes an authority");
  auto base = given.out.empty() ? given.dir + "/node-" + id->str() : given.out;
  system_random dice;
  return keep(
      ctx, make_node_certificate(std::get<key_pair>(authority), *id, {given.days, now_us()}, dice),
      {base + ".pem", base + ".key"}, given.force);
}

int show(context& ctx, const arguments& given) {
  auto text = read_pem_file(given.file, false);
  if (auto* why = std::get_if<error>(&text))
    return ctx.fail(why->message);
  auto facts = read_certificate(std::get<std::string>(text));
  if (auto* why = std::get_if<error>(&facts))
    return ctx.fail(given.file + ": " + why->message);
  auto fields = fields_of(std::get<certificate_facts>(facts));
  tell(ctx, fields);
  return fields["expired"].as_bool() ? ctx.fail(given.file + " has expired: make a new one")
                                     : exit_ok;
}

std::string check_node(const std::string& text) {
  auto id = uuid::parse(text);
  return id && !id->is_nil()
             ? ""
             : "must be a node's UUID: 8-4-4-4-12 hex digits, as in <data>/node.uuid";
}

void add_making_flags(CLI::App* command, arguments& given, int days) {
  given.days = days;
  command->add_option("--dir", given.dir, "The authority's folder: ca.pem and ca.key")
      ->capture_default_str();
  command->add_option("--days", given.days, "How long it is valid")
      ->check(CLI::Range(1, max_certificate_days))
      ->capture_default_str();
  command->add_flag("--force", given.force, "Replace files that are there");
}

void add_init(CLI::App* certs, context& ctx) {
  auto given = std::make_shared<arguments>();
  auto* command = certs->add_subcommand("init", "Make an authority that signs nodes only.");
  add_making_flags(command, *given, authority_days);
  command->add_option("--name", given->name, "Its name [one with random digits]");
  command->footer(
      "Examples:\n"
      "  rahatctl certs init --dir certs\n"
      "  rahatctl certs init --dir certs --name 'relief cluster 2026'\n"
      "Writes ca.pem and ca.key (mode 0600). With --force the certificates of the authority that "
      "was\n"
      "there are worth nothing any more.");
  command->callback([&ctx, given] { ctx.exit_code = init(ctx, *given); });
}

void add_node(CLI::App* certs, context& ctx) {
  auto given = std::make_shared<arguments>();
  auto* command = certs->add_subcommand("node", "Make a node's key and certificate.");
  add_making_flags(command, *given, node_certificate_days);
  command->add_option("--node", given->node, "The node's UUID, as in its <data>/node.uuid")
      ->required()
      ->check(check_node);
  command->add_option("--out", given->out,
                      "Files to write, without their endings [<dir>/node-<uuid>]");
  command->footer(
      "Examples:\n"
      "  rahatctl certs node --dir certs --node \"$(cat /var/lib/rahat/node.uuid)\"\n"
      "  rahatctl certs node --dir certs --node 5f0c3b1e-8a52-4d0f-9c31-2f6d1a7be001 --out "
      "certs/node-1\n"
      "Writes .pem and .key (mode 0600): the node's cluster.certificate and cluster.key.");
  command->callback([&ctx, given] { ctx.exit_code = node(ctx, *given); });
}

void add_show(CLI::App* certs, context& ctx) {
  auto given = std::make_shared<arguments>();
  auto* command = certs->add_subcommand("show", "Say what a certificate is, and how long.");
  command->add_option("file", given->file, "A certificate (.pem)")->required();
  command->footer(
      "Examples:\n"
      "  rahatctl certs show certs/ca.pem\n"
      "  rahatctl certs show certs/node-1.pem --json | jq .days_left\n"
      "Exits with 1 if it has expired. Checks no signature.");
  command->callback([&ctx, given] { ctx.exit_code = show(ctx, *given); });
}

} // namespace

void add_certs(CLI::App& app, context& ctx) {
  auto* certs = app.add_subcommand("certs", "Certificates that nodes know each other by.");
  certs->require_subcommand(1);
  certs->footer(
      "Examples:\n"
      "  rahatctl certs init --dir certs\n"
      "  rahatctl certs node --dir certs --node 5f0c3b1e-8a52-4d0f-9c31-2f6d1a7be001\n"
      "  rahatctl certs show certs/ca.pem");
  add_init(certs, ctx);
  add_node(certs, ctx);
  add_show(certs, ctx);
}

} // namespace rahat::ctl
