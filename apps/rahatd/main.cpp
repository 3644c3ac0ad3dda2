#include "apps/rahatd/program.hpp"

int main(int argc, char** argv) {
  return rahat::run_program(argc, argv);
}
