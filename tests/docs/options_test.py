#!/usr/bin/env python3
"""docs/tp.md lists every command of tp with every option, as the program itself tells them.

    options_test.py TP SOURCE_DIRECTORY             prints what differs; exit status 1 if anything does
    options_test.py TP SOURCE_DIRECTORY --write     writes the tables

The tables stand between MARKS at the end of each command's section; nobody edits them by hand. A new command needs its heading,
`## tp COMMAND`, and its text.
"""
import difflib
import json
import pathlib
import re
import subprocess
import sys

TP = sys.argv[1]
DOCUMENT = pathlib.Path(sys.argv[2]) / "docs/tp.md"
MARKS = ("<!-- options: written by tests/docs/options_test.py -->", "<!-- end of options -->")
COMMON = "Options of all commands"
# Of every program; told once, in the text.
EVERYWHERE = {"--help", "--help-all", "--version"}


def cell(option):
    """`--count N`"""
    names = ", ".join(option["names"])
    value = option["value"].replace("|", "\\|")
    text = f"`{names}{' ' + value if value and not option['positional'] else ''}`"
    return f"{text}, required" if option["required"] else text


def table(options):
    lines = ["| option | meaning |", "|---|---|"]
    for option in sorted(options, key=lambda option: not option["positional"]):
        meaning = option["description"].replace("|", "\\|")
        default = f" (default {option['default']})" if option["default"] else ""
        lines.append(f"| {cell(option)} | {meaning}{default} |")
    return "\n".join([MARKS[0], *lines, MARKS[1]]) if options else ""


def tables():
    """{heading: table}"""
    told = json.loads(subprocess.run([TP, "help", "--format", "json"], capture_output=True, text=True, check=True).stdout)
    paths = [one["command"] for one in told]
    found = {}
    for one in told:
        options = [option for option in one["options"] if not EVERYWHERE & set(option["names"])]
        if any(path.startswith(one["command"] + " ") for path in paths):
            assert not options, f"{one['command']} has options of its own: the document has no place for them"
            continue
        found[one["command"]] = table([option for option in options if not option["common"]])
        found.setdefault(COMMON, table([option for option in options if option["common"]]))
    return found


def written(text, found):
    """The document with these tables, and what it lacks."""
    bare = re.sub(rf"\n{re.escape(MARKS[0])}\n.*?{re.escape(MARKS[1])}\n", "", text, flags=re.DOTALL)
    parts = re.split(r"^(## .*\n)", bare, flags=re.MULTILINE)
    headings = {parts[i][3:].strip(): i + 1 for i in range(1, len(parts), 2)}
    for heading, content in found.items():
        if heading in headings and content:
            parts[headings[heading]] = f"{parts[headings[heading]].rstrip()}\n\n{content}\n\n"
    missing = [f"docs/tp.md has no section '## {heading}'" for heading in found if heading not in headings]
    missing += [f"docs/tp.md describes '{heading}', which tp does not have"
                for heading in headings if heading.startswith("tp ") and heading not in found]
    return "".join(parts).rstrip() + "\n", missing


def main():
    text = DOCUMENT.read_text()
    right, wrong = written(text, tables())
    if "--write" in sys.argv:
        DOCUMENT.write_text(right)
    else:
        wrong += difflib.unified_diff(text.splitlines(), right.splitlines(), "docs/tp.md", "as tp tells it", lineterm="")
        if right != text:
            wrong.append(f"write them: python3 tests/docs/options_test.py {TP} {sys.argv[2]} --write")
    print("\n".join(wrong))
    return 1 if wrong else 0


sys.exit(main())
