# Gives the targets aeron::client and aeron::driver (Aeron's C client and C media driver, static).
#
# In this order: an installed Aeron of the pinned version; the source tree in TENSORPOOL_AERON_SOURCE_DIR; the source tree in
# the crate that cmake/aeron/Cargo.lock pins. The last two are built once per flavor (plain, asan, tsan) into
# TENSORPOOL_DEPS_DIR and shared by every build directory; a lock keeps concurrent configures apart. Sanitizer flavors
# are never taken from an installed package: it is not instrumented.

set(TENSORPOOL_AERON_VERSION 1.54.0)
set(TENSORPOOL_AERON_SOURCE_DIR "" CACHE PATH "Aeron ${TENSORPOOL_AERON_VERSION} source tree to build instead of the pinned crate")
set(TENSORPOOL_DEPS_DIR "${PROJECT_SOURCE_DIR}/build/deps" CACHE PATH "Where third-party source is unpacked and built, once")

# Sets `out` to Aeron's source directory, brought by cargo unless the user names one.
function(_tensorpool_aeron_source out)
  if(TENSORPOOL_AERON_SOURCE_DIR)
    set(source "${TENSORPOOL_AERON_SOURCE_DIR}")
  else()
    set(vendor "${TENSORPOOL_DEPS_DIR}/crates")
    set(source "${vendor}/libaeron_driver-sys-${TENSORPOOL_AERON_VERSION}/aeron")
    if(NOT EXISTS "${source}/version.txt")
      find_program(TENSORPOOL_CARGO NAMES cargo HINTS ENV CARGO_HOME "$ENV{HOME}/.cargo" PATH_SUFFIXES bin)
      if(NOT TENSORPOOL_CARGO)
        message(FATAL_ERROR "Aeron ${TENSORPOOL_AERON_VERSION} is neither installed nor given by TENSORPOOL_AERON_SOURCE_DIR, "
          "and there is no cargo (>= 1.70) to bring its source. Run ./run setup, or install cargo.")
      endif()
      message(STATUS "Aeron: bringing the source of ${TENSORPOOL_AERON_VERSION} with cargo")
      execute_process(
        COMMAND "${TENSORPOOL_CARGO}" vendor --quiet --locked --versioned-dirs
          --manifest-path "${PROJECT_SOURCE_DIR}/cmake/aeron/Cargo.toml" "${vendor}"
        OUTPUT_QUIET
        RESULT_VARIABLE failed)
      if(failed)
        message(FATAL_ERROR "cargo could not bring Aeron ${TENSORPOOL_AERON_VERSION} (cargo >= 1.70 and a network are needed once).")
      endif()
    endif()
  endif()
  file(STRINGS "${source}/version.txt" version LIMIT_COUNT 1)
  if(NOT version STREQUAL TENSORPOOL_AERON_VERSION)
    message(FATAL_ERROR "${source} is Aeron ${version}; ${TENSORPOOL_AERON_VERSION} is needed.")
  endif()
  set(${out} "${source}" PARENT_SCOPE)
endfunction()

# Builds the flavor into `build_dir` unless its stamp says that this very build is there.
function(_tensorpool_build_aeron build_dir sanitize_flags)
  file(MAKE_DIRECTORY "${TENSORPOOL_DEPS_DIR}")
  file(LOCK "${TENSORPOOL_DEPS_DIR}/aeron.lock" GUARD FUNCTION TIMEOUT 0 RESULT_VARIABLE busy)
  if(busy)
    message(STATUS "Aeron: waiting for another configure that builds it")
    file(LOCK "${TENSORPOOL_DEPS_DIR}/aeron.lock" GUARD FUNCTION TIMEOUT 1800)
  endif()

  _tensorpool_aeron_source(source)
  file(SHA256 "${PROJECT_SOURCE_DIR}/cmake/aeron/CMakeLists.txt" recipe)
  if(sanitize_flags MATCHES "thread")
    file(SHA256 "${PROJECT_SOURCE_DIR}/cmake/aeron/tsan_atomics.h" atomics)
    string(APPEND recipe " ${atomics}")
  endif()
  set(wanted "${source} ${CMAKE_C_COMPILER} ${sanitize_flags} ${recipe}")
  if(sanitize_flags STREQUAL "")
    string(REPLACE " ${CMAKE_C_COMPILER} " " any compiler " wanted "${wanted}") # one C library serves them all
  endif()
  set(stamp "${build_dir}/tensorpool.stamp")
  if(EXISTS "${stamp}")
    file(READ "${stamp}" present)
    if(present STREQUAL wanted)
      return()
    endif()
  endif()

  message(STATUS "Aeron: building ${TENSORPOOL_AERON_VERSION} into ${build_dir} (once; about half a minute on two cores)")
  file(REMOVE_RECURSE "${build_dir}")
  execute_process(
    COMMAND "${CMAKE_COMMAND}" -S "${PROJECT_SOURCE_DIR}/cmake/aeron" -B "${build_dir}" -G Ninja
      -DCMAKE_BUILD_TYPE=RelWithDebInfo "-DCMAKE_C_COMPILER=${CMAKE_C_COMPILER}" "-DCMAKE_C_FLAGS=${sanitize_flags}"
      "-DCMAKE_C_COMPILER_LAUNCHER=${CMAKE_C_COMPILER_LAUNCHER}" "-DAERON_SOURCE_DIR=${source}" --no-warn-unused-cli
    OUTPUT_QUIET
    COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND "${CMAKE_COMMAND}" --build "${build_dir}" COMMAND_ERROR_IS_FATAL ANY)
  file(WRITE "${stamp}" "${wanted}")
endfunction()

set(_flavor plain)
set(_sanitize_flags "")
if(TENSORPOOL_SANITIZE STREQUAL "address")
  set(_flavor asan)
  set(_sanitize_flags "-fsanitize=address,undefined")
elseif(TENSORPOOL_SANITIZE STREQUAL "thread")
  set(_flavor tsan)
  set(_sanitize_flags "-fsanitize=thread")
endif()
if(_sanitize_flags AND NOT CMAKE_C_COMPILER_ID STREQUAL "GNU")
  string(APPEND _flavor "-${CMAKE_C_COMPILER_ID}") # the sanitizer run times of two compilers do not mix
  string(TOLOWER "${_flavor}" _flavor)
endif()

find_package(Threads REQUIRED)
if(_flavor STREQUAL "plain" AND NOT TENSORPOOL_AERON_SOURCE_DIR)
  find_package(aeron ${TENSORPOOL_AERON_VERSION} EXACT QUIET)
endif()
if(aeron_FOUND)
  message(STATUS "Aeron: ${aeron_VERSION}, installed, ${aeron_DIR}")
else()
  set(_aeron_build_dir "${TENSORPOOL_DEPS_DIR}/aeron-${_flavor}")
  _tensorpool_build_aeron("${_aeron_build_dir}" "${_sanitize_flags}")
  include("${_aeron_build_dir}/aeron-targets.cmake")
  message(STATUS "Aeron: ${TENSORPOOL_AERON_VERSION}, ${_aeron_build_dir}")
endif()

add_library(aeron::client INTERFACE IMPORTED)
target_link_libraries(aeron::client INTERFACE aeron::aeron_static Threads::Threads)
add_library(aeron::driver INTERFACE IMPORTED)
target_link_libraries(aeron::driver INTERFACE aeron::aeron_driver_static aeron::client)
