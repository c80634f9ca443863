"""Runs the clients and sees what they do; see run.sh."""

import argparse
import base64
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import document
from definitions import CLIENTS

NEVER = "nothing of these"
PASSWORD = "123456789012-auth-token"
REASON = "the-reason-on-stdout"
LINE = "the-line-on-stderr"
# Seconds that one run of a client may last.
LIMIT = 40

HERE = Path(__file__).resolve().parent


def basic(user):
    return base64.b64encode(f"{user}:{PASSWORD}".encode()).decode()


def auths(key, user):
    return {"auths": {key: {"auth": basic(user)}}}


def helpers(key, helper):
    return {"credHelpers": {key: helper}}


class Run:
    """One person's home, and the files and variables that a client may find there."""

    number = 0

    def __init__(self, lab, client):
        Run.number += 1
        self.lab, self.client, self.variables, self.made = lab, client, {}, []
        self.home = lab.work / "home" / f"p{Run.number}"
        self.home.mkdir(parents=True)
        for folder in ("/run/user/0/containers", "/etc/containers/registries.conf.d"):
            shutil.rmtree(folder, ignore_errors=True)
        Path("/etc/containers/registries.conf").write_text("unqualified-search-registries = []\n")
        self.answers = {}

    def write(self, path, content):
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return self

    def docker(self, content):
        return self.write(self.home / ".docker/config.json", content)

    def answer(self, helper, text):
        self.answers[helper] = text
        return self

    def go(self, command, real=False, counted=True):
        """The outcome of a command; a pair's first one is typed before, and its calls are not counted."""
        lab = self.lab
        if isinstance(command, tuple):
            self.go(command[0], real)
            command = command[1]
        for folder in ("calls", "answers"):
            for old in (lab.probe / folder).iterdir():
                old.unlink()
        for old in lab.probe.glob("docker-credential-*"):
            old.unlink()
        for helper, text in self.answers.items():
            (lab.probe / f"docker-credential-{helper}").symlink_to("helper.sh")
            (lab.probe / "answers" / helper).write_text(text + "\n")
        environment = {
            "PATH": f"{lab.probe}:/usr/local/go/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.home),
            "TMPDIR": "/tmp",
            "LANG": "C.UTF-8",
            "XDG_RUNTIME_DIR": "/run/user/0",
            "DOCKER_HOST": "unix:///run/docker.sock",
            "SSL_CERT_FILE": str(lab.state / "ca.crt"),
            "REQUESTS_CA_BUNDLE": str(lab.state / "ca.crt"),
            "NODE_EXTRA_CA_CERTS": str(lab.state / "ca.crt"),
            "COSIGN_EXPERIMENTAL": "0",
            **self.variables,
        }
        if real:
            for name, value in os.environ.items():
                if name.startswith("AWS_"):
                    environment.setdefault(name, value)
            environment = {name: value for name, value in environment.items() if value is not None}
        seen = lab.users_log.stat().st_size
        line = ["/bin/sh", "-c", lab.fill(command)]
        if not self.client.outside:
            line = ["chroot", str(lab.root), *line]
        try:
            done = subprocess.run(
                line, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                timeout=LIMIT, cwd="/",
            )
            code, output = done.returncode, done.stdout.decode(errors="replace")
        except subprocess.TimeoutExpired as late:
            code, output = 124, f"not done after {LIMIT} s; {(late.stdout or b'').decode(errors='replace')}"
        return Outcome(lab, code, output, seen)


