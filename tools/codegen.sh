#!/usr/bin/env bash
# Proves our codecs against the official ones: the SBE tool (brought by Maven, see tools/codegen/pom.xml) generates C++ from
# src/protocol/schema/*.xml into build/codegen, and tests/conformance compares it with src/protocol, byte for byte.
# Nothing generated is committed or used by the library (docs/decisions/0001-codecs.md).
#
#   tools/codegen.sh [rounds] [seed]
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."

out=build/codegen
cxx=${CXX:-g++}

for program in java mvn "$cxx"; do
  command -v "$program" >/dev/null || {
    echo "codegen.sh: $program is not installed (./run setup codegen installs what is missing)" >&2
    exit 1
  }
done

# The stamp comes last: a download that failed half-way is done again.
if [[ ! -f $out/jars.stamp || tools/codegen/pom.xml -nt $out/jars.stamp ]]; then
  echo "== bringing the SBE tool"
  rm -rf "$out/jars"
  mvn --quiet --batch-mode -f tools/codegen/pom.xml dependency:copy-dependencies "-DoutputDirectory=$PWD/$out/jars"
  touch "$out/jars.stamp"
fi

echo "== generating the official codecs"
rm -rf "$out/official"
mkdir -p "$out/official"
for schema in src/protocol/schema/*.xml; do
  java --add-opens java.base/jdk.internal.misc=ALL-UNNAMED \
    -Dsbe.target.language=Cpp "-Dsbe.output.dir=$out/official" \
    -Dsbe.validation.stop.on.error=true -Dsbe.validation.warnings.fatal=true \
    -cp "$out/jars/*" uk.co.real_logic.sbe.SbeTool "$schema"
done

echo "== building the conformance test"
flags=(-std=c++20 -O1 -Wall -Wextra -Werror -Isrc -Iinclude -Itests/conformance -isystem "$out/official")
sources=(tests/conformance/sbe_conformance.cpp src/base/error.cpp src/base/log.cpp)
for source in src/protocol/*.cpp; do
  [[ $source == *_test.cpp ]] || sources+=("$source")
done
"$cxx" "${flags[@]}" "${sources[@]}" -lfmt -o "$out/sbe_conformance"

echo "== comparing"
"$out/sbe_conformance" "$@"
