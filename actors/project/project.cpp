#include "actors/project/project.hpp"

#include "actors/batch/batch.pb.h"
#include "actors/disbursement/disbursement.pb.h"
#include "actors/project/steps.hpp"
#include "actors/settlement/settlement.pb.h"
#include "actors/shared/suspense.hpp"
#include "actors/shared/text.hpp"
#include "actors/upload/upload.pb.h"
#include "runtime/decider/account.hpp"

#include <algorithm>
#include <set>

namespace rahat {

namespace {

constexpr std::string_view outside_role = "outside";
constexpr std::string_view budget_role = "budget";

// ---- the fact that others are told -----------------------------------------------------------

/// Batches that may still be asked for: the bound less those that have joined or have a place.
std::uint32_t room_of(const project::state& now) {
  auto taken = static_cast<std::uint32_t>(now.batches_size());
  for (auto& places : now.places())
    taken += places.batches();
  constexpr auto most = static_cast<std::uint32_t>(project::max_batches);
  return taken < most ? most - taken : 0;
}

pb::ProjectFact fact_of(const project::state& now, const context& ctx) {
  pb::ProjectFact fact;
  fact.set_project(ctx.self.id.raw());
  fact.set_status(now.status());
  fact.set_currency(now.details().currency());
  fact.set_at_us(ctx.now_us);
  fact.set_outside_account(now.outside_account());
  fact.set_budget_account(now.budget_account());
  fact.set_full(room_of(now) == 0);
  return fact;
}

template <class Message>
void tell_as(decision& d, const entity_ref& to, const pb::ProjectFact& fact) {
  Message news;
  *news.mutable_project() = fact;
  d.tell(to, news);
}

void tell_fact(decision& d, const entity_ref& to, const pb::ProjectFact& fact) {
  if (to.kind == "batch")
    tell_as<pb::BatchMessage>(d, to, fact);
  else if (to.kind == "upload")
    tell_as<pb::UploadMessage>(d, to, fact);
  else if (to.kind == "disbursement")
    tell_as<pb::DisbursementMessage>(d, to, fact);
  else if (to.kind == "settlement")
    tell_as<pb::SettlementMessage>(d, to, fact);
  else
    must_hold(false, "an entity of a kind that knows no projects asked a project");
}

// ---- create ----------------------------------------------------------------------------------

std::optional<error> fault_in(const pb::CreateProject& ask) {
  if (!is_some_text(ask.name(), project::max_name))
    return reject(errc::invalid_input, "give the project a name of 1 to 200 characters", "name");
  if (!is_text(ask.type(), project::max_type))
    return reject(errc::invalid_input, "the type may have at most 100 characters", "type");
  if (!is_text(ask.description(), project::max_description))
    return reject(errc::invalid_input, "the description may have at most 5000 characters",
                  "description");
  if (!is_currency(ask.currency()))
    return reject(errc::invalid_input, "give the currency as an ISO 4217 code such as NPR",
                  "currency");
  auto starts = parse_day(ask.starts_on());
  if (!starts && !ask.starts_on().empty())
    return reject(errc::invalid_input, "write the first day as YYYY-MM-DD", "starts_on");
  auto ends = parse_day(ask.ends_on());
  if (!ends && !ask.ends_on().empty())
    return reject(errc::invalid_input, "write the last day as YYYY-MM-DD", "ends_on");
  if (starts && ends && *ends < *starts)
    return reject(errc::invalid_input, "the last day lies before the first one", "ends_on");
  return std::nullopt;
}

result create(const project::state& now, const pb::CreateProject& ask, const context& ctx) {
  if (now.status() != pb::PROJECT_NONE)
    return reject(errc::already_exists, "this project exists already");
  if (auto fault = fault_in(ask))
    return *fault;

  auto outside = account_of(ctx.self, outside_role, ask.currency());
  auto budget = account_of(ctx.self, budget_role, ask.currency());
  pb::ProjectEvent event;
  auto& created = *event.mutable_created();
  *created.mutable_ask() = ask;
  created.set_outside_account(outside.raw());
  created.set_budget_account(budget.raw());
  created.set_by(ctx.who.user);
  created.set_at_us(ctx.now_us);

  decision d;
  d.record(event);
  d.open_account({outside, outside, ctx.self.id, ask.currency(), std::string(outside_role)});
  d.open_account({budget, budget, ctx.self.id, ask.currency(), std::string(budget_role)});
  d.status(201);
  return d;
}

// ---- status ----------------------------------------------------------------------------------

/// Who is told of a change of status: everybody who has asked, and whoever pays with this project's
/// money, for whom there may have been no place among them. Nobody twice.
std::vector<entity_ref> audience_of(const project::state& now) {
  std::vector<entity_ref> out;
  std::set<entity_ref> known;
  auto add = [&](const wire::Entity& who) {
    if (auto ref = ref_of(who); known.insert(ref).second)
      out.push_back(std::move(ref));
  };
  for (auto& asker : now.askers())
    add(asker);
  for (auto& reservation : now.reservations())
    add(reservation.disbursement());
  return out;
}

/// Told at once to whom it concerns; see `audience_of`.
decision change_status(const project::state& now, pb::ProjectStatus to, const std::string& reason,
                       const context& ctx) {
  pb::ProjectEvent event;
  auto& changed = *event.mutable_status_changed();
  changed.set_status(to);
  changed.set_reason(reason);
  changed.set_by(ctx.who.user);
  changed.set_at_us(ctx.now_us);

  decision d;
  d.record(event);
  auto fact = fact_of(now, ctx);
  fact.set_status(to);
  for (auto& who : audience_of(now))
    tell_fact(d, who, fact);
  return d;
}

result activate(const project::state& now, const pb::ActivateProject&, const context& ctx) {
  if (now.status() != pb::PROJECT_DRAFT && now.status() != pb::PROJECT_SUSPENDED)
    return reject(errc::wrong_status, "only a draft or suspended project can be activated");
  return change_status(now, pb::PROJECT_ACTIVE, "", ctx);
}

result suspend(const project::state& now, const pb::SuspendProject& ask, const context& ctx) {
  if (now.status() != pb::PROJECT_ACTIVE)
    return reject(errc::wrong_status, "only an active project can be suspended");
  if (!is_some_text(ask.reason(), project::max_reason))
    return reject(errc::invalid_input, "say why in 1 to 500 characters", "reason");
  return change_status(now, pb::PROJECT_SUSPENDED, ask.reason(), ctx);
}

/// From budget back to the donors' side; both accounts are the project's own.
transfer give_back(const project::state& now, std::string_view callers_id,
                   std::int64_t amount_minor, const context& ctx) {
  transfer t;
  t.purpose = purpose_of(ctx.self, "give back", callers_id);
  t.debit = uuid::from_raw(now.budget_account());
  t.credit = uuid::from_raw(now.outside_account());
  t.amount_minor = amount_minor;
  t.currency = now.details().currency();
  t.credit_owner = ctx.self;
  t.why = "give back";
  return t;
}

result close(const project::state& now, const pb::CloseProject& ask, const context& ctx) {
  if (now.status() == pb::PROJECT_CLOSED)
    return reject(errc::wrong_status, "this project is closed already");
  if (!now.reservations().empty())
    return reject(
        errc::wrong_status,
        "the project has money reserved for disbursements: complete or cancel them first");
  if (!is_text(ask.reason(), project::max_reason))
    return reject(errc::invalid_input, "the reason may have at most 500 characters", "reason");

  auto d = change_status(now, pb::PROJECT_CLOSED, ask.reason(), ctx);
  if (now.budget_minor() > 0) {
    auto back = give_back(now, ctx.request_id.raw(), now.budget_minor(), ctx);
    pb::ProjectEvent event;
    event.mutable_given_back()->set_purpose(back.purpose.raw());
    event.mutable_given_back()->set_amount_minor(back.amount_minor);
    d.record(event);
    d.move(std::move(back));
  }
  return d;
}

// ---- money in --------------------------------------------------------------------------------

std::optional<error> fault_in(const project::state& now, const pb::FundProject& ask) {
  if (now.status() != pb::PROJECT_DRAFT && now.status() != pb::PROJECT_ACTIVE)
    return reject(errc::wrong_status, "only a draft or active project can be funded");
  if (ask.amount_minor() < 1)
    return reject(errc::invalid_input, "the amount must be at least 1 minor unit", "amount_minor");
  if (ask.currency() != now.details().currency())
    return reject(errc::wrong_currency,
                  "this project's money is in " + now.details().currency() + ": fund it in that",
                  "currency");
  if (ask.amount_minor() > project::max_funded_minor ||
      now.funded_minor() > project::max_funded_minor - ask.amount_minor())
    return reject(errc::limit_exceeded,
                  "a project can be given at most 9000000000000000 minor units in all",
                  "amount_minor");
  if (!is_text(ask.reference(), project::max_reference))
    return reject(errc::invalid_input, "the reference may have at most 200 characters",
                  "reference");
  return std::nullopt;
}

result fund(const project::state& now, const pb::FundProject& ask, const context& ctx) {
  if (auto fault = fault_in(now, ask))
    return *fault;

  transfer t;
  t.purpose = purpose_of(ctx.self, "funding", ctx.request_id.raw());
  t.debit = uuid::from_raw(now.outside_account());
  t.credit = uuid::from_raw(now.budget_account());
  t.amount_minor = ask.amount_minor();
  t.currency = ask.currency();
  t.credit_owner = ctx.self;
  t.why = "funding";
  t.reference = ask.reference();

  pb::ProjectEvent event;
  auto& funded = *event.mutable_funded();
  funded.set_amount_minor(ask.amount_minor());
  funded.set_reference(ask.reference());
  funded.set_by(ctx.who.user);
  funded.set_purpose(t.purpose.raw());

  pb::ProjectAnswer answer;
  auto& done = *answer.mutable_funding();
  done.set_id(t.purpose.raw());
  done.set_project(ctx.self.id.raw());
  done.set_amount_minor(ask.amount_minor());
  done.set_currency(ask.currency());
  done.set_reference(ask.reference());
  done.set_budget_minor(now.budget_minor() + ask.amount_minor());
  done.set_at_us(ctx.now_us);
  done.set_by(ctx.who.user);

  decision d;
  d.record(event);
  d.move(std::move(t));
  d.answer(answer).status(201);
  return d;
}

// ---- what others tell ------------------------------------------------------------------------

/// A project that does not exist says so, and keeps no list of those who asked.
decision ask_project(const project::state& now, const pb::AskProject& ask, const context& ctx) {
  decision d;
  if (now.status() != pb::PROJECT_NONE && !ask.once() && now.askers_size() < project::max_askers &&
      !has_asked(now.askers(), ask.asker())) {
    pb::ProjectEvent event;
    *event.mutable_asker_added()->mutable_asker() = ask.asker();
    d.record(event);
  }
  auto fact = fact_of(now, ctx);
  fact.set_list(ask.list());
  if (ask.with_batches())
    *fact.mutable_batches() = now.batches();
  tell_fact(d, ref_of(ask.asker()), fact);
  return d;
}

/// Why a reserve is not granted; empty if it is.
std::string refusal_of(const project::state& now, const pb::ReserveBudget& ask) {
  auto& currency = now.details().currency();
  if (now.status() == pb::PROJECT_NONE)
    return "the project does not exist";
  if (now.status() != pb::PROJECT_ACTIVE)
    return "the project is " + std::string(to_string(now.status())) +
           ": only an active one can pay";
  if (ask.currency() != currency)
    return "the project's money is in " + currency + ", not in " + ask.currency();
  if (ask.amount_minor() < 1)
    return "there is nothing to pay";
  if (now.reservations_size() >= project::max_reservations)
    return "the project has 1000 disbursements under way: complete or cancel some first";
  if (now.budget_minor() < ask.amount_minor())
    return "the budget holds " + std::to_string(now.budget_minor()) + " minor units of " +
           currency + ", the pay list needs " + std::to_string(ask.amount_minor()) +
           ": fund the project first";
  return {};
}

decision refuse_reserve(const pb::ReserveBudget& ask, const std::string& reason) {
  pb::ProjectEvent event;
  *event.mutable_reserve_refused()->mutable_disbursement() = ask.disbursement();
  event.mutable_reserve_refused()->set_reason(reason);
  pb::DisbursementMessage news;
  news.mutable_reserve()->set_list(ask.list());
  news.mutable_reserve()->set_refused(reason);

  decision d;
  d.record(event);
  d.tell(ref_of(ask.disbursement()), news);
  return d;
}

decision reserve(const project::state& now, const pb::ReserveBudget& ask, const context& ctx) {
  if (auto reason = refusal_of(now, ask); !reason.empty())
    return refuse_reserve(ask, reason);

  transfer t;
  t.purpose = purpose_of(ctx.self, "reserve", ask.list());
  t.debit = uuid::from_raw(now.budget_account());
  t.credit = uuid::from_raw(ask.account());
  t.amount_minor = ask.amount_minor();
  t.currency = ask.currency();
  t.credit_owner = ref_of(ask.disbursement());
  t.why = "reserve";
  t.reference = hex(ask.list());

  pb::ProjectEvent event;
  auto& reserved = *event.mutable_budget_reserved();
  *reserved.mutable_disbursement() = ask.disbursement();
  reserved.set_amount_minor(ask.amount_minor());
  reserved.set_purpose(t.purpose.raw());

  decision d;
  d.record(event);
  d.move(std::move(t));
  return d;
}

/// The upload that the batch belongs to is not accepted before all of its batches have joined.
void tell_upload(decision& d, const pb::BatchOpened& news, const std::string& refused) {
  pb::UploadMessage word;
  word.mutable_joined()->set_index(news.index());
  word.mutable_joined()->set_refused(refused);
  d.tell({"upload", uuid::from_raw(news.upload())}, word);
}

/// Why an upload gets no places; empty if it does. A suspended project may be active again.
std::string refusal_of(const project::state& now, const pb::AskPlaces& ask) {
  if (now.status() == pb::PROJECT_CLOSED)
    return "the project is closed: upload these households to another one";
  if (auto room = room_of(now); room < ask.batches())
    return "the project has room for " + std::to_string(room) + " more batches of " +
           std::to_string(project::max_batches) + " and the register needs " +
           std::to_string(ask.batches()) + ": upload these households to another project";
  return {};
}

/// All or none, before the upload makes its first batch.
decision ask_places(const project::state& now, const pb::AskPlaces& ask) {
  must_hold(now.status() != pb::PROJECT_NONE, "an upload asks a project that does not exist");
  auto reason = refusal_of(now, ask);
  pb::ProjectEvent event;
  auto& places = reason.empty() ? *event.mutable_places_granted()->mutable_places()
                                : *event.mutable_places_refused()->mutable_places();
  places.set_upload(ask.upload());
  places.set_batches(ask.batches());
  if (!reason.empty())
    event.mutable_places_refused()->set_reason(reason);
  pb::UploadMessage word;
  word.mutable_places()->set_refused(reason);
  decision d;
  d.record(event);
  d.tell({"upload", uuid::from_raw(ask.upload())}, word);
  return d;
}

bool has_place(const project::state& now, const std::string& upload) {
  return std::any_of(now.places().begin(), now.places().end(),
                     [&](auto& places) { return places.upload() == upload; });
}

decision turn_away(const pb::BatchOpened& news) {
  auto reason = "the project has " + std::to_string(project::max_batches) +
                " batches: upload these households to another project";
  pb::ProjectEvent event;
  auto& turned = *event.mutable_batch_turned_away();
  turned.mutable_batch()->set_id(news.batch().id());
  turned.mutable_batch()->set_members(news.members());
  turned.set_reason(reason);
  decision d;
  d.record(event);
  tell_upload(d, news, reason);
  return d;
}

decision batch_opened(const project::state& now, const pb::BatchOpened& news, const context&) {
  must_hold(now.status() != pb::PROJECT_NONE, "a batch joins a project that does not exist");
  auto& batches = now.batches();
  if (std::any_of(batches.begin(), batches.end(),
                  [&](auto& known) { return known.id() == news.batch().id(); }))
    return {};
  if (!has_place(now, news.upload()) && room_of(now) == 0)
    return turn_away(news);
  pb::ProjectEvent event;
  event.mutable_batch_joined()->mutable_batch()->set_id(news.batch().id());
  event.mutable_batch_joined()->mutable_batch()->set_members(news.members());
  event.mutable_batch_joined()->set_upload(news.upload());
  decision d;
  d.record(event);
  tell_upload(d, news, {});
  return d;
}

decision reservation_ended(const project::state& now, const pb::ReservationEnded& news,
                           const context&) {
  if (projecting::reservation_of(now.reservations(), news.disbursement()) ==
      now.reservations().end())
    return {};
  pb::ProjectEvent event;
  *event.mutable_reservation_closed()->mutable_disbursement() = news.disbursement();
  decision d;
  d.record(event);
  return d;
}

} // namespace

std::string_view to_string(pb::ProjectStatus status) {
  switch (status) {
    case pb::PROJECT_DRAFT: return "draft";
    case pb::PROJECT_ACTIVE: return "active";
    case pb::PROJECT_SUSPENDED: return "suspended";
    case pb::PROJECT_CLOSED: return "closed";
    default: return "";
  }
}

result project::decide(const state& now, const command& ask, const context& ctx) {
  if (ask.has_create())
    return create(now, ask.create(), ctx);
  if (now.status() == pb::PROJECT_NONE)
    return reject(errc::not_found, "there is no such project");
  switch (ask.command_case()) {
    case command::kActivate: return activate(now, ask.activate(), ctx);
    case command::kSuspend: return suspend(now, ask.suspend(), ctx);
    case command::kClose: return close(now, ask.close(), ctx);
    case command::kFund: return fund(now, ask.fund(), ctx);
    default: return reject(errc::invalid_input, "a project does not know this command");
  }
}

decision project::told(const state& now, const message& news, const context& ctx) {
  switch (news.message_case()) {
    case message::kAsk: return ask_project(now, news.ask(), ctx);
    case message::kReserve: return reserve(now, news.reserve(), ctx);
    case message::kBatchOpened: return batch_opened(now, news.batch_opened(), ctx);
    case message::kReservationEnded: return reservation_ended(now, news.reservation_ended(), ctx);
    case message::kAskPlaces: return ask_places(now, news.ask_places());
    default: throw broken_invariant("a project was told something that it does not know");
  }
}

/// Paid out money arrives at `outside`, unspent money at `budget`; a closed project passes the
/// latter on to the donors' side.
decision project::credited(const state& now, const wire::Credit& credit, const context& ctx) {
  pb::ProjectEvent event;
  auto& news = *event.mutable_credited();
  news.set_purpose(credit.purpose());
  news.set_account(credit.credit_account());
  news.set_amount_minor(credit.amount_minor());
  news.set_currency(credit.currency());
  news.set_why(credit.why());

  bool is_ours = now.status() != pb::PROJECT_NONE &&
                 credit.currency() == now.details().currency() &&
                 (credit.credit_account() == now.outside_account() ||
                  credit.credit_account() == now.budget_account());
  decision d;
  if (!is_ours && is_return(credit)) {
    news.set_kept(true);
  } else if (!is_ours) {
    news.set_returned(true);
    d.move(return_to_source(credit, ctx));
  } else if (credit.credit_account() == now.budget_account() &&
             now.status() == pb::PROJECT_CLOSED) {
    news.set_passed_on(true);
    d.move(give_back(now, credit.purpose(), credit.amount_minor(), ctx));
  }
  d.record(event);
  return d;
}

bool project::exists(const state& now) {
  return now.status() != pb::PROJECT_NONE;
}

query_keys project::keys(const state& now) {
  query_keys out;
  out.status = to_string(now.status());
  out.created_us = now.created_us();
  return out;
}

std::vector<owned_total> project::totals(const state& now) {
  std::vector<owned_total> out;
  if (now.status() != pb::PROJECT_NONE)
    add_total(out, now.details().currency(), now.outside_minor() + now.budget_minor());
  add_totals(out, now.suspense());
  return out;
}

} // namespace rahat