class Outcome:
    def __init__(self, lab, code, output, seen):
        self.worked, self.code, self.output = code == 0, code, output
        self.calls = []
        for name in sorted((lab.probe / "calls").glob("*.name")):
            who, *arguments = name.read_text().split()
            self.calls.append((who, arguments, name.with_suffix(".stdin").read_bytes().decode(errors="replace")))
        with open(lab.users_log) as log:
            log.seek(seen)
            self.users = log.read().split()
        self.lab = lab

    def counted(self):
        """Each different call with its number, in an order of its own: clients call side by side."""
        counts = {}
        for _, arguments, stdin in self.calls:
            call = " ".join([*arguments, self.lab.named(stdin)]).strip()
            counts[call] = counts.get(call, 0) + 1
        return [f"{call} x{number}" if number > 1 else call for call, number in sorted(counts.items())]

    def user(self):
        """Whose password the registry saw last, or the client printed."""
        printed = re.findall(r"user ([a-z-]+) password", self.output)
        return (self.users or printed or [None])[-1]


class Lab:
    def __init__(self, options):
        self.root, self.work = Path(options.root), Path(options.work)
        self.probe, self.state = self.work / "probe", self.work / "state"
        self.registry, self.second, self.foreign = options.registry, options.second, options.foreign
        self.clients = options.clients
        self.users_log = self.work / "log/users"
        shutil.copy(HERE / "helper.sh", self.probe / "helper.sh")

    def fill(self, command, registry=None):
        registry = registry or self.registry
        return command.format(
            image=f"{registry}/app:one", repository=f"{registry}/app", registry=registry,
            second=f"{self.second}/app:one", state=self.state, clients=self.clients, here=HERE,
        )

    def named(self, stdin):
        for name, short in ((self.registry, "REG"), (self.second, "REG2"), (self.foreign, "OTHER")):
            stdin = stdin.replace(name, short)
        # What is stored has the user and the password in it.
        stdin = re.sub(r'^\{.*"Secret".*\}$', "JSON", stdin.strip()) if stdin.startswith("{") else stdin
        return stdin.replace("\n", "\\n")

    def foreign_probe(self, client):
        return self.foreign_of(client.probe)

    def foreign_of(self, command):
        return command.replace("{registry}", self.foreign).replace("{image}", f"{self.foreign}/app:one").replace(
            "{repository}", f"{self.foreign}/app")


def place_docker_config(run, key, user):
    run.variables["DOCKER_CONFIG"] = str(run.home / "docker-config")
    run.write(run.home / "docker-config/config.json", helpers(key, user))


def place_docker_auth_config(run, key, user):
    run.variables["DOCKER_AUTH_CONFIG"] = json.dumps(auths(key, user))


def place_registry_auth_file(run, key, user):
    run.variables["REGISTRY_AUTH_FILE"] = str(run.home / "registry-auth-file.json")
    run.write(run.home / "registry-auth-file.json", helpers(key, user))


def place_registries_conf(run, _key, user):
    Path("/etc/containers/registries.conf").write_text(f'credential-helpers = ["{user}"]\n')


def place_registries_conf_d(run, _key, user):
    folder = Path("/etc/containers/registries.conf.d")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "50.conf").write_text(f'credential-helpers = ["{user}"]\n')


def place_user_registries_conf_d(run, _key, user):
    folder = run.home / ".config/containers/registries.conf.d"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "10.conf").write_text(f'credential-helpers = ["{user}"]\n')


def place_helm(run, key, user):
    run.write(run.home / ".config/helm/registry/config.json", auths(key, user))


def place_regctl(run, key, user):
    run.write(run.home / ".regctl/config.json", {"hosts": {key: {"user": user, "pass": PASSWORD}}})


def file_of(path):
    return lambda run, key, user: run.write((run.home / path) if not path.startswith("/") else path, helpers(key, user))


