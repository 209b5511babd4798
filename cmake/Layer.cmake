# One call per directory of src/: a layer is a library, its unit tests an executable, its row of the architecture its link list.

include(GoogleTest)

# Links `target` to each of the layers or targets in ARGN; a name without "::" is a layer.
function(tensorpool_link target visibility)
  foreach(dep IN LISTS ARGN)
    if(dep MATCHES "::" OR TARGET "${dep}")
      target_link_libraries(${target} ${visibility} ${dep})
    else()
      target_link_libraries(${target} ${visibility} tensorpool_${dep})
    endif()
  endforeach()
endfunction()

# tensorpool_layer(NAME <name> [DEPS <layer or target>...] [PRIVATE_DEPS ...] [TEST_DEPS ...] [TEST_EXTRA <file>...]
#                  [EXCLUDE <subdirectory>...] [HEADERS_ONLY])
# All *.cpp below the current directory become the static library tensorpool_<name>, all *_test.cpp the executable <name>_test.
# *_fuzz.cpp are left to tensorpool_fuzz(). PRIVATE_DEPS are linked but their headers stop here. TEST_EXTRA adds sources to
# the test. EXCLUDE leaves a subdirectory to another layer. HEADERS_ONLY takes no source; it, or having none, makes an
# INTERFACE library.
function(tensorpool_layer)
  cmake_parse_arguments(PARSE_ARGV 0 arg "HEADERS_ONLY" "NAME" "DEPS;PRIVATE_DEPS;TEST_DEPS;TEST_EXTRA;EXCLUDE")
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_NAME)
    message(FATAL_ERROR "tensorpool_layer: NAME is missing, or unknown arguments: ${arg_UNPARSED_ARGUMENTS}")
  endif()

  set(sources)
  if(NOT arg_HEADERS_ONLY)
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.cpp")
    foreach(dir IN LISTS arg_EXCLUDE)
      list(FILTER sources EXCLUDE REGEX "^${CMAKE_CURRENT_SOURCE_DIR}/${dir}/")
    endforeach()
  endif()
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "_(test|fuzz)\\.cpp$")

  set(library tensorpool_${arg_NAME})
  if(sources)
    add_library(${library} STATIC ${sources})
    target_link_libraries(${library} PUBLIC tensorpool_options)
    tensorpool_link(${library} PUBLIC ${arg_DEPS})
    tensorpool_link(${library} PRIVATE ${arg_PRIVATE_DEPS})
  else()
    add_library(${library} INTERFACE)
    target_link_libraries(${library} INTERFACE tensorpool_options)
    tensorpool_link(${library} INTERFACE ${arg_DEPS})
  endif()

  if(tests AND BUILD_TESTING)
    add_executable(${arg_NAME}_test ${tests} ${arg_TEST_EXTRA})
    target_link_libraries(${arg_NAME}_test PRIVATE ${library} GTest::gtest_main)
    target_include_directories(${arg_NAME}_test PRIVATE "${PROJECT_SOURCE_DIR}/tests") # "support/..."
    tensorpool_link(${arg_NAME}_test PRIVATE ${arg_PRIVATE_DEPS} ${arg_TEST_DEPS})
    gtest_discover_tests(${arg_NAME}_test DISCOVERY_MODE PRE_TEST PROPERTIES TIMEOUT 60)
  endif()
endfunction()

# tensorpool_on_aeron(<target> <layer or target>...): a program that really talks. What calls the transport stands before it,
# the roles and the client last: a linker reads static libraries once.
function(tensorpool_on_aeron target)
  tensorpool_link(${target} PRIVATE ${ARGN} driver supervisor client transport)
endfunction()

# tensorpool_fuzz(<name> <file> LINK <layer or target>...)
# <file> defines LLVMFuzzerTestOneInput. Always: the test fuzz.<name>, which feeds it every file of tests/fuzz/corpus/<name>/
# and truncations of each. With TENSORPOOL_FUZZ also the libFuzzer executable <name>_fuzz, part of the target `fuzzers`.
function(tensorpool_fuzz name file)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "LINK")
  set(corpus "${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name}")
  if(BUILD_TESTING)
    add_executable(${name}_fuzz_replay "${file}" "${PROJECT_SOURCE_DIR}/cmake/fuzz_replay.cpp")
    target_link_libraries(${name}_fuzz_replay PRIVATE tensorpool_options)
    tensorpool_link(${name}_fuzz_replay PRIVATE ${arg_LINK})
    target_include_directories(${name}_fuzz_replay PRIVATE "${PROJECT_SOURCE_DIR}/tests") # "fuzz/..."
    tensorpool_usage(${name}_fuzz_replay "${PROJECT_SOURCE_DIR}/cmake/fuzz_replay.cpp" CORPUS_DIRECTORY...)
    add_test(NAME fuzz.${name} COMMAND ${name}_fuzz_replay "${corpus}")
    set_tests_properties(fuzz.${name} PROPERTIES TIMEOUT 60)
  endif()
  if(TENSORPOOL_FUZZ)
    add_executable(${name}_fuzz "${file}")
    if(NOT TARGET fuzzers)
      add_custom_target(fuzzers)
    endif()
    add_dependencies(fuzzers ${name}_fuzz)
    target_link_libraries(${name}_fuzz PRIVATE tensorpool_options -fsanitize=fuzzer)
    tensorpool_link(${name}_fuzz PRIVATE ${arg_LINK})
    target_include_directories(${name}_fuzz PRIVATE "${PROJECT_SOURCE_DIR}/tests")
  endif()
endfunction()
