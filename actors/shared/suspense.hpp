#pragma once

#include "actors/project/project.pb.h"
#include "runtime/decider/account.hpp"
#include "runtime/decider/kind.hpp"

#include <cstdint>
#include <string>
#include <vector>

/// Credits that name no account of their owner: docs/protocols/credit.md.
namespace rahat {

using suspense_list = google::protobuf::RepeatedPtrField<pb::Suspense>;

/// Adds money to the suspense of its currency. There are as many entries as currencies came in.
inline void hold_in_suspense(suspense_list& held, const std::string& currency,
                             std::int64_t amount_minor) {
  for (auto& entry : held)
    if (entry.currency() == currency) {
      entry.set_amount_minor(entry.amount_minor() + amount_minor);
      return;
    }
  auto* entry = held.Add();
  entry->set_currency(currency);
  entry->set_amount_minor(amount_minor);
}

/// Adds a sum to the totals of an owner, one entry a currency.
inline void add_total(std::vector<owned_total>& totals, const std::string& currency,
                      std::int64_t amount_minor) {
  for (auto& total : totals)
    if (total.currency == currency) {
      total.amount_minor += amount_minor;
      return;
    }
  totals.push_back({currency, amount_minor});
}

inline void add_totals(std::vector<owned_total>& totals, const suspense_list& held) {
  for (auto& entry : held)
    add_total(totals, entry.currency(), entry.amount_minor());
}

} // namespace rahat