# Where a client may look, by the name of the user who is found there.
PLACES = {
    "via-docker-auth-config": ("`DOCKER_AUTH_CONFIG`", place_docker_auth_config),
    "via-docker-config": ("`$DOCKER_CONFIG/config.json`", place_docker_config),
    "via-registry-auth-file": ("`$REGISTRY_AUTH_FILE`", place_registry_auth_file),
    "via-user-registries-d": ("`~/.config/containers/registries.conf.d`", place_user_registries_conf_d),
    "via-registries-d": ("`/etc/containers/registries.conf.d`", place_registries_conf_d),
    "via-registries": ("`/etc/containers/registries.conf`", place_registries_conf),
    "via-runtime": ("`$XDG_RUNTIME_DIR/containers/auth.json`", file_of("/run/user/0/containers/auth.json")),
    "via-containers": ("`~/.config/containers/auth.json`", file_of(".config/containers/auth.json")),
    "via-helm": ("`~/.config/helm/registry/config.json`", place_helm),
    "via-regctl": ("`~/.regctl/config.json`", place_regctl),
    "via-notation": ("`~/.config/notation/config.json`", file_of(".config/notation/config.json")),
    "via-apptainer": ("`~/.apptainer/docker-config.json`", file_of(".apptainer/docker-config.json")),
    "via-docker": ("`~/.docker/config.json`", file_of(".docker/config.json")),
}
OWN = {"via-helm": "helm", "via-regctl": "regctl", "via-notation": "notation", "via-apptainer": "apptainer"}


def order_of_places(lab, client):
    """The places that the client reads, the one that wins first."""
    left = [user for user in PLACES if user not in OWN or OWN[user] in client.own]
    order = []
    while left:
        run = Run(lab, client)
        for user in left:
            PLACES[user][1](run, lab.registry, user)
            run.answer(user, f"user {user} {PASSWORD}")
        outcome = run.go(client.probe)
        winner = outcome.user() or next((who for who, *_ in outcome.calls), None)
        if winner not in left:
            break
        order.append(PLACES[winner][0])
        left.remove(winner)
    return order


def verbs(lab, client):
    seen = {}
    for verb, command in client.verbs.items():
        run = Run(lab, client).docker({"credHelpers": {lab.registry: "h", lab.second: "h"}})
        with_helpers = run.answer("h", f"user AWS {PASSWORD}").go(command)
        run = Run(lab, client).docker({"credsStore": "h"})
        with_store = run.answer("h", f"user AWS {PASSWORD}").go(command)
        seen[verb] = {"credHelpers": with_helpers.counted(), "credsStore": with_store.counted()}
        if not with_helpers.worked:
            seen[verb]["failed"] = with_helpers.output[-300:]
    return seen


def names_of_list(lab, client):
    """Whether a verb that asks `list` works by what is listed, as `https://HOST` and as the bare host."""
    seen = {}
    for verb in client.lists:
        for form, name in (("https://HOST", f"https://{lab.registry}"), ("HOST", lab.registry)):
            listed = lab.state / "listed.json"
            listed.write_text(json.dumps({name: "AWS"}))
            run = Run(lab, client).docker({"credsStore": "h"}).answer("h", f"list {listed} {PASSWORD}")
            outcome = run.go(client.verbs[verb])
            seen[f"{verb}, {form}"] = [*outcome.counted(), "works" if outcome.worked else "fails"]
    return seen


def one_file(lab, client):
    """What wins within one file, and which files are read at all."""
    seen = {}
    registry, image = lab.registry, f"{lab.registry}/app"
    both = {**auths(registry, "via-auths"), **helpers(registry, "h")}
    by_path = {**auths(image, "via-auths"), **helpers(registry, "h")}
    empty = {"auths": {registry: {}}, **helpers(registry, "h")}
    words = {"via-auths": "auths", "via-h": "helper", None: "neither"}
    for question, content in (
        ("auths and a helper", both),
        ("auths of REG/repository and a helper", by_path),
        ("an empty entry in auths and a helper", empty),
    ):
        outcome = Run(lab, client).docker(content).answer("h", f"user via-h {PASSWORD}").go(client.probe)
        seen[question] = words.get(outcome.user(), outcome.user())
    outcome = Run(lab, client).docker(both).answer("h", "fail").go(client.probe)
    seen["auths and a helper that fails"] = words.get(outcome.user(), outcome.user())
    outcome = Run(lab, client).docker(both).answer("h", "not-found").go(client.probe)
    seen["auths and a helper without an answer"] = words.get(outcome.user(), outcome.user())

    beside = {"credsStore": "s", **helpers(registry, "h")}
    run = Run(lab, client).docker(beside).answer("h", f"user AWS {PASSWORD}").answer("s", "not-found")
    seen["credsStore beside the helper"] = sorted({who for who, *_ in run.go(client.probe).calls}) or ["neither"]
    run = Run(lab, client).docker(beside).answer("h", f"user AWS {PASSWORD}")
    seen["the credsStore is missing"] = "works" if run.go(client.probe).worked else "fails"

    text = json.dumps(helpers(lab.foreign, "h"))
    for question, content in (
        ("a byte order mark", b"\xef\xbb\xbf" + text.encode()),
        ("an empty file", b""),
        ("null", b"null"),
        ("text after the JSON", text.encode() + b"\nmore"),
    ):
        outcome = Run(lab, client).docker(content).answer("h", "not-found").go(lab.foreign_probe(client))
        seen[question] = "read" if outcome.calls else "passed over" if outcome.worked else "refused"
    return seen


