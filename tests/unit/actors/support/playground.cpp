#include "tests/unit/actors/support/playground.hpp"

#include "tests/unit/actors/support/describe.hpp"

namespace rahat::testing {

namespace {

/// The rows of a list of (ordinal, person) whose person stands in an earlier one.
template <class Row, class Ordinal>
void add_duplicates(wire::Feed& out, const std::vector<Row>& rows, std::uint32_t limit,
                    Ordinal fill) {
  std::set<uuid> seen;
  for (auto& row : rows) {
    if (seen.insert(row.person).second)
      continue;
    out.set_total(out.total() + 1);
    if (out.total() <= limit)
      fill(*out.add_rows(), row);
  }
}

} // namespace

playground::entity& playground::at(const entity_ref& ref) {
  auto [found, is_new] = entities_.try_emplace(ref);
  if (auto kind = kinds_.find(ref.kind); is_new && kind != kinds_.end())
    found->second.state = kind->second->create();
  return found->second;
}

context playground::context_for(const entity_ref& self) const {
  context ctx;
  ctx.self = self;
  ctx.who = {self.str(), "entity"};
  ctx.now_us = now_us_;
  return ctx;
}

reply playground::ask(const entity_ref& to, const google::protobuf::Message& command, principal who,
                      std::optional<uuid> request) {
  if (!request) {
    request = next_request();
    ++requests_;
  }
  last_request_ = *request;
  auto& e = at(to);
  must_hold(e.state != nullptr, "a mute entity was asked");
  if (auto known = e.replies.find(*request); known != e.replies.end())
    return known->second;
  auto ctx = context_for(to);
  ctx.who = std::move(who);
  ctx.request_id = *request;
  auto made = e.state->decide(command.SerializeAsString(), ctx);
  reply out;
  if (auto* refused = std::get_if<error>(&made)) {
    out.refusal = *refused;
    return out;
  }
  auto& d = std::get<decision>(made);
  out.refusal = d.refusal();
  out.pending = d.postponed();
  if (out.ok()) {
    out.status = d.http_status();
    out.answer = d.own_answer().value_or("");
  }
  e.replies[*request] = out;
  apply(to, e, d, ctx);
  return e.replies[*request];
}

reply playground::reply_to(const entity_ref& entity, const uuid& request) const {
  return entities_.at(entity).replies.at(request);
}

void playground::tell(const entity_ref& from, const entity_ref& to,
                      const google::protobuf::Message& m) {
  must_hold(at(from).state == nullptr, "only a mute entity is spoken for");
  letter l;
  l.message = m.SerializeAsString();
  mail_[{from, to}].push_back(std::move(l));
}

void playground::pay(const entity_ref& from, transfer t) {
  must_hold(at(from).state == nullptr, "only a mute entity is spoken for");
  post(from, t, 0, true);
  send_credit(from, t);
  check_books(from);
}

void playground::pay_chunk(const entity_ref& from, const line_payment& payment,
                           const google::protobuf::Message& notice) {
  must_hold(at(from).state == nullptr, "only a mute entity is spoken for");
  pay_lines(from, payment);
  letter l;
  l.message = notice.SerializeAsString();
  l.money_minor = payment.sum_minor;
  l.currency = payment.currency;
  mail_[{from, payment.credit_owner}].push_back(std::move(l));
  check_books(from);
}

void playground::apply(const entity_ref& self, entity& e, const decision& d, const context&) {
  for (auto& event : d.events()) {
    e.state->evolve(event.bytes);
    e.events.push_back(event.bytes);
  }
  if (!d.empty())
    e.waits = false;
  for (auto& range : d.accounts())
    open(range);
  for (auto& rows : d.lines())
    for (auto& row : rows.rows)
      must_hold(lines_[rows.disbursement].emplace(row.no, row).second, "a line was made twice");
  for (auto& staged : d.staged()) {
    auto& rows = rows_[staged.upload];
    for (auto& row : staged.rows) {
      must_hold(row.ordinal == rows.size(), "ordinals are not dense");
      rows.push_back(row);
    }
    auto& errors = errors_[staged.upload];
    errors.insert(errors.end(), staged.errors.begin(), staged.errors.end());
  }
  for (auto& t : d.transfers())
    post(self, t, 0, false);
  for (auto& payment : d.payments())
    pay_lines(self, payment);
  // Whether a commit's credits or its messages go first is nobody's business.
  bool credits_first = random_() % 2 == 0;
  for (int round = 0; round < 2; ++round)
    if ((round == 0) == credits_first) {
      for (auto& t : d.transfers())
        if (t.credit_owner != self)
          send_credit(self, t);
    } else {
      for (auto& told : d.told()) {
        case_of(told.to.kind, told.bytes); // readable by its target
        letter l;
        l.message = told.bytes;
        mail_[{self, told.to}].push_back(std::move(l));
      }
    }
  for (auto& payment : d.payments()) {
    // The notice of a paid chunk is the message that names it, not a credit a line.
    auto& way = mail_[{self, payment.credit_owner}];
    must_hold(!way.empty() && !way.back().is_credit, "a paid chunk was told to nobody");
    way.back().money_minor = payment.sum_minor;
    way.back().currency = payment.currency;
  }
  for (auto& [name, due_us] : d.timers())
    if (due_us == 0)
      e.timers.erase(name);
    else
      e.timers[name] = due_us;
  for (auto& entry : d.published())
    published_.push_back(entry);
  answer_late(e, d);
  check_books(self);
}

void playground::answer_late(entity& e, const decision& d) {
  for (auto& late : d.late_answers()) {
    auto found = e.replies.find(late.request);
    must_hold(found != e.replies.end() && found->second.pending, "nobody waits for this answer");
    found->second = {false, late.http_status, late.answer, late.refusal};
  }
}

void playground::open(const account_range& range) {
  // All but wallets are single accounts; wallets count up in their last four bytes.
  auto next = range.first;
  for (int guard = 0; guard < 10'001; ++guard) {
    auto& opened = accounts_[next];
    must_hold(opened.role.empty(), "an account was opened twice");
    opened.role = range.role;
    if (next == range.last)
      return;
    for (int i = 15; i >= 12 && ++next.bytes[i] == 0; --i) {
    }
  }
  must_hold(false, "a range of accounts has no end");
}

void playground::post(const entity_ref& self, const transfer& t, std::uint32_t line,
                      bool may_overdraw) {
  must_hold(transfer_keys_.emplace(t.purpose, line).second, "a transfer was made twice");
  auto& from = accounts_[t.debit];
  auto& left = from.balances[t.currency] -= t.amount_minor;
  accounts_[t.credit].balances[t.currency] += t.amount_minor;
  must_hold(may_overdraw || from.role == "outside" || left >= 0, "an account was overdrawn");
  posted_[{self, t.currency}] -= t.amount_minor;
  posted_[{t.credit_owner, t.currency}] += t.amount_minor;
}

void playground::pay_lines(const entity_ref& self, const line_payment& payment) {
  std::vector<line_row> rows;
  std::int64_t sum = 0;
  for (auto& [no, row] : lines_[payment.disbursement])
    if (no >= payment.first && no <= payment.last) {
      rows.push_back(row);
      sum += row.amount_minor;
    }
  must_hold(rows.size() == payment.count && sum == payment.sum_minor &&
                digest_of(rows) == payment.lines_digest,
            "the lines are not those that were locked");
  for (auto& row : rows) {
    transfer t;
    t.purpose = payment.disbursement;
    t.debit = payment.debit;
    t.credit = row.wallet;
    t.amount_minor = row.amount_minor;
    t.currency = payment.currency;
    t.credit_owner = payment.credit_owner;
    post(self, t, row.no, false);
  }
  on_its_way_[{payment.credit_owner, payment.currency}] += sum;
  everything_[payment.currency] += sum;
}

void playground::send_credit(const entity_ref& self, const transfer& t) {
  letter l;
  l.is_credit = true;
  l.money_minor = t.amount_minor;
  l.currency = t.currency;
  l.credit.set_purpose(t.purpose.raw());
  l.credit.set_debit_account(t.debit.raw());
  l.credit.set_credit_account(t.credit.raw());
  l.credit.set_amount_minor(t.amount_minor);
  l.credit.set_currency(t.currency);
  assign(*l.credit.mutable_from(), self);
  l.credit.set_why(t.why);
  l.credit.set_reference(t.reference);
  mail_[{self, t.credit_owner}].push_back(std::move(l));
  on_its_way_[{t.credit_owner, t.currency}] += t.amount_minor;
  everything_[t.currency] += t.amount_minor;
}

void playground::deliver(const pair& way) {
  auto& queue = mail_.at(way);
  auto l = std::move(queue.front());
  queue.pop_front();
  auto& e = at(way.second);
  if (l.money_minor != 0) {
    on_its_way_[{way.second, l.currency}] -= l.money_minor;
    everything_[l.currency] -= l.money_minor;
  }
  if (e.state == nullptr) {
    if (l.is_credit)
      e.credits.push_back(std::move(l.credit));
    else
      e.mail.push_back(std::move(l.message));
    check_books(way.second);
    return;
  }
  auto ctx = context_for(way.second);
  ctx.source = way.first;
  ctx.who = {way.first.str(), "entity"};
  e.waits = false;
  apply(way.second, e,
        l.is_credit ? e.state->credited(l.credit, ctx) : e.state->told(l.message, ctx), ctx);
}

void playground::work(const entity_ref& self, entity& e) {
  auto ctx = context_for(self);
  wire::Feed rows;
  if (auto wanted = e.state->feed_for()) {
    rows = feed(*wanted);
    ctx.feed = &rows;
  }
  auto d = e.state->proceed(ctx);
  e.waits = d.empty();
  apply(self, e, d, ctx);
}

bool playground::step() {
  std::vector<std::function<void()>> choices;
  for (auto& [way, queue] : mail_)
    if (!queue.empty() && !held_.contains(way))
      choices.push_back([this, way = way] { deliver(way); });
  for (auto& [ref, e] : entities_)
    if (e.state != nullptr && !e.waits && e.state->has_work())
      choices.push_back([this, ref = ref, &e = e] { work(ref, e); });
  if (choices.empty())
    return false;
  choices[random_() % choices.size()]();
  return true;
}

std::size_t playground::run(std::size_t most) {
  std::size_t steps = 0;
  while (step())
    must_hold(++steps < most, "the playground does not come to rest");
  return steps;
}

void playground::hold(const entity_ref& source, const entity_ref& target) {
  held_.emplace(source, target);
}

void playground::release() {
  held_.clear();
}

void playground::advance(std::int64_t by_us) {
  now_us_ += by_us;
  for (auto& [ref, e] : entities_) {
    std::vector<std::string> due;
    for (auto& [name, due_us] : e.timers)
      if (due_us <= now_us_)
        due.push_back(name);
    for (auto& name : due) {
      e.timers.erase(name);
      auto ctx = context_for(ref);
      e.waits = false;
      apply(ref, e, e.state->fired(name, ctx), ctx);
    }
  }
}

void playground::check_books(const entity_ref& owner) {
  auto& e = at(owner);
  std::map<std::string, std::int64_t> now;
  if (e.state != nullptr) {
    for (auto& total : e.state->totals())
      now[total.currency] += total.amount_minor;
  } else {
    for (auto& [key, minor] : posted_)
      if (key.first == owner)
        now[key.second] = minor - on_its_way_[key];
  }
  for (auto& [currency, minor] : e.totals)
    now.try_emplace(currency, 0);
  for (auto& [currency, minor] : now) {
    everything_[currency] += minor - e.totals[currency];
    auto known = minor + on_its_way_[{owner, currency}];
    must_hold(known == posted_[{owner, currency}],
              "an owner's known balance and its transfers differ");
  }
  e.totals = std::move(now);
  for (auto& [currency, minor] : everything_)
    must_hold(minor == 0, "money was made or lost");
}

std::vector<std::string> playground::mail_of(const entity_ref& mute) const {
  auto found = entities_.find(mute);
  return found == entities_.end() ? std::vector<std::string>{} : found->second.mail;
}

std::vector<wire::Credit> playground::credits_of(const entity_ref& mute) const {
  auto found = entities_.find(mute);
  return found == entities_.end() ? std::vector<wire::Credit>{} : found->second.credits;
}

std::int64_t playground::balance(const uuid& account, const std::string& currency) const {
  auto found = accounts_.find(account);
  if (found == accounts_.end() || !found->second.balances.contains(currency))
    return 0;
  return found->second.balances.at(currency);
}

bool playground::is_open(const uuid& account) const {
  auto found = accounts_.find(account);
  return found != accounts_.end() && !found->second.role.empty();
}

std::size_t playground::mail_on_its_way() const {
  std::size_t n = 0;
  for (auto& [way, queue] : mail_)
    n += queue.size();
  return n;
}

const std::vector<std::string>& playground::events_of(const entity_ref& entity) const {
  static const std::vector<std::string> none;
  auto found = entities_.find(entity);
  return found == entities_.end() ? none : found->second.events;
}

std::vector<line_row> playground::lines_of(const uuid& list) const {
  std::vector<line_row> out;
  if (auto found = lines_.find(list); found != lines_.end())
    for (auto& [no, row] : found->second)
      out.push_back(row);
  return out;
}

void playground::check_replay() const {
  for (auto& [ref, e] : entities_) {
    if (e.state == nullptr)
      continue;
    auto again = kinds_.at(ref.kind)->create();
    for (auto& event : e.events)
      again->evolve(event);
    must_hold(again->save() == e.state->save(), "the events do not give the state again");
    auto loaded = kinds_.at(ref.kind)->create();
    loaded->load(e.state->save());
    must_hold(loaded->save() == e.state->save(), "a saved state does not load");
  }
}

wire::Feed playground::feed(const feed_request& what) const {
  wire::Feed out;
  if (what.kind == feed_request::what::line_duplicates) {
    add_duplicates(out, lines_of(what.id), what.limit, [](auto& to, const line_row& line) {
      to.set_ordinal(line.no);
      to.set_person(line.person.raw());
      to.set_amount_minor(line.amount_minor);
    });
    return out;
  }
  auto fill = [](auto& to, const staged_row& row) {
    to.set_ordinal(row.ordinal);
    to.set_person(row.person.raw());
    to.set_amount_minor(row.amount_minor);
    to.set_row(row.row);
  };
  auto found = rows_.find(what.id);
  if (found == rows_.end())
    return out;
  if (what.kind == feed_request::what::upload_duplicates) {
    add_duplicates(out, found->second, what.limit, fill);
    return out;
  }
  for (auto& row : found->second)
    if (row.ordinal >= what.first && row.ordinal <= what.last) {
      out.set_total(out.total() + 1);
      if (out.total() <= what.limit)
        fill(*out.add_rows(), row);
    }
  return out;
}

} // namespace rahat::testing
