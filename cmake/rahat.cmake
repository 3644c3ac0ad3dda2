# The helpers every folder's CMakeLists.txt is written with.

add_library(rahat_options INTERFACE)
target_compile_features(rahat_options INTERFACE cxx_std_20)
target_include_directories(rahat_options INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/proto)
target_compile_options(rahat_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow=local)

# Headers that are parsed once: one set for the product, one for what only waits for people (command
# lines, settings), one for tests, which are built without optimisation because they are compiled more
# often than they run.
set(test_flags -O0)
set(tool_flags $<$<CONFIG:Release>:-O1>)
add_library(rahat_pch STATIC cmake/pch.cpp)
target_link_libraries(rahat_pch PRIVATE rahat_options protobuf::libprotobuf)
target_precompile_headers(rahat_pch PRIVATE cmake/pch.hpp)
add_library(rahat_pch_tool STATIC cmake/pch.cpp)
target_link_libraries(rahat_pch_tool PRIVATE rahat_options protobuf::libprotobuf CLI11::CLI11)
target_compile_options(rahat_pch_tool PRIVATE ${tool_flags})
target_precompile_headers(rahat_pch_tool PRIVATE cmake/pch_tool.hpp)
add_library(rahat_pch_test STATIC cmake/pch.cpp)
target_link_libraries(rahat_pch_test PRIVATE rahat_options protobuf::libprotobuf GTest::gmock)
target_compile_options(rahat_pch_test PRIVATE ${test_flags})
target_precompile_headers(rahat_pch_test PRIVATE cmake/pch_test.hpp)

# rahat_library(NAME SOURCES ... LINK ...): one room of the house as a static library.
function(rahat_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC rahat_options ${ARG_LINK})
  target_precompile_headers(${name} REUSE_FROM rahat_pch)
endfunction()

# The same for a room of tools.
function(rahat_tool_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC rahat_options CLI11::CLI11 ${ARG_LINK})
  target_compile_options(${name} PRIVATE ${tool_flags})
  target_precompile_headers(${name} REUSE_FROM rahat_pch_tool)
endfunction()

# The same for what tests share.
function(rahat_test_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC rahat_options ${ARG_LINK} PRIVATE GTest::gmock)
  target_compile_options(${name} PRIVATE ${test_flags})
  target_precompile_headers(${name} REUSE_FROM rahat_pch_test)
endfunction()

# rahat_proto(NAME PROTOS ... LINK ...): Protobuf messages, included by their path from the root.
function(rahat_proto name)
  cmake_parse_arguments(ARG "" "" "PROTOS;LINK" ${ARGN})
  file(RELATIVE_PATH folder ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  set(out ${PROJECT_BINARY_DIR}/proto)
  file(MAKE_DIRECTORY ${out})
  set(generated)
  foreach(proto ${ARG_PROTOS})
    get_filename_component(stem ${proto} NAME_WE)
    set(files ${out}/${folder}/${stem}.pb.cc ${out}/${folder}/${stem}.pb.h)
    add_custom_command(OUTPUT ${files}
      COMMAND protobuf::protoc --cpp_out=${out} -I ${PROJECT_SOURCE_DIR} ${folder}/${proto}
      DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${proto}
      WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} VERBATIM)
    list(APPEND generated ${files})
  endforeach()
  add_library(${name} STATIC ${generated})
  target_include_directories(${name} SYSTEM PUBLIC ${out})
  target_link_libraries(${name} PUBLIC protobuf::libprotobuf ${ARG_LINK})
  target_compile_features(${name} PUBLIC cxx_std_20)
  # Generated code gains nothing from -O2 and takes half of the time with -O1.
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
endfunction()

# What `./dev check` builds.
add_custom_target(unit_tests)

# rahat_test(NAME SOURCES ... LINK ... [LABELS ...] [TIMEOUT s]): one GoogleTest binary, one CTest entry.
function(rahat_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LINK;LABELS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE rahat_options ${ARG_LINK} GTest::gtest_main GTest::gmock)
  target_compile_options(${name} PRIVATE ${test_flags})
  target_precompile_headers(${name} REUSE_FROM rahat_pch_test)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}")
  if("unit" IN_LIST ARG_LABELS)
    add_dependencies(unit_tests ${name})
  endif()
endfunction()