def answers(lab, client):
    """What becomes of an answer that is none, and of what stands on stderr."""
    seen = {}
    probe = lab.foreign_probe(client)
    registered = helpers(lab.foreign, "h")
    for question, answer in (("not found", "not-found"), ("failure", "fail")):
        outcome = Run(lab, client).docker(registered).answer("h", answer).go(probe)
        seen[question] = "goes on" if outcome.worked else "stops"
        if answer == "fail":
            seen["stdout of a failure"] = "shown" if REASON in outcome.output else "hidden"
            seen["stderr of a failure"] = "shown" if LINE in outcome.output else "hidden"
    outcome = Run(lab, client).docker(registered).go(probe)
    seen["helper missing"] = "goes on" if outcome.worked else "stops"
    outcome = Run(lab, client).docker(helpers(lab.registry, "h")).answer("h", f"warned via-h {PASSWORD}").go(client.probe)
    seen["an answer with a line on stderr"] = "taken" if outcome.user() == "via-h" else "lost"
    seen["stderr of an answer"] = "shown" if LINE in outcome.output else "hidden"
    return seen


def through_setup(lab, client, report):
    """Push and pull with the helper itself, in the file that `setup` writes, and a refusal with its reason."""
    def person():
        run = Run(lab, client).answer("ecr-login", "real")
        for registry in (lab.registry, lab.second):
            done = subprocess.run(
                [lab.work / "bin/docker-credential-ecr-login", "setup", client.setup, "--registry", registry],
                env={"HOME": str(run.home), "PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": "/run/user/0"},
                capture_output=True, text=True, timeout=30,
            )
            report.check(f"{client.name}: setup {client.setup}", done.returncode == 0, done.stdout + done.stderr)
        return run

    seen = {}
    for verb, command in (("push", client.push), ("pull", client.pull)):
        if command:
            outcome = person().go(command, real=True)
            report.check(f"{client.name}: {verb} through setup", outcome.worked, outcome.output)
            seen[verb] = outcome.counted()
    if client.pull:
        run = person()
        run.variables.update({"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None})
        outcome = run.go(client.pull, real=True)
        if not client.looks_up:
            report.check(f"{client.name}: without keys the pull fails", not outcome.worked, outcome.output)
        seen["refused, its reason"] = "shown" if "no AWS credentials" in outcome.output else "hidden"
    return seen


class Report:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, name, good, shown=""):
        if good:
            self.passed += 1
            return
        self.failed += 1
        print(f"FAILED  {name}")
        for line in str(shown).splitlines()[-15:]:
            print(f"        | {line}")

    def hold(self, client, table, seen):
        """Holds what was seen of a client against the table. The table's version is the one whose behaviour it has: of
        another one a difference is said and no failure."""
        expected = table.get(client.name)
        if expected is None:
            return self.check(f"{client.name} is in the table", False)
        same = expected["version"] == seen["version"]
        for part in seen:
            if part == "version":
                continue
            for question in sorted({*expected.get(part, {}), *seen[part]} if isinstance(seen[part], dict) else {None}):
                wanted = expected.get(part) if question is None else expected.get(part, {}).get(question)
                found = seen[part] if question is None else seen[part].get(question)
                name = f"{client.name}: {part}{', ' + question if question else ''}"
                if same or wanted == found:
                    self.check(name, wanted == found, f"wanted {wanted}\nfound  {found}")
                else:
                    print(f"differs {name}: version {seen['version']} has {found}, {expected['version']} had {wanted}")


def version_of(lab, client):
    if client.version.startswith("package:"):
        versions = (lab.root / "var/lib/unpacked-versions").read_text()
        found = re.search(rf"^{client.version[8:]} (\d[\d.]*)", versions, re.MULTILINE)
        return found and found.group(1)
    outcome = Run(lab, client).go(client.version)
    found = re.search(r"\d+\.\d+(\.\d+)?", outcome.output)
    return found.group() if outcome.worked and found else None


def prepare(lab):
    """Images in both registries, and a chart."""
    skopeo = next(client for client in CLIENTS if client.name == "skopeo")
    run = Run(lab, skopeo)
    for registry, credentials in ((lab.registry, f"--dest-creds AWS:{PASSWORD}"), (lab.foreign, "")):
        for tag in ("one", "two", "three"):
            outcome = run.go(f"skopeo copy -q {credentials} oci:{{state}}/image:one docker://{registry}/app:{tag}")
            if not outcome.worked:
                sys.exit(f"clients: no image could be pushed: {outcome.output}")
    chart = lab.state / "chart"
    chart.mkdir()
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: chart\nversion: 1.0.0\n")
    subprocess.run(["tar", "-C", lab.state, "-czf", lab.state / "chart-1.0.0.tgz", "chart"], check=True)


def main():
    parser = argparse.ArgumentParser()
    for name in ("root", "work", "clients", "registry", "second", "foreign", "table"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("chosen", nargs="*")
    options = parser.parse_args()
    lab, report, table_file = Lab(options), Report(), Path(options.table)
    table = json.loads(table_file.read_text()) if table_file.exists() else {}
    prepare(lab)
    for client in CLIENTS:
        if options.chosen and client.name not in options.chosen:
            continue
        begun = time.monotonic()
        there = not client.needs or Path(lab.fill(client.needs)).exists()
        version = version_of(lab, client) if there else None
        if version is None:
            if there:
                print(Run(lab, client).go(client.version).output)
            print(f"absent  {client.name}: not on this machine or its mirrors, so not looked at")
            continue
        seen = {"version": version}
        if client.push and not client.pull.startswith("skopeo"):
            # What the pulls and probes read is there before they are counted.
            run = Run(lab, client).docker({"credHelpers": {lab.registry: "h", lab.second: "h"}})
            run.answer("h", f"user AWS {PASSWORD}").go(client.push)
            Run(lab, client).go(lab.foreign_of(client.push))
        if not client.light:
            seen["reads"] = order_of_places(lab, client)
        seen["verbs"] = verbs(lab, client)
        if client.lists:
            seen["list"] = names_of_list(lab, client)
        if not client.light:
            seen["file"] = one_file(lab, client)
            seen["answers"] = answers(lab, client)
        seen["setup"] = through_setup(lab, client, report)
        if options.write:
            table[client.name] = seen
        report.hold(client, table, seen)
        print(f"looked  {client.name} {version}, {time.monotonic() - begun:.0f} s")
        sys.stdout.flush()
    if options.write:
        table = {client.name: table[client.name] for client in CLIENTS if client.name in table}
        table_file.write_text(json.dumps(table, indent=1) + "\n")
        document.write(table, HERE.parents[2] / "docs/clients.md")
    print(f"{report.passed} passed, {report.failed} failed")
    sys.exit(0 if report.failed == 0 and report.passed > 0 else 1)


if __name__ == "__main__":
    main()
