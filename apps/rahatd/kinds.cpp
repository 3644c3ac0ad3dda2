#include "apps/rahatd/kinds.hpp"

#include "actors/batch/batch.hpp"
#include "actors/disbursement/disbursement.hpp"
#include "actors/project/project.hpp"
#include "actors/settlement/settlement.hpp"
#include "actors/upload/upload.hpp"
#include "actors/vendor/vendor.hpp"
#include "config/config.hpp"
#include "gateways/rest/presenters.hpp"

namespace rahat {

// A setting that allows more than the kind would be refused in the middle of a file.
static_assert(config::most_upload_rows == upload::max_rows);

kind_registry all_kinds() {
  kind_registry kinds;
  kinds.add(std::make_unique<kind_of<project>>(rest::present<project>()));
  kinds.add(std::make_unique<kind_of<upload>>(rest::present<upload>()));
  kinds.add(std::make_unique<kind_of<batch>>(rest::present<batch>()));
  kinds.add(std::make_unique<kind_of<disbursement>>(rest::present<disbursement>()));
  kinds.add(std::make_unique<kind_of<vendor>>(rest::present<vendor>()));
  kinds.add(std::make_unique<kind_of<settlement>>(rest::present<settlement>()));
  return kinds;
}

std::set<std::string> progress_types() {
  return {"upload.staged",
          "upload.batch_done",
          "upload.batch_joined",
          "batch.members_enrolled",
          "batch.lines_locked",
          "batch.chunk_paid",
          "disbursement.batch_answered",
          "disbursement.chunk_decided",
          "disbursement.chunk_arrived"};
}

} // namespace rahat
