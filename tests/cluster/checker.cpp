#include "tests/cluster/checker.hpp"

#include "tests/e2e/ledger.hpp"
#include "tests/e2e/office.hpp"

namespace rahat::test {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t askers = 4;
constexpr std::size_t max_faults = 20;
constexpr auto audit_limit = 300s;
constexpr std::string_view project_path = "/v2/projects/";
constexpr std::string_view funding_end = "/fundings";
constexpr std::size_t uuid_length = 36;

void append(std::vector<std::string>& to, std::vector<std::string> more) {
  to.insert(to.end(), more.begin(), more.end());
}

/// One answer of the internal listener of a node.
json::value internal(const node_process& node, const std::string& path) {
  return parse(http_send(node.internal_port(), "GET", path,
                         {{"Authorization", "Bearer " + node.admin_token()}}, {}, audit_limit));
}

} // namespace

std::vector<std::string> checker::one_outcome_a_key() const {
  const auto all = book.all();
  std::vector<std::vector<std::string>> found(askers);
  std::vector<std::thread> threads;
  std::atomic<std::size_t> next{0};
  for (std::size_t t = 0; t < askers; ++t)
    threads.emplace_back([&, t] {
      client again{cluster, who.maker, book, t};
      for (std::size_t i = next++; i < all.size(); i = next++) {
        const auto& first = all[i];
        if (first.status != 0 && !first.accepted())
          continue; // a refusal may become an acceptance: it has changed nothing
        const auto now = again.repeat(first, 60s);
        const bool same = first.accepted() ? now.status == first.status && now.body == first.answer
                                           : now.ok(); // it was given up
        if (!same && found[t].size() < max_faults)
          found[t].push_back("key " + first.key + " of " + first.path + ": first " +
                             std::to_string(first.status) + " " + first.answer + ", now " +
                             std::to_string(now.status) + " " + now.body + now.fault);
      }
    });
  for (auto& one : threads)
    one.join();
  std::vector<std::string> out;
  for (auto& some : found)
    append(out, some);
  return out;
}

std::vector<std::string> checker::fundings_once() const {
  struct due {
    std::int64_t sum = 0, count = 0;
    auto operator<=>(const due&) const = default;
  };
  std::map<std::string, due> projects;
  for (const auto& r : book.all())
    if (r.path.ends_with(funding_end)) {
      auto& one = projects[r.path.substr(project_path.size(), uuid_length)];
      one.sum += r.amount_minor;
      ++one.count;
    }
  std::vector<std::string> out;
  ledger books{cluster.owner_conninfo()};
  client reader{cluster, who.reader, book, 77};
  for (const auto& [id, one] : projects) {
    const auto shown = number(parse(reader.get(std::string{project_path} + id)), "funded_minor");
    const auto moved = " FROM transfer t JOIN account a ON a.first = t.debit AND a.owner = '" + id +
                       "' AND a.role = 'outside'";
    const due booked{books.number("SELECT coalesce(sum(t.amount_minor), 0)" + moved),
                     books.number("SELECT count(*)" + moved)};
    if (shown != one.sum || booked != one)
      out.push_back("project " + id + " was given " + std::to_string(one.sum) + " in " +
                    std::to_string(one.count) + " fundings, shows " + std::to_string(shown) +
                    " and has " + std::to_string(booked.sum) + " in " +
                    std::to_string(booked.count) + " transfers");
  }
  return out;
}

std::vector<std::string> checker::lines_once(const payments& paid) const {
  std::vector<std::string> out;
  ledger books{cluster.owner_conninfo()};
  const auto lines = static_cast<std::int64_t>(paid.lines());
  for (const auto& list : paid.lists()) {
    const auto of_list = " FROM transfer WHERE purpose = '" + list + "'";
    const auto transfers = books.number("SELECT count(*)" + of_list);
    const auto wallets = books.number("SELECT count(DISTINCT credit)" + of_list);
    if (transfers != lines || wallets != lines)
      out.push_back("list " + list + " has " + std::to_string(transfers) + " transfers to " +
                    std::to_string(wallets) + " wallets instead of " + std::to_string(lines));
    append(out, books.wrong_lines(list));
  }
  const auto due = static_cast<std::int64_t>(paid.lists().size()) * register_sum(paid.lines());
  const auto held = books.number(
      "SELECT coalesce(sum(amount_minor), 0)::bigint FROM owned_total WHERE kind = 'batch'");
  if (held != due)
    out.push_back("all wallets hold " + std::to_string(held) + " and not " + std::to_string(due));
  return out;
}

std::vector<std::string> checker::books_and_chain() const {
  std::vector<std::string> out;
  ledger books{cluster.owner_conninfo()};
  eventually([&] { return books.wrong_books().empty(); });
  append(out, books.wrong_books());
  append(out, books.broken_links());
  if (const auto parked = books.number("SELECT count(*) FROM parked"); parked != 0)
    out.push_back(std::to_string(parked) + " entities are parked");
  const auto& node = cluster.node(0);
  const auto chain = internal(node, "/internal/v1/audit/verify");
  if (chain.at("ok") != json::value(true))
    out.push_back("audit verify: " + json::serialize(chain));
  const auto recount = internal(node, "/internal/v1/books?recount=true");
  if (number(recount, "imbalance_minor") != 0)
    out.push_back("recount: " + json::serialize(recount));
  return out;
}

std::vector<std::string> checker::everything(const payments* paid) const {
  auto out = one_outcome_a_key(); // first: it also settles what was given up
  append(out, fundings_once());
  if (paid != nullptr)
    append(out, lines_once(*paid));
  append(out, books_and_chain());
  return out;
}

} // namespace rahat::test
