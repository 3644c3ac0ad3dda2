#pragma once

#include "runtime/decider/decision.hpp"

#include <string>
#include <string_view>
#include <vector>

/// Decisions in words, so that tests and the tables in docs/protocols can state them.
namespace rahat::testing {

/// The names of the decision's events, e.g. {"created"}.
std::vector<std::string> events_of(const decision& d);

/// Everything else that the decision does, in this order and form:
///   open <role> | move <why> | pay lines | insert lines | stage | publish <kind> |
///   tell <kind> <case of its Message> | timer <name> | cancel timer <name> |
///   postpone | answer <status> | later <status> | later <error>
/// `answer 200` is what happens without being said, so it is left out.
std::vector<std::string> effects_of(const decision& d);

/// "a, b, c", the form in which the tables list things.
std::string joined(const std::vector<std::string>& parts);

/// The name of the case that a message for an entity of that kind has, e.g. "reserve".
std::string case_of(std::string_view kind, std::string_view message);

} // namespace rahat::testing
