#include "persistence/chain/chain.hpp"

#include "persistence/chain/mark_scan.hpp"

#include <cstring>
#include <stdexcept>

namespace rahat::chain {

namespace {

constexpr std::size_t currency_bytes = 3;

/// Bytes in the frozen layout. One buffer a thread, reused, so that a link allocates nothing.
class layout {
public:
  layout() : out_(buffer()) { out_.clear(); }

  layout& bytes(std::string_view v) {
    out_.append(v);
    return *this;
  }

  layout& text(std::string_view v) {
    number(v.size(), 4);
    return bytes(v);
  }

  /// Exactly `size` bytes: anything of another length counts as zeros.
  layout& fixed(std::string_view v, std::size_t size) {
    if (v.size() == size)
      out_.append(v);
    else
      out_.append(size, '\0');
    return *this;
  }

  layout& number(std::uint64_t v, int size) {
    for (int shift = (size - 1) * 8; shift >= 0; shift -= 8)
      out_ += static_cast<char>(v >> shift);
    return *this;
  }

  layout& id(const uuid& v) {
    return bytes({reinterpret_cast<const char*>(v.bytes.data()), v.bytes.size()});
  }

  digest hash() const { return sha256(out_); }

private:
  static std::string& buffer() {
    thread_local std::string instance;
    return instance;
  }

  std::string& out_;
};

void lay(layout& out, const wire::TransferMark& mark) {
  auto currency = mark.currency().substr(0, currency_bytes);
  currency.resize(currency_bytes, '\0');
  out.fixed(mark.purpose(), 16).fixed(mark.debit_account(), 16).bytes(currency);
  out.number(mark.first_line(), 4).number(mark.last_line(), 4).number(mark.count(), 4);
  out.number(static_cast<std::uint64_t>(mark.sum_minor()), 8).fixed(mark.digest(), 32);
  out.text(mark.credit_owner().kind()).fixed(mark.credit_owner().id(), 16);
}

} // namespace

digest transfers_digest(std::string_view payload) {
  static const digest of_nothing = sha256({});
  mark_scan scan{payload};
  wire::TransferMark mark;
  if (!scan.next(mark))
    return of_nothing;
  layout out;
  do
    lay(out, mark);
  while (scan.next(mark));
  return out.hash();
}

digest next(const digest& previous, const link& row) {
  const auto payload = sha256(row.payload);
  const auto transfers = transfers_digest(row.payload); // before `out`: they share the buffer
  layout out;
  out.bytes(view(previous)).bytes(label).number(row.shard, 2).number(row.position, 8);
  out.number(row.epoch, 8).text(row.kind).id(row.entity).number(row.seq, 8).text(row.type);
  out.number(static_cast<std::uint64_t>(row.at_us), 8).text(row.principal);
  out.bytes(view(payload)).bytes(view(transfers));
  return out.hash();
}

digest next(const digest& previous, const journal_row& row) {
  return next(previous, link{row.shard, row.position, row.epoch, row.entity.kind, row.entity.id,
                             row.seq, row.type, row.at_us, row.principal, row.payload});
}

digest next(const digest& previous, const commit& c, std::uint64_t position, std::uint64_t epoch) {
  return next(previous, link{c.shard, position, epoch, c.entity.kind, c.entity.id, c.seq, c.type,
                             c.at_us, c.principal, c.payload});
}

digest to_digest(std::string_view raw) {
  digest out;
  if (raw.size() != out.size())
    throw std::invalid_argument("a chain hash has " + std::to_string(raw.size()) +
                                " bytes instead of 32: the shard's row is damaged");
  std::memcpy(out.data(), raw.data(), out.size());
  return out;
}

} // namespace rahat::chain
