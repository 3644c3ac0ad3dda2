#include "runtime/entity/answers.hpp"

namespace rahat {

void answer_with(wire::Reply stored, const entity_ref& self, store& db,
                 entities::reply_callback done) {
  if (stored.error() != 0) // a refusal shows no place
    return done(std::move(stored));
  auto seq = stored.version();
  db.history(self, seq - 1, 1,
             [seq, stored = std::move(stored),
              done = std::move(done)](outcome<std::vector<journal_row>> rows) mutable {
               if (auto* e = std::get_if<error>(&rows))
                 return done(*e);
               auto& found = std::get<std::vector<journal_row>>(rows);
               if (!found.empty() && found.front().seq == seq)
                 stored.set_position(found.front().position);
               done(std::move(stored));
             });
}

std::optional<error> unmet(const request& ask, std::uint64_t version) {
  if (ask.if_match && !ask.if_match->holds(version))
    return error{errc::precondition_failed,
                 "its version is none that If-Match names: read it again; to create something, "
                 "leave If-Match out",
                 "If-Match"};
  if (ask.if_none_match && ask.if_none_match->holds(version))
    return error{errc::precondition_failed, "it is there, which If-None-Match rules out",
                 "If-None-Match"};
  return std::nullopt;
}

} // namespace rahat
