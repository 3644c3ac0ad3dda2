#pragma once

#include "actors/batch/batch.pb.h"
#include "actors/disbursement/disbursement.pb.h"
#include "actors/project/project.pb.h"
#include "actors/settlement/settlement.pb.h"
#include "actors/upload/upload.pb.h"
#include "actors/vendor/vendor.pb.h"
#include "runtime/decider/kind.hpp"

#include <cstdint>
#include <string>

/// How each kind looks to clients. Pure functions; a view is rendered for every commit, so they
/// append to one string. No personal field is in any of them: those are sealed and are opened only
/// by the members route.
namespace rahat::rest {

std::string view_of(const pb::ProjectState& now, const entity_ref& self, std::uint64_t version);
std::string view_of(const pb::UploadState& now, const entity_ref& self, std::uint64_t version);
std::string view_of(const pb::BatchState& now, const entity_ref& self, std::uint64_t version);
std::string view_of(const pb::DisbursementState& now, const entity_ref& self,
                    std::uint64_t version);
std::string view_of(const pb::VendorState& now, const entity_ref& self, std::uint64_t version);
std::string view_of(const pb::SettlementState& now, const entity_ref& self, std::uint64_t version);

std::string render_of(const pb::ProjectAnswer& answer);
std::string render_of(const pb::UploadAnswer& answer);
std::string render_of(const pb::BatchAnswer& answer);
std::string render_of(const pb::DisbursementAnswer& answer);
std::string render_of(const pb::VendorAnswer& answer);
std::string render_of(const pb::SettlementAnswer& answer);

/// The presenter of a kind: `kind_of<project>(rest::present<project>())`.
template <class D>
presenter<D> present() {
  return {static_cast<std::string (*)(const typename D::state&, const entity_ref&, std::uint64_t)>(
              &view_of),
          static_cast<std::string (*)(const typename D::answer&)>(&render_of)};
}

} // namespace rahat::rest
