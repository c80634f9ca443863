#!/usr/bin/env python3
"""The table of docs/performance.md: what each direct dependency costs in crates, processor seconds and bytes.

    scripts/dependency-costs.py        needs nm (binutils); builds the release binary from nothing, symbols kept

"Goes with it" are the crates that nobody else needs: without the dependency they would not be there. Seconds are the
compiler's user and system time, so that they do not depend on what else the machine does; the last step, which turns
everything into one program, is ours. Bytes are those of the symbols of the linked program, by the crate that a symbol's
name starts with: a generic function counts for the crate that wrote it, inlined code for the one it ended up in.
"""

import collections
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
TARGET = TOP / "target/costs"
LOG = "DEPENDENCY_COSTS_LOG"
# They come and go together.
GROUPS = {
    "the AWS SDK (aws-*)": lambda name: name.startswith("aws-"),
    "TLS (rustls, tokio-rustls, ring, webpki-roots)": {
        "rustls", "tokio-rustls", "ring", "webpki-roots"}.__contains__,
    "HTTP (hyper, hyper-util, http, http-body-util, tower-service)": {
        "hyper", "hyper-util", "http", "http-body-util", "tower-service"}.__contains__,
    "command line (clap, clap_complete, clap_mangen)": {"clap", "clap_complete", "clap_mangen"}.__contains__,
    "TOML (toml, toml_edit)": {"toml", "toml_edit"}.__contains__,
    "JSON (serde, serde_json)": {"serde", "serde_json"}.__contains__,
}


def compile_and_note(command):
    """What cargo calls in rustc's place."""
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    if "--crate-name" in command:
        crate = command[command.index("--crate-name") + 1]
        with open(os.environ[LOG], "a") as log:
            log.write(f"{crate} {usage.ru_utime + usage.ru_stime:.3f}\n")
    return os.waitstatus_to_exitcode(status)


def build():
    shutil.rmtree(TARGET, ignore_errors=True)
    TARGET.mkdir(parents=True)
    log = TARGET / "seconds"
    environment = dict(os.environ, CARGO_TARGET_DIR=str(TARGET), RUSTC_WRAPPER=str(Path(__file__).resolve()))
    environment[LOG] = str(log)
    command = ["scripts/build-release.sh", "--config", "profile.release.strip=false"]
    binary = subprocess.run(command, cwd=TOP, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    seconds = collections.Counter()
    for line in log.read_text().splitlines():
        crate, spent = line.split()
        seconds[crate] += float(spent)
    return binary.stdout.strip(), seconds


def graph():
    """The crates of the program and of its build, and who needs whom, as cargo resolves them without the tests."""
    host = re.search(r"host: (\S+)", subprocess.check_output(["rustc", "-vV"], text=True))[1]
    tree = subprocess.check_output(
        ["cargo", "tree", "--locked", "--target", host, "--edges", "normal,build", "--prefix", "depth"], cwd=TOP, text=True
    )
    needs, path = collections.defaultdict(set), []
    for line in tree.splitlines():
        depth, crate = re.match(r"(\d+)(\S+ \S+)", line).groups()
        del path[int(depth):]
        if path:
            needs[path[-1]].add(crate)
        path.append(crate)
    return next(iter(needs)), needs


def reached(start, needs, without=frozenset()):
    found, waiting = set(), [start]
    while waiting:
        crate = waiting.pop()
        if crate not in found and crate not in without:
            found.add(crate)
            waiting += needs[crate]
    return found


def sizes(binary, crates):
    """Bytes by crate. A symbol's first path segment that is a crate's name says whose it is."""
    known = {crate.split()[0].replace("-", "_") for crate in crates} | {"ecr_login"}
    by_crate, seen = collections.Counter(), set()
    listing = subprocess.check_output(["nm", "--print-size", "--demangle=rust", binary], text=True)
    for line in listing.splitlines():
        fields = line.split(maxsplit=3)
        # Functions with the same code, and a function's other names, have one address.
        if len(fields) < 4 or fields[2] in "bB" or fields[0] in seen:
            continue
        seen.add(fields[0])
        name = fields[3]
        segments = [segment for segment in re.findall(r"([A-Za-z_]\w*)(?=::|\[)", name) if segment in known]
        if segments:
            owner = segments[0]
        elif name.startswith("ring_core") or "nistz256" in name:
            owner = "ring"
        elif re.match(r"[<&(\[*]*(dyn |mut )*(std|core|alloc|hashbrown|compiler_builtins|gimli|addr2line)\b", name):
            owner = "(standard library)"
        elif "::" in name:
            owner = "(other Rust)"
        else:
            owner = "(C library)"
        by_crate[owner] += int(fields[1], 16)
    return by_crate


def name(crate):
    return crate.split()[0]


def main():
    binary, seconds = build()
    root, needs = graph()
    everything = reached(root, needs)
    by_crate = sizes(binary, everything)

    def total(counter, crates):
        return sum(counter[name(crate).replace("-", "_")] for crate in crates)

    grouped = {}
    for crate in needs[root]:
        label = next((label for label, belongs in GROUPS.items() if belongs(name(crate))), name(crate))
        grouped.setdefault(label, set()).add(crate)
    rows = []
    for label, crates in grouped.items():
        needed_by_others = reached(root, {k: v - crates if k == root else v for k, v in needs.items()} | {
            leaf: set() for leaf in everything if leaf not in needs})
        goes = everything - needed_by_others
        rows.append((total(by_crate, crates), label, crates, goes))
    print("| dependency | its own KB | crates that go with it | KB of all of them | compile seconds of all of them |")
    print("|---|---:|---:|---:|---:|")
    for own, label, _, goes in sorted(rows, reverse=True, key=lambda row: (total(by_crate, row[3]), row[0])):
        print(f"| {label} | {own / 1000:.0f} | {len(goes)} | {total(by_crate, goes) / 1000:.0f} | {total(seconds, goes):.1f} |")
    several = everything - {root} - set().union(*(row[3] for row in rows))
    print(f"| needed by several of them | | {len(several)} | {total(by_crate, several) / 1000:.0f} | {total(seconds, several):.1f} |")
    print(f"| this package | | 1 | {(by_crate['ecr_login'] + by_crate[name(root).replace('-', '_')]) / 1000:.0f} "
          f"| {seconds['ecr_login'] + seconds[name(root).replace('-', '_')]:.1f} |")
    for label in ("(standard library)", "(C library)", "(other Rust)"):
        print(f"| {label} | | | {by_crate[label] / 1000:.0f} | |")
    print(f"\n{len(everything) - 1} crates, {sum(seconds.values()):.0f} compiler seconds. The largest crates, in KB:",
          ", ".join(f"{crate} {size / 1000:.0f}" for crate, size in by_crate.most_common(40)))


if LOG in os.environ:
    sys.exit(compile_and_note(sys.argv[1:]))
main()
