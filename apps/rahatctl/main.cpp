#include "apps/rahatctl/app.hpp"

#include <iostream>

int main(int argc, char** argv) {
  return rahat::ctl::run(argc, argv, rahat::process_environment(), std::cout, std::cerr);
}
