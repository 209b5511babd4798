#!/usr/bin/env python3
"""docs/operations.md quotes log lines; each must stand in the source. Words in capitals stand for a value."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])


def texts_of(path):
    """The file's string literals, adjacent ones joined as the compiler joins them."""
    joined = re.sub(r'"\s*\n\s*"', "", path.read_text())
    return re.findall(r'"((?:[^"\\]|\\.)*)"', joined)


def main():
    sources = [p for p in root.glob("src/**/*.cpp") if not p.name.endswith("_test.cpp")]
    known = {text for path in sources for text in texts_of(path)}
    doc = (root / "docs/operations.md").read_text()
    quoted = re.findall(r"^\| `([^`]+)` \| [A-Z0-9]", doc.split("## What the log says")[1], re.M)
    missing = [line for line in quoted if re.sub(r"\b[A-Z]{2,}\b", "{}", line) not in known]
    for line in missing:
        print(f"docs/operations.md quotes a line that no source has: {line}")
    if len(quoted) < 15:
        print(f"only {len(quoted)} quoted lines were found: the table has another form")
        return 1
    return 1 if missing else 0


sys.exit(main())
