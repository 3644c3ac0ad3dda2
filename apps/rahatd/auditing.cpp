#include "apps/rahatd/auditing.hpp"
namespace rahat {
namespace {
class none : public auditor { books_report books() override { return {}; } books_report recount() override { return {}; } verify_report verify(std::function<void(std::uint64_t)>) override { return {}; } };
}
std::unique_ptr<auditor> make_auditor(const config&, const std::string&, const std::string&, const node_identity&, const clock&, random&, measures&) { return std::make_unique<none>(); }
}
