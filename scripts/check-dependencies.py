#!/usr/bin/env python3
"""What cargo-deny does not look at, over all crates of Cargo.lock that one of our platforms uses, those of the tests and
benchmarks included.

    scripts/check-dependencies.py

- The crates that run code while building (build scripts, procedural macros) are those of .ci/runs-while-building.
- No crate asks for a newer Rust than `rust-version` in Cargo.toml.

Prints what it found; exit code 1 if either does not hold.
"""

import json
import subprocess
import sys
from pathlib import Path

PLATFORMS = [
    "x86_64-unknown-linux-gnu",
    "aarch64-unknown-linux-gnu",
    "x86_64-apple-darwin",
    "aarch64-apple-darwin",
    "x86_64-pc-windows-msvc",
]
KINDS = {"custom-build": "script", "proc-macro": "macro"}

top = Path(__file__).resolve().parent.parent


def metadata():
    command = ["cargo", "metadata", "--locked", "--all-features", "--format-version", "1"]
    for platform in PLATFORMS:
        command += ["--filter-platform", platform]
    everything = json.loads(subprocess.run(command, cwd=top, check=True, stdout=subprocess.PIPE).stdout)
    used = {node["id"] for node in everything["resolve"]["nodes"]}
    return [package for package in everything["packages"] if package["id"] in used]


def listed():
    """Lines of the list: crate, kind, and what it does there."""
    found = set()
    for line in (top / ".ci/runs-while-building").read_text().splitlines():
        if line and not line.startswith("#"):
            crate, kind, _reason = line.split(maxsplit=2)
            found.add((crate, kind))
    return found


def version(text):
    numbers = [int(number) for number in text.split(".")]
    return numbers + [0] * (3 - len(numbers))


def main():
    packages = metadata()
    ours = next(package for package in packages if package["name"] == "docker-credential-ecr-login")
    others = [package for package in packages if package["source"] is not None]
    faults = []

    running = {
        (package["name"], KINDS[kind])
        for package in others
        for target in package["targets"]
        for kind in target["kind"]
        if kind in KINDS
    }
    for crate, kind in sorted(running - listed()):
        faults.append(f"{crate} runs a {kind} while building and is not in .ci/runs-while-building")
    for crate, kind in sorted(listed() - running):
        faults.append(f"{crate} runs no {kind} while building; take it out of .ci/runs-while-building")

    said = [package for package in others if package["rust_version"]]
    for package in said:
        if version(package["rust_version"]) > version(ours["rust_version"]):
            faults.append(
                f"{package['name']} {package['version']} needs Rust {package['rust_version']}, "
                f"and Cargo.toml promises {ours['rust_version']}"
            )
    newest = max((version(package["rust_version"]), package["name"]) for package in said)

    print("\n".join(faults), file=sys.stderr, end="\n" if faults else "")
    print(
        f"{len(others)} crates, {len(running)} build scripts and procedural macros; {len(said)} say which Rust they "
        f"need, at most {'.'.join(map(str, newest[0]))} (ours: {ours['rust_version']})"
    )
    return 1 if faults else 0


sys.exit(main())
