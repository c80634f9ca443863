"""The clients, and what is typed into each.

`probe` reads one image; it is what every question about files and answers is asked with. `verbs` are the client's main
verbs, whose calls of the helper are counted; a verb may be a pair, whose first command is not counted. `push` and `pull`
run through `setup` with the helper itself. In the commands: {image} an image of the registry, {second} of another
account's, {registry} and {repository} its parts, {state} a directory with rootfs.tar and an OCI layout.
"""

from dataclasses import dataclass, field

FILES = "cd {state} &&"


@dataclass
class Client:
    name: str
    version: str
    probe: str
    verbs: dict = field(default_factory=dict)
    push: str = ""
    pull: str = ""
    # `setup podman` instead of `setup docker`.
    setup: str = "docker"
    # Runs in the machine's own root, as what PyPI, npm and Go bring does.
    outside: bool = False
    # What must be there.
    needs: str = ""
    # Verbs with credsStore whose helper is first asked to `list`.
    lists: tuple = ()
    # Whose own files beside the common ones.
    own: tuple = ()
    # Its main verbs alone: it takes seconds for each run.
    light: bool = False
    # Prints the credentials that it found, and asks no registry.
    looks_up: bool = False


def context(name, *lines):
    text = "\\n".join(lines)
    return f"mkdir -p {{state}}/{name} && printf '{text}\\n' >{{state}}/{name}/Dockerfile && "


CLASSIC = context("classic", "FROM {image}", "LABEL by=classic") + "DOCKER_BUILDKIT=0 docker build --pull -q {state}/classic"
THREE = context("three", "FROM {image} AS a", "FROM {second} AS b", "FROM {image}", "COPY --from=a /proof.txt /a", "COPY --from=b /proof.txt /b")
SYNTAX = context("syntax", "# syntax=docker/dockerfile:1", "FROM {image}", "LABEL by=syntax")
TWO = context("two", "FROM {image} AS a", "FROM {second}", "COPY --from=a /proof.txt /a")
COMPOSE = (
    "mkdir -p {state}/compose && cd {state}/compose && printf 'FROM {image}\\nLABEL by=compose\\n' >Dockerfile && "
    "printf 'services:\\n  a: {{image: {image}}}\\n  b: {{image: {second}}}\\n  c: {{image: \"{repository}:two\"}}\\n"
    "  d: {{image: \"{repository}:three\"}}\\n' >pull.yml && "
    "printf 'services:\\n  e: {{image: \"{registry}/built:one\", build: .}}\\n' >build.yml && "
)
COMPOSE_BUILD = COMPOSE + "docker compose -f build.yml build --pull -q"

CUE = (
    "mkdir -p {state}/cue/cue.mod && cd {state}/cue && printf 'module: \"example.test/m@v0\"\nlanguage: version: \"v0.12.0\"\n"
    "source: kind: \"self\"\n' >cue.mod/module.cue && printf 'package m\nx: 1\n' >m.cue && "
    "CUE_REGISTRY={registry} {clients}/go/bin/cue "
)
FLUX_PUSH = (
    "mkdir -p {state}/flux && echo one >{state}/flux/one.yaml && {clients}/go/bin/flux push artifact oci://{registry}/flux:one "
    "--path {state}/flux --source https://example.com/one.git --revision one@sha1:0123456789012345678901234567890123456789"
)
FLUX_PULL = "mkdir -p {state}/flux-out && {clients}/go/bin/flux pull artifact oci://{registry}/flux:one --output {state}/flux-out"
PY = "{clients}/python/bin/python {here}/look_up.py"

