"""docs/clients.md, from the table that the run holds the clients against."""

HEAD = """# What clients do with a credential helper

Made by `tests/e2e/clients/run.sh --write` from what each client did; do not edit. `.ci/run clients` runs the same probes and
fails if a client of the same version does something else. docker, buildx, compose, podman, buildah, skopeo, crane, oras,
cosign, notation and apptainer are Debian sid's; the others come from PyPI, npm, Go's modules and Maven.

`REG` and `REG2` are ECR registries of two accounts. What to do where a client does not find the helper, or finds an old
login first: `docker-credential-ecr-login doctor`, and [troubleshooting.md](troubleshooting.md).
"""


def table(heads, rows):
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def calls(found):
    return ", ".join(f"`{call}`" for call in found) or "none"


def write(seen, path):
    parts = [HEAD]
    parts.append("\n## Files and variables\n\nThose that were read of all that were offered, the one that wins first.\n\n")
    parts.append(table(
        ["client", "version", "reads"],
        [
            [name, client["version"], ", ".join(client["reads"]) or "none of them"]
            for name, client in seen.items()
            if "reads" in client
        ],
    ))
    parts.append(
        "\n## Calls of the helper\n\nThe action and what stands on stdin, byte for byte (`\\n` is a newline), for one command; `x2` is"
        " twice. A verb that failed all the same (a `# syntax=` line without Docker Hub) is counted as far as it came.\n\n"
    )
    parts.append(table(
        ["client", "command", "with `credHelpers`", "with `credsStore`"],
        [
            [name, verb, calls(found["credHelpers"]), calls(found["credsStore"])]
            for name, client in seen.items()
            for verb, found in client["verbs"].items()
        ],
    ))
    lists = [
        [name, *question.rsplit(", ", 1), calls(found[:-1]), found[-1]]
        for name, client in seen.items()
        for question, found in client.get("list", {}).items()
    ]
    parts.append("\n## `list`\n\nWhich clients ask for all names first, with `credsStore`; and what follows from the form of the names.\n\n")
    parts.append(table(["client", "command", "named", "calls", "the command"], lists))
    parts.append("\n## Within one file\n\nWhose password the registry was shown, with the helper and something else in docker's file.\n\n")
    questions = [
        ("auths and a helper", "`auths` too"),
        ("auths of REG/repository and a helper", "`auths` of `REG/repository` too"),
        ("an empty entry in auths and a helper", "an empty entry in `auths` too"),
        ("auths and a helper that fails", "`auths` too, the helper fails"),
        ("auths and a helper without an answer", "`auths` too, not found"),
        ("credsStore beside the helper", "asked, with a `credsStore` (s) beside the helper (h)"),
        ("the credsStore is missing", "that store is missing"),
    ]
    parts.append(table(
        ["client", *(head for _, head in questions)],
        [
            [name, *(shown(client["file"][question]) for question, _ in questions)]
            for name, client in seen.items()
            if "file" in client
        ],
    ))
    parts.append("\nA file that is not plain JSON: read, passed over (the client goes on without it), or refused (the client stops).\n\n")
    questions = ["a byte order mark", "an empty file", "null", "text after the JSON"]
    parts.append(table(
        ["client", *questions],
        [[name, *(client["file"][question] for question in questions)] for name, client in seen.items() if "file" in client],
    ))
    parts.append("\n## Answers\n\nWhat the client makes of them, at a registry that wants no password.\n\n")
    questions = [
        "not found", "failure", "stdout of a failure", "stderr of a failure", "helper missing",
        "an answer with a line on stderr", "stderr of an answer",
    ]
    parts.append(table(
        ["client", *questions],
        [
            [name, *(client["answers"][question] for question in questions)]
            for name, client in seen.items()
            if "answers" in client
        ],
    ))
    parts.append("\n## Through `setup`\n\nWith this helper and the file that `setup` wrote: the calls, and whether a user without AWS keys sees the reason.\n\n")
    parts.append(table(
        ["client", "push", "pull", "the reason of a refusal"],
        [
            [name, *(calls(client["setup"][verb]) if verb in client["setup"] else "-" for verb in ("push", "pull")),
             client["setup"].get("refused, its reason", "-")]
            for name, client in seen.items()
        ],
    ))
    path.write_text("".join(parts))


def shown(found):
    return ", ".join(found) if isinstance(found, list) else found
