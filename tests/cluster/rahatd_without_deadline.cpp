// The node with one guard taken out: it believes in its lease until it is told of the end. What
// keeps it from doing harm then is the fence in the database, and nothing else.
#include "apps/rahatd/program.hpp"

int main(int argc, char** argv) {
  rahat::node::faults without;
  without.lease_trusted_for_ever = true;
  return rahat::run_program(argc, argv, without);
}
