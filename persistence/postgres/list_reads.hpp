#pragma once

namespace pqxx {
class connection_base;
}

namespace rahat::pg {

/// Names the statements of the query side.
void prepare_list_reads(pqxx::connection_base& c);

} // namespace rahat::pg
