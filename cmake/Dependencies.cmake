# Everything we link that is not ours. Debian 12 packages all but Aeron; `./run setup` installs them.

find_package(Threads REQUIRED)
find_package(fmt 9 REQUIRED)
find_package(spdlog 1.10 REQUIRED)
find_package(CLI11 2 REQUIRED)
find_package(nlohmann_json 3 REQUIRED)
find_package(tomlplusplus 3 REQUIRED)
find_package(PkgConfig REQUIRED)
if(BUILD_TESTING)
  find_package(GTest REQUIRED)
  # Whatever uses it is a test: compiled once and run for a moment, it need not be as fast as what it tests.
  target_compile_options(GTest::gtest_main INTERFACE $<$<CONFIG:RelWithDebInfo>:-O1> $<$<CONFIG:RelWithDebInfo>:-g1>)
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
endif()

# Cameras, for the demo: used where the library is, never required.
pkg_check_modules(ARAVIS QUIET IMPORTED_TARGET aravis-0.8)
option(TENSORPOOL_ARAVIS "Cameras through Aravis" ${ARAVIS_FOUND})
if(TENSORPOOL_ARAVIS AND NOT ARAVIS_FOUND)
  message(FATAL_ERROR "TENSORPOOL_ARAVIS is ON, but pkg-config does not know aravis-0.8 (Debian: libaravis-dev).")
endif()
message(STATUS "Cameras through Aravis: ${TENSORPOOL_ARAVIS}")

include(Aeron)
