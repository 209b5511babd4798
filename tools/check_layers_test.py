#!/usr/bin/env python3
"""Plants a violation of each rule of check_layers.py in a temporary tree and expects it, and nothing else, to be reported."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))
import check_layers  # noqa: E402

# path, content, a part of the expected report
VIOLATIONS = [
    # quarantine 1: Aeron
    ("src/client/a.cpp", "#include <aeronc.h>", "Aeron"),
    ("src/roles/driver/a.cpp", '#include "aeronmd.h"', "Aeron"),
    ("src/base/a.hpp", "  #  include <aeron/aeronc.h>", "Aeron"),
    ("src/transport/loopback/a.cpp", "#include <aeronc.h>", "Aeron"),
    ("tests/integration/a_test.cpp", "#include <aeronc.h>", "Aeron"),
    ("benchmarks/tensorpool/a.cpp", "#include <aeronc.h>", "Aeron"),
    # quarantine 2: what the bytes mean
    ("src/client/a.cpp", '#include "protocol/message_codec.hpp"', "layout of bytes"),
    ("src/shm/a.cpp", '#include "protocol/message_layout.hpp"', "layout of bytes"),
    ("tests/integration/a_test.cpp", '#include "protocol/payload_pool_layout.hpp"', "layout of bytes"),
    # quarantine 3: mapped memory and fences
    ("src/client/a.cpp", "#include <sys/mman.h>", "mapped only in src/shm"),
    ("src/base/a.cpp", "void* p = ::mmap(nullptr, 1, 0, 0, 0, 0);", "mapped only in src/shm"),
    ("src/base/a.cpp", "munmap (p, 1);", "mapped only in src/shm"),
    ("src/client/a.cpp", "std::atomic_ref<int> r(x);", "src/shm"),
    ("src/client/a.cpp", "std::atomic_thread_fence(std::memory_order_release);", "fence"),
    ("src/shm/slot_writer.cpp", "std::atomic_thread_fence(std::memory_order_release);", "fence"),
    # quarantine 4: arguments, environment, TOML, standard output, signals
    ("src/client/a.cpp", "#include <toml++/toml.h>", "applications"),
    ("src/client/a.cpp", "#include <CLI/CLI.hpp>", "applications"),
    ("src/base/a.cpp", "#include <iostream>", "applications"),
    ("src/base/a.cpp", "void f() { std::signal(2, g); }", "applications"),
    ("src/base/a.cpp", "int i = ::sigaction(2, &a, nullptr);", "applications"),
    ("src/base/a.cpp", 'auto* e = std::getenv("X");', "environment"),
    ("src/base/a.cpp", "std::cout << 1;", "print"),
    ("src/base/a.cpp", 'std::printf("x");', "print"),
    ("src/base/a.cpp", 'fprintf(stdout, "x");', "print"),
    ("src/base/a.cpp", 'fmt::print("x");', "print"),
    ("src/apps/tp/a.cpp", 'fmt::print(stderr, "x");', "apps/support/print.hpp"),
    ("src/apps/tp/a.cpp", "std::cerr << 1;", "apps/support/print.hpp"),
    ("src/apps/flow/a.cpp", "std::fwrite(a, 1, 1, stdout);", "apps/support/print.hpp"),
    ("src/apps/demo/programs/a.cpp", "CLI11_PARSE(app, argc, argv);", "apps/support/print.hpp"),
    ("examples/documents/a.cpp", 'std::puts("x");', "apps/support/print.hpp"),
    # the layer table
    ("src/base/a.hpp", '#include "protocol/constants.hpp"', "base may not include protocol"),
    ("src/protocol/a.hpp", '#include "shm/region.hpp"', "protocol may not include shm"),
    ("src/shm/a.hpp", '#include "transport/publication.hpp"', "shm may not include transport"),
    ("src/transport/a.hpp", '#include "protocol/constants.hpp"', "transport may not include protocol"),
    ("src/client/a.hpp", '#include "roles/driver/leases.hpp"', "client may not include roles"),
    ("src/roles/driver/a.hpp", '#include "roles/bridge/b.hpp"', "sibling"),
    ("src/roles/driver/a.hpp", '#include "apps/config/config.hpp"', "roles may not include apps"),
    ("src/shm/a.hpp", "#include <tensorpool/client.hpp>", "shm may not include api"),
    ("src/base/a.hpp", '#include "../shm/region.hpp"', "base may not include shm"),
    ("src/surprise/a.hpp", '#include "base/clock.hpp"', "not a layer"),
    ("include/tensorpool/a.hpp", '#include "shm/region.hpp"', "api may not include shm"),
    ("include/tensorpool/a.hpp", "#include <fmt/format.h>", "public headers"),
    ("include/tensorpool/time.hpp", '#include "tensorpool/client.hpp"', "vocabulary may not include api"),
    # directories that say nothing
    ("src/base/util/a.hpp", "", "says nothing"),
    ("src/helpers/a.hpp", "", "says nothing"),
    ("tests/common/a.hpp", "", "says nothing"),
    ("src/client/internal/a.hpp", "", "says nothing"),
]

ALLOWED = [
    ("src/transport/a.cpp", "#include <aeronc.h>\n#include <aeronmd.h>"),
    ("src/protocol/qos_codec.cpp", '#include "protocol/message_codec.hpp"'),
    ("src/client/a.cpp", '#include "protocol/codec.hpp"'),
    ("src/shm/mapped_file.cpp", "#include <sys/mman.h>\nvoid* p = ::mmap(0, 1, 0, 0, 0, 0);"),
    ("src/shm/seqlock.hpp", "inline void f() { std::atomic_thread_fence(std::memory_order_release); }"),
    ("src/apps/tp/main.cpp", '#include <CLI/CLI.hpp>\n#include <iostream>\n#include "roles/driver/driver.hpp"'),
    ("src/base/a.cpp", '// std::cout, mmap(\n/* getenv( */ const char* s = "printf(x)"; std::snprintf(b, 1, "x"); fprintf(stderr, "x");'),
    ("src/shm/a.hpp", '#include "tensorpool/result.hpp"\n#include "protocol/constants.hpp"'),
    ("src/roles/driver/a.hpp", '#include "roles/driver/b.hpp"\n#include "tensorpool/time.hpp"\n#include "tensorpool/client.hpp"'),
    ("include/tensorpool/a.hpp", '#include <cstdint>\n#include "tensorpool/time.hpp"'),
]


def report(files):
    """What the checker says about a tree of these files."""
    with tempfile.TemporaryDirectory() as directory:
        for path, content in files:
            file = Path(directory) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content + "\n")
        return check_layers.check(directory)


class CheckLayers(unittest.TestCase):
    def test_reports_each_planted_violation_and_only_it(self):
        for path, content, expected in VIOLATIONS:
            with self.subTest(path=path, content=content):
                # region.hpp is there because an include relative to its file counts only if its target exists.
                found = report([("src/shm/region.hpp", ""), (path, content)])
                self.assertEqual(len(found), 1, found)
                self.assertIn(expected, found[0])

    def test_accepts_what_the_architecture_allows(self):
        self.assertEqual(report(ALLOWED), [])

    def test_names_the_line(self):
        found = report([("src/base/a.cpp", "/* one\ntwo */\n#include <iostream>")])
        self.assertTrue(found[0].startswith("src/base/a.cpp:3: "), found)


if __name__ == "__main__":
    unittest.main()
