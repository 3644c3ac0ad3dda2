#include "tests/integration/audit/world.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using namespace rahat;

/// A unique index over several entities' rows makes writers wait for each other, and one entity's
/// commit fail for another's (R24). Whoever adds one says here why it does not.
TEST(audit_schema, unique_indexes_are_keys_of_one_entity) {
  auto db = test::pg_fixture::get().fresh_database();
  pqxx::connection c{db.owner};
  pqxx::nontransaction work{c};
  std::vector<std::string> found;
  for (const auto& r : work.exec(
           "SELECT t.relname || '(' || string_agg(a.attname, ',' ORDER BY k.n) || ')'"
           " FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid,"
           "  unnest(i.indkey) WITH ORDINALITY k(attnum, n), pg_attribute a"
           " WHERE i.indisunique AND t.relnamespace = 'public'::regnamespace"
           "  AND NOT t.relispartition AND a.attrelid = t.oid AND a.attnum = k.attnum"
           "  AND t.relname IN ('journal', 'snapshot', 'account', 'transfer', 'owned_total', "
           "'line',"
           "   'upload_row', 'upload_error', 'person_key', 'outbox', 'timer', 'request', 'query')"
           " GROUP BY t.relname, i.indexrelid"))
    found.push_back(r[0].as<std::string>());
  EXPECT_THAT(found,
              testing::UnorderedElementsAre(
                  "journal(entity,seq,kind)",
                  "journal(shard,position)", // allocated under the shard's head
                  "snapshot(entity,kind)",
                  "account(first)",         // derived from its owner
                  "transfer(purpose,line)", // derived from the debited entity
                  "owned_total(entity,kind,currency)",
                  "line(list,no)", // each batch numbers in a range of its own
                  "upload_row(upload,ordinal)", "upload_error(upload,row_no,n)",
                  "person_key(upload,ordinal)", "outbox(source,target,n,source_kind,target_kind)",
                  "timer(entity,name,kind)",
                  "request(id,day)", // derived from user, path and key
                  "query(id,kind)"));
}

} // namespace
