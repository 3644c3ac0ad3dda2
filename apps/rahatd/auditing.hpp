#pragma once
#include "apps/rahatd/measures.hpp"
#include "config/config.hpp"
#include "persistence/lease/node_identity.hpp"
#include "runtime/ports/audit.hpp"
#include "runtime/ports/clock.hpp"
#include "runtime/ports/random.hpp"
#include <memory>
namespace rahat {
std::unique_ptr<auditor> make_auditor(const config& settings, const std::string& conninfo,
                                      const std::string& data, const node_identity& me,
                                      const clock& time, random& dice, measures& counted);
}
