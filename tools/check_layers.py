#!/usr/bin/env python3
"""Checks which file may include, call or name what. The tables below are the architecture.

    tools/check_layers.py [repository]        prints one line per violation; exit status 1 if there is any

Runs as the test `layers` and in `./run lint`; check_layers_test.py plants a violation of each rule and sees it reported.
"""

import os
import re
import sys
from pathlib import Path

# What a layer may include of ours, besides the vocabulary headers, which are open to all. Siblings of a role are never open.
LAYERS = {
    "base": {"base"},
    "protocol": {"protocol", "base"},
    "shm": {"shm", "protocol", "base"},
    "transport": {"transport", "base"},
    "client": {"client", "shm", "protocol", "transport", "base", "api"},
    "roles": {"client", "shm", "protocol", "transport", "base", "api"},
    "apps": {"apps", "roles", "client", "shm", "protocol", "transport", "base", "api"},
    "api": {"api"},
    "vocabulary": set(),
}
# Values that every layer speaks of, and what runs a duty cycle.
VOCABULARY = {"stop_signal", "result", "time", "types", "tensor", "agent", "idle", "agent_runner"}

AERON = re.compile(r"^aeron")
# The baseline of the benchmarks is Aeron itself.
KNOWS_AERON = re.compile(r"^(src/transport/(?!loopback/)|benchmarks/aeron/)")
BYTE_LAYOUT = re.compile(r"(^|/)(message_layout|message_codec|payload_pool_layout)\.hpp$")
APP_INCLUDE = re.compile(r"^(toml\+\+/|toml\.hpp$|CLI/|CLI11|iostream$)")
STANDARD_INCLUDE = re.compile(r"^[a-z0-9_]+$")

# (what, tokens, where it may be, why)
TOKENS = [
    (re.compile(r"\bm(un)?map\s*\("), re.compile(r"^src/shm/"), "memory is mapped only in src/shm"),
    (re.compile(r"\batomic_ref\b"), re.compile(r"^src/shm/"), "atomics on mapped memory are only in src/shm"),
    (re.compile(r"\batomic_(thread|signal)_fence\b"), re.compile(r"^src/shm/seqlock\.hpp$"),
     "every fence is in src/shm/seqlock.hpp"),
    (re.compile(r"(?<![\w.>])(?:std::)?(?:sigaction|signal|sigwait|sigwaitinfo|sigtimedwait|signalfd|raise)\s*\("),
     re.compile(r"^(src/apps|examples|tests|benchmarks)/|^src/(shm/sigbus_guard|base/stop_signal)(_test)?\.cpp$"),
     "signals are caught only by applications (masking them is free to all) and by what they ask for"),
    (re.compile(r"\b(secure_)?getenv\s*\("), re.compile(r"^(src/apps|examples|tests|benchmarks)/"),
     "the environment is read only by applications"),
    (re.compile(r"\bstd::cout\b|(?<![\w])(?:v?printf|puts|putchar)\s*\(|\bfprintf\s*\(\s*stdout\b|\b(?:fmt|std)::print(?:ln)?\s*\("),
     re.compile(r"^(src/apps|examples|tests|benchmarks)/"), "only applications print"),
    (re.compile(r"\b(?:fmt|std)::print(?:ln)?\s*\(|\bstd::(?:cout|cerr|clog)\b|\bf(?:printf|puts|putc|write)\s*\("
                r"|(?<!\w)(?:v?printf|puts|putchar|perror|dprintf)\s*\(|\bCLI11_PARSE\b|\bapp\.exit\s*\("),
     re.compile(r"^(?!src/apps/|examples/documents/)"),
     "programs print through apps/support/print.hpp, which neither throws nor loses the exit status"),
]

# path -> rule texts it may break, with the reason beside it.
EXCEPTIONS = {
    # The model puts Relacy's fences in the place of the machine's; it ships nowhere.
    "tests/model/seqlock_relacy_test.cpp": ("every fence is in src/shm/seqlock.hpp",),
    # What a message of raw Aeron costs, beside which ours stands.
    "tests/gates/raw_aeron.cpp": ("Aeron is known only to src/transport",),
    # Maps nothing: tells the system what will be used of memory that Aeron has mapped.
    "src/transport/log_pages.cpp": ("memory is mapped only in src/shm",),
}