CLIENTS = [
    Client(
        "docker",
        "docker --version",
        "docker pull -q {image}",
        verbs={
            "pull": "docker pull -q {image}",
            "push": "docker push -q {image}",
            "create": ("docker rmi -f {image}", "docker create {image} x"),
            "manifest inspect": "docker manifest inspect {image}",
            "classic build": CLASSIC,
            "logout": "docker logout {registry}",
        },
        push="docker push {image}",
        pull="docker pull {image}",
        lists=("classic build",),
    ),
    Client(
        "buildx (BuildKit)",
        "docker buildx version",
        context("probe", "FROM {image}", "LABEL by=probe") + "docker buildx build --pull -q {state}/probe",
        verbs={
            "build, 3 FROM of 2 accounts": THREE + "docker buildx build --pull --no-cache -q {state}/three",
            "build with a # syntax= line": SYNTAX + "docker buildx build --pull --no-cache -q {state}/syntax || true",
            "imagetools inspect": "docker buildx imagetools inspect {image}",
        },
        push=context("push", "FROM {image}", "LABEL by=push") + "docker buildx build -t {registry}/buildx:one --push {state}/push",
        pull=THREE + "docker buildx build --pull --no-cache {state}/three",
    ),
    Client(
        "compose",
        "docker compose version",
        COMPOSE + "printf 'services:\\n  a: {{image: {image}}}\\n' >one.yml && docker compose -f one.yml pull -q",
        verbs={
            "pull of 4 services": COMPOSE + "docker compose -f pull.yml pull -q",
            "build": COMPOSE_BUILD,
            "push": (COMPOSE_BUILD, "cd {state}/compose && docker compose -f build.yml push -q"),
        },
        push=COMPOSE_BUILD + " && docker compose -f build.yml push",
        pull=COMPOSE + "docker compose -f pull.yml pull",
    ),
    Client(
        "podman",
        "podman --version",
        "podman pull -q {image}",
        verbs={
            "pull": "podman pull -q {image}",
            "push": "podman push -q {image}",
            "build, 2 FROM": TWO + "podman build --pull=always --no-cache -q {state}/two",
            "logout": "podman logout {registry}",
        },
        push="podman push {image}",
        pull="podman pull {image}",
        setup="podman",
    ),
    Client(
        "buildah",
        "buildah --version",
        "buildah pull -q --policy always {image}",
        verbs={
            "pull": "buildah pull -q --policy always {image}",
            "push": "buildah push -q {image}",
            "from": "buildah from --pull-always {image}",
            "build, 2 FROM": TWO + "buildah build --pull-always --no-cache -q {state}/two",
        },
        push="buildah push {image}",
        pull="buildah pull --policy always {image}",
        setup="podman",
    ),
    Client(
        "skopeo",
        "skopeo --version",
        "skopeo inspect --no-tags --raw docker://{image}",
        verbs={
            "copy": "skopeo copy -q docker://{image} docker://{repository}:copy",
            "inspect": "skopeo inspect docker://{image}",
            "inspect --no-tags": "skopeo inspect --no-tags docker://{image}",
            "list-tags": "skopeo list-tags docker://{repository}",
        },
        push="skopeo copy oci:{state}/image:one docker://{image}",
        pull="skopeo copy docker://{image} dir:{state}/skopeo-pulled",
        setup="podman",
    ),
    Client(
        "crane",
        # Debian's is built without its version.
        "package:crane",
        "crane manifest {image}",
        verbs={
            "pull": "crane pull {image} {state}/crane.tar",
            "push": ("crane pull {image} {state}/crane.tar", "crane push {state}/crane.tar {image}"),
            "ls": "crane ls {repository}",
            "digest": "crane digest {image}",
            "copy": "crane copy {image} {repository}:copy",
        },
        push="crane push {state}/image {registry}/crane:one",
        pull="crane pull {registry}/crane:one {state}/crane-pulled.tar",
    ),
    Client(
        "oras",
        "oras version",
        "oras manifest fetch {image}",
        verbs={
            "push": FILES + "oras push {registry}/oras:one rootfs.tar",
            "pull": "cd /tmp && oras pull {registry}/oras:one",
            "repo tags": "oras repo tags {repository}",
            "copy": "oras copy {image} {repository}:copy",
        },
        push=FILES + "oras push {registry}/oras:one rootfs.tar",
        pull="cd /tmp && oras pull {registry}/oras:one",
    ),
    Client(
        "cosign",
        "package:cosign",
        "cosign tree {image}",
        verbs={"triangulate": "cosign triangulate {image}", "tree": "cosign tree {image}"},
        pull="cosign tree {image}",
    ),
    Client(
        "notation",
        "notation version",
        "notation ls {image}",
        verbs={"ls": "notation ls {image}", "inspect": "notation inspect {image}"},
        pull="notation ls {image}",
        own=("notation",),
    ),
    Client(
        "apptainer",
        "apptainer --version",
        "apptainer pull --force {state}/apptainer.sif docker://{image}",
        verbs={"pull": "apptainer pull --force {state}/apptainer.sif docker://{image}"},
        pull="apptainer pull --force {state}/apptainer.sif docker://{image}",
        own=("apptainer",),
    ),
    Client(
        "docker-py",
        PY + " version",
        PY + " pull {repository} one",
        verbs={
            "pull": PY + " pull {repository} one",
            "push": PY + " push {repository} one",
            "build": context("docker-py", "FROM {image}", "LABEL by=docker-py") + PY + " build {state}/docker-py",
        },
        push=PY + " push {repository} one",
        pull=PY + " pull {repository} one",
        outside=True,
        needs="{clients}/python/bin/python",
        lists=("build",),
    ),
    Client(
        "testcontainers (npm)",
        "node -p 'require(\"{clients}/npm/node_modules/testcontainers/package.json\").version'",
        "node {here}/look_up.js {clients}/npm {registry}",
        verbs={"look-up": "node {here}/look_up.js {clients}/npm {registry}"},
        pull="node {here}/look_up.js {clients}/npm {registry}",
        outside=True,
        needs="{clients}/npm/node_modules/testcontainers",
        looks_up=True,
    ),
    Client(
        "helm",
        "{clients}/go/bin/helm version --short",
        "{clients}/go/bin/helm show chart oci://{registry}/chart --version 1.0.0",
        verbs={
            "push": "{clients}/go/bin/helm push {state}/chart-1.0.0.tgz oci://{registry}",
            "pull": "cd /tmp && {clients}/go/bin/helm pull oci://{registry}/chart --version 1.0.0",
        },
        push="{clients}/go/bin/helm push {state}/chart-1.0.0.tgz oci://{registry}",
        pull="cd /tmp && {clients}/go/bin/helm pull oci://{registry}/chart --version 1.0.0",
        outside=True,
        needs="{clients}/go/bin/helm",
        own=("helm",),
    ),
    Client(
        "regctl",
        "{clients}/go/bin/regctl version",
        "{clients}/go/bin/regctl manifest get {image}",
        verbs={
            "image digest": "{clients}/go/bin/regctl image digest {image}",
            "tag ls": "{clients}/go/bin/regctl tag ls {repository}",
            "image copy": "{clients}/go/bin/regctl image copy {image} {repository}:copy",
        },
        push="{clients}/go/bin/regctl image copy {image} {repository}:copy",
        pull="{clients}/go/bin/regctl image digest {image}",
        outside=True,
        needs="{clients}/go/bin/regctl",
        lists=("image digest",),
        own=("regctl",),
    ),
    Client(
        "flux",
        "{clients}/go/bin/flux version --client",
        "{clients}/go/bin/flux list artifacts oci://{repository}",
        verbs={
            "push artifact": FLUX_PUSH,
            "tag artifact": (FLUX_PUSH, "{clients}/go/bin/flux tag artifact oci://{registry}/flux:one --tag tagged"),
            "pull artifact": (FLUX_PUSH, FLUX_PULL),
            "list artifacts": (FLUX_PUSH, "{clients}/go/bin/flux list artifacts oci://{registry}/flux"),
        },
        push=FLUX_PUSH,
        pull=FLUX_PULL,
        outside=True,
        needs="{clients}/go/bin/flux",
    ),
    Client(
        "cue",
        "{clients}/go/bin/cue version",
        CUE + "mod publish v0.0.1",
        verbs={"mod publish": CUE + "mod publish v0.0.1"},
        push=CUE + "mod publish v0.0.1",
        pull=CUE + "mod publish v0.0.1",
        outside=True,
        needs="{clients}/go/bin/cue",
    ),
    Client(
        "testcontainers-go",
        "{clients}/go/bin/tc-look-up version",
        "{clients}/go/bin/tc-look-up {image}",
        verbs={"look-up": "{clients}/go/bin/tc-look-up {image}"},
        pull="{clients}/go/bin/tc-look-up {image}",
        outside=True,
        needs="{clients}/go/bin/tc-look-up",
        looks_up=True,
    ),
    Client(
        "Jib",
        "cat {clients}/java/jib.version",
        "java -XX:TieredStopAtLevel=1 -Duser.home=$HOME -cp '{clients}/java/jib/*:{clients}/java/jib/classes' Jib {image}",
        verbs={"look-up": "java -XX:TieredStopAtLevel=1 -Duser.home=$HOME -cp '{clients}/java/jib/*:{clients}/java/jib/classes' Jib {image}"},
        pull="java -XX:TieredStopAtLevel=1 -Duser.home=$HOME -cp '{clients}/java/jib/*:{clients}/java/jib/classes' Jib {image}",
        outside=True,
        needs="{clients}/java/jib.version",
        looks_up=True,
        light=True,
    ),
    Client(
        "Spring Boot (build-image)",
        "cat {clients}/java/spring-boot.version",
        "java -XX:TieredStopAtLevel=1 -Duser.home=$HOME -cp '{clients}/java/spring-boot/*:{clients}/java/spring-boot/classes' SpringBoot {image}",
        verbs={"look-up": "java -XX:TieredStopAtLevel=1 -Duser.home=$HOME -cp '{clients}/java/spring-boot/*:{clients}/java/spring-boot/classes' SpringBoot {image}"},
        pull="java -XX:TieredStopAtLevel=1 -Duser.home=$HOME -cp '{clients}/java/spring-boot/*:{clients}/java/spring-boot/classes' SpringBoot {image}",
        outside=True,
        needs="{clients}/java/spring-boot.version",
        looks_up=True,
    ),
    Client(
        "testcontainers (Java)",
        "cat {clients}/java/testcontainers.version",
        "java -XX:TieredStopAtLevel=1 -Duser.home=$HOME -cp '{clients}/java/testcontainers/*:{clients}/java/testcontainers/classes' Testcontainers {image}",
        verbs={"look-up": "java -XX:TieredStopAtLevel=1 -Duser.home=$HOME -cp '{clients}/java/testcontainers/*:{clients}/java/testcontainers/classes' Testcontainers {image}"},
        pull="java -XX:TieredStopAtLevel=1 -Duser.home=$HOME -cp '{clients}/java/testcontainers/*:{clients}/java/testcontainers/classes' Testcontainers {image}",
        outside=True,
        needs="{clients}/java/testcontainers.version",
        looks_up=True,
    ),
]
