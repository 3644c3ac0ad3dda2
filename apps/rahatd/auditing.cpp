#include "apps/rahatd/auditing.hpp"

#include "persistence/embedded/conninfo.hpp"

namespace rahat {

namespace {

audit_options options_of(const config& settings, const std::string& conninfo,
                         const node_identity& me, const clock& time, audit_probe& counted,
                         std::function<bool()> may_follow) {
  std::filesystem::path data{settings.node.data_dir};
  audit_options how;
  how.conninfo = with_field(conninfo, "application_name", me.application_name("audit"));
  how.node = me.node;
  how.folder = data / "audit";
  how.key = data / "secrets" / "audit_ed25519.pem";
  how.sign_interval = std::chrono::seconds(settings.audit.sign_interval_s);
  how.recount_hour = static_cast<int>(settings.audit.recount_hour);
  how.may_follow = std::move(may_follow);
  how.time = &time;
  how.probe = &counted;
  return how;
}

} // namespace

node_auditor::node_auditor(const config& settings, const std::string& service_conninfo,
                           const node_identity& me, const clock& time,
                           std::function<bool()> may_follow)
    : audit_(options_of(settings, service_conninfo, me, time, counted_, std::move(may_follow))) {}

} // namespace rahat
