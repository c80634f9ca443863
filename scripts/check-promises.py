#!/usr/bin/env python3
"""Holds tests/promises.md against the tests: every test and script that it names exists, and every promise has a test in
`cargo test`. And holds the documents for users to naming no test.

Usage: scripts/check-promises.py     from the top of the repository; builds the test programs if they are not built
"""

import fnmatch
import os
import re
import subprocess
import sys

TABLE = "tests/promises.md"
# What `cargo test` runs, and what only a command of its own runs.
QUICK = ["integration", "fuzz", "sdk_conformance"]
LONG = ["fault_injection", "load", "security"]


def tests_of(option):
    """The names of the tests of one program."""
    command = ["cargo", "test", "--quiet", "--locked", *option, "--", "--list", "--format", "terse"]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {line.removesuffix(": test") for line in listing.splitlines() if line.endswith(": test")}


def rows(text):
    """Line number, promise, and the names of the two other columns."""
    for number, line in enumerate(text.splitlines(), 1):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|") or cells[0] == "promise" or set(cells[0]) <= set("-: "):
            continue
        if len(cells) != 3:
            raise SystemExit(f"{TABLE}:{number}: {len(cells)} cells, not 3")
        yield number, cells[0], *(re.findall(r"`([^`]+)`", cell) for cell in cells[1:])


def is_command(name):
    """Whether it is a script or a step of the gate, not a test."""
    return "/" in name.split()[0]


def command_exists(name):
    path, *parts = name.split()
    if not os.path.isfile(path):
        return False
    folder = {"scripts/prove.sh": "scripts/proofs", ".ci/run": ".ci/steps"}.get(path)
    return folder is None or all(has_part(folder, part) for part in parts)


def has_part(folder, part):
    return any(part in file for file in os.listdir(folder))


def tests_in_documents(tests):
    """The documents for users that name a test. A name of few words may stand for something else."""
    names = {name.rsplit("::", 1)[-1] for name in tests}
    names = {name for name in names if name.count("_") >= 3}
    documents = ["README.md", *(f"docs/{name}" for name in sorted(os.listdir("docs")) if name.endswith(".md"))]
    for document in documents:
        for number, line in enumerate(open(document, encoding="utf-8"), 1):
            found = names.intersection(re.findall(r"\w+", line)) or re.findall(r"--test \w+|--lib \w+", line)
            if found:
                yield f"{document}:{number}: names a test: {', '.join(sorted(found))}"


def main():
    tests = {f"lib::{name}" for name in tests_of(["--lib"])}
    for program in QUICK + LONG:
        tests |= {f"{program}::{name}" for name in tests_of(["--test", program])}
    faults, count = list(tests_in_documents(tests)), 0
    for number, promise, quick, more in rows(open(TABLE, encoding="utf-8").read()):
        count += 1
        where = f"{TABLE}:{number}: {promise}"
        if not quick:
            faults.append(f"{where}: no test in `cargo test`")
        for name in quick + more:
            if is_command(name):
                exists = command_exists(name) and name in more
            else:
                exists = bool(fnmatch.filter(tests, name))
            if not exists:
                faults.append(f"{where}: there is no {name}")
        faults += [f"{where}: {name} is not part of `cargo test`" for name in quick if name.split("::")[0] in LONG]
    if faults or not count:
        sys.exit("\n".join(faults) or f"{TABLE} has no promise")
    print(f"{count} promises, {len(tests)} tests")


if __name__ == "__main__":
    main()
