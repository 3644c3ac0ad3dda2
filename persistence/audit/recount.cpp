#include "persistence/audit/recount.hpp"

#include "persistence/audit/session.hpp"
#include "persistence/postgres/decode.hpp"

#include <cstdlib>
#include <optional>
#include <string>

namespace rahat::audit {

namespace {

/// The end of the page that begins behind a key; the last page has none.
constexpr const char* bound_sql =
    "SELECT purpose, line FROM transfer WHERE (purpose, line) > ($1::uuid, $2::int)"
    " ORDER BY purpose, line OFFSET $3::bigint - 1 LIMIT 1";

/// One page added up by owner. The second branch is an account that nobody has opened, or in
/// another currency: its owner is null.
constexpr const char* page_sql = R"(
WITH page AS MATERIALIZED (
    SELECT debit, credit, amount_minor, currency FROM transfer
    WHERE (purpose, line) > ($1::uuid, $2::int) AND (purpose, line) <= ($3::uuid, $4::int)),
  per_account AS (
    SELECT account, currency, sum(amount) AS amount, sum(one) AS made, sum(moved) AS moved
    FROM (SELECT credit AS account, currency, amount_minor AS amount, 1 AS one,
                 amount_minor AS moved FROM page
          UNION ALL
          SELECT debit, currency, -amount_minor, 0, 0 FROM page) m
    GROUP BY account, currency)
SELECT a.owner_kind, a.owner, p.currency, sum(p.amount), sum(p.made), sum(p.moved)
FROM per_account p
  LEFT JOIN LATERAL (SELECT owner_kind, owner, last, currency FROM account
                     WHERE first <= p.account ORDER BY first DESC LIMIT 1) a
    ON p.account <= a.last AND a.currency = p.currency
GROUP BY a.owner_kind, a.owner, p.currency)";

struct counted {
  std::map<purse, std::int64_t> sums;
  std::uint64_t transfers = 0;
  std::int64_t moved_minor = 0;

  std::uint64_t add(const pqxx::result& rows) {
    std::uint64_t made = 0;
    for (const auto& r : rows) {
      purse p;
      p.currency = pg::text_of(r[2]);
      if (!r[0].is_null())
        p.owner = {pg::text_of(r[0]), pg::uuid_of(r[1])};
      auto& sum = sums[p];
      sum = add_minor(sum, r[3].as<std::int64_t>());
      made += r[4].as<std::uint64_t>();
      moved_minor = add_minor(moved_minor, r[5].as<std::int64_t>());
    }
    transfers += made;
    return made;
  }
};

counted count_all(pqxx::transaction_base& work, const std::function<void(std::uint64_t)>& wait) {
  constexpr const char* end_purpose = "ffffffff-ffff-ffff-ffff-ffffffffffff";
  constexpr std::int64_t end_line = 2'147'483'647;
  counted out;
  std::string purpose = uuid{}.str();
  std::int64_t line = -2'147'483'647 - 1;
  for (bool more = true; more;) {
    const auto bound =
        work.exec_prepared("recount_bound", purpose, line, audit_limits::recount_page);
    more = !bound.empty();
    const auto to_purpose = more ? pg::text_of(bound[0][0]) : std::string{end_purpose};
    const auto to_line = more ? bound[0][1].as<std::int64_t>() : end_line;
    const auto made =
        out.add(work.exec_prepared("recount_page", purpose, line, to_purpose, to_line));
    purpose = to_purpose;
    line = to_line;
    wait(made);
  }
  return out;
}

books_report report_of(books_basis basis, const counted& all) {
  books_report out;
  out.at_us = basis.at_us;
  out.complete = true;
  out.transfers = all.transfers;
  out.moved_minor = all.moved_minor;
  for (auto& [p, sum] : all.sums)
    basis.purses.try_emplace(p);
  const entity_ref* before = nullptr;
  for (auto& [p, is] : basis.purses) {
    if (before == nullptr || *before != p.owner)
      ++out.owners;
    before = &p.owner;
    const auto found = all.sums.find(p);
    const auto sum = found == all.sums.end() ? 0 : found->second;
    const auto off = add_minor(add_minor(is.known_minor, is.unapplied_minor), -sum);
    if (off == 0)
      continue;
    out.imbalance_minor = add_minor(out.imbalance_minor, std::abs(off));
    if (out.differences.size() < audit_limits::differences)
      out.differences.push_back({p.owner, p.currency, is.known_minor, is.unapplied_minor, sum});
  }
  return out;
}

} // namespace

books_report recount(const audit_options& how, follower& books, std::mutex& lock,
                     const std::function<void(std::uint64_t)>& wait) {
  const auto connection = open_session(how.conninfo);
  connection->prepare("recount_bound", bound_sql);
  connection->prepare("recount_page", page_sql);
  std::optional<one_moment> work;
  books_basis basis;
  {
    std::lock_guard guard{lock};
    basis = books.basis([&](const std::string& snapshot) {
      work.reset();
      work.emplace(*connection);
      work->exec0("SET TRANSACTION SNAPSHOT " + work->quote(snapshot));
    });
  }
  return report_of(std::move(basis), count_all(*work, wait));
}

} // namespace rahat::audit
