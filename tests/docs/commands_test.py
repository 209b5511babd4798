#!/usr/bin/env python3
"""Every command of tp that a document shows exists, with the options that it shows.

    commands_test.py TP SOURCE_DIRECTORY
"""
import functools
import pathlib
import re
import subprocess
import sys

TP = sys.argv[1]
ROOT = pathlib.Path(sys.argv[2])
SHOWN = re.compile(r"(?:^ *|`|/bin/|& |; )tp ([a-z]+\b[^`\n#|&]*)", re.M)


@functools.cache
def help_of(*words):
    """What it says; nothing if there is no such command."""
    text = subprocess.run([TP, *words, "--help-all"], capture_output=True, text=True).stdout
    return text if f"Usage: tp {' '.join(words)} [" in text else ""


def what_is_wrong(shown):
    words = re.match(r"[a-z]+(?: [a-z]+\b(?![./*-]))?", shown).group().split()
    text = help_of(words[0])
    if len(words) > 1 and "SUBCOMMAND" in text:
        text = help_of(*words)
    if not text:
        return "there is no such command"
    unknown = [option for option in re.findall(r"(?<!\S)--[a-z-]+", shown) if not re.search(rf"{option}\b(?!-)", text)]
    return f"it has no {', '.join(unknown)}" if unknown else ""


def main():
    documents = [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")]
    shown = {(path, text.strip()) for path in documents for text in SHOWN.findall(path.read_text())}
    wrong = [(path, text, why) for path, text in sorted(shown) if (why := what_is_wrong(text))]
    for path, text, why in wrong:
        print(f"{path.relative_to(ROOT)} shows `tp {text}`: {why}")
    if len(shown) < 60:
        print(f"only {len(shown)} commands were found: the documents have another form")
        return 1
    return 1 if wrong else 0


sys.exit(main())