FORBIDDEN_DIRECTORIES = {"common", "util", "utils", "helpers", "internal"}
SCANNED = ("src", "include", "tests", "examples", "benchmarks", "python")
SOURCE = (".hpp", ".cpp", ".h", ".c", ".hh", ".cc", ".inl")

COMMENT_OR_TEXT = re.compile(r"""//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+'""", re.DOTALL)
INCLUDE = re.compile(r"""^[ \t]*#[ \t]*include[ \t]*(?:<([^>\n]+)>|"([^"\n]+)")""", re.MULTILINE)


def blank(match):
    """The match with everything but its newlines gone, so that line numbers stay."""
    return re.sub(r"[^\n]", " ", match.group())


def without_comments(text):
    return COMMENT_OR_TEXT.sub(lambda m: blank(m) if m.group().startswith("/") else m.group(), text)


def layer_of(path):
    """(layer, role) of a path in the repository; (None, None) for what no layer owns: tests, examples, benchmarks."""
    parts = path.split("/")
    if parts[:2] == ["include", "tensorpool"]:
        return ("vocabulary" if Path(path).stem in VOCABULARY and len(parts) == 3 else "api"), None
    if parts[0] == "src" and len(parts) > 2:
        return parts[1], parts[2] if parts[1] == "roles" else None
    return None, None


def target_of(path, include, root):
    """The repository path that an include names, or None if it is not ours."""
    if include.startswith("tensorpool/"):
        return "include/" + include
    if include.split("/")[0] in LAYERS and "/" in include:
        return "src/" + include
    beside = os.path.normpath(os.path.join(os.path.dirname(path), include))
    return beside if (root / beside).exists() else None


def check_include(path, include, root):
    """Yields the reasons why `path` may not include `include`."""
    layer, role = layer_of(path)
    in_application = re.match(r"(src/apps|examples|tests|benchmarks)/", path)

    if AERON.match(include) and not KNOWS_AERON.match(path):
        yield "Aeron is known only to src/transport"
    if BYTE_LAYOUT.search(include) and not path.startswith("src/protocol/"):
        yield "the layout of bytes on the wire stays in src/protocol; use protocol/codec.hpp"
    if include == "sys/mman.h" and not path.startswith("src/shm/"):
        yield "memory is mapped only in src/shm"
    if APP_INCLUDE.match(include) and not in_application:
        yield "arguments, TOML and standard output belong to applications"

    target = target_of(path, include, root)
    if layer in ("api", "vocabulary") and target is None and not STANDARD_INCLUDE.match(include):
        yield "public headers include only the standard library and tensorpool/"
    if layer is None or target is None:
        return
    if layer not in LAYERS:
        yield f"src/{layer} is not a layer"
        return
    to_layer, to_role = layer_of(target)
    if to_layer == "vocabulary":
        return
    if layer == "roles" and to_layer == "roles":
        if role != to_role:
            yield f"role {role} may not include its sibling {to_role}"
    elif to_layer not in LAYERS[layer]:
        yield f"{layer} may not include {to_layer or target}"


def check_file(path, root):
    """Yields (line, reason) for each violation in one file."""
    text = without_comments((root / path).read_text(encoding="utf-8", errors="replace"))
    line_of = lambda offset: text.count("\n", 0, offset) + 1
    for match in INCLUDE.finditer(text):
        for reason in check_include(path, match.group(1) or match.group(2), root):
            yield line_of(match.start()), f"{match.group().strip()}: {reason}"
    code = COMMENT_OR_TEXT.sub(blank, text)
    for token, allowed, reason in TOKENS:
        if not allowed.match(path):
            for match in token.finditer(code):
                yield line_of(match.start()), f"{match.group().strip()}: {reason}"


def check(root):
    """All violations of the tree, as printable lines."""
    root = Path(root)
    found = []
    for top in SCANNED:
        for directory, subdirectories, files in os.walk(root / top):
            here = Path(directory).relative_to(root).as_posix()
            found += [f"{here}/{name}: a directory named {name} says nothing about what is in it"
                      for name in subdirectories if name in FORBIDDEN_DIRECTORIES]
            subdirectories.sort()
            for name in sorted(files):
                path = f"{here}/{name}"
                if name.endswith(SOURCE):
                    found += [f"{path}:{line}: {reason}" for line, reason in check_file(path, root)
                              if not any(rule in reason for rule in EXCEPTIONS.get(path, ()))]
    return found


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    found = check(root)
    print("\n".join(found) if found else "layers: clean")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
