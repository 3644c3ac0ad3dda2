// The one place where Boost.JSON is compiled; everybody else only sees its declarations.
#include <boost/json/src.hpp>
