#!/bin/bash
# Puts what `setup`, `status` and `doctor` really print into README.md, between the marks <!-- picture: NAME --> and
# <!-- end -->. Needs what the end-to-end run needs, and root. The pictures are of that run's registry and AWS.
set -euo pipefail
cd "$(dirname "$0")/.."

pictures=$(mktemp -d)
trap 'rm -rf -- "$pictures"' EXIT
# Another case may fail for reasons of its own; what counts here is that the pictures were made.
E2E_PICTURES=$pictures tests/e2e/run.sh "$@" | tail -n 1 || true

for name in setup status doctor; do
    [ -s "$pictures/$name" ] || { echo "readme-pictures: no picture of $name was made" >&2; exit 1; }
    awk -v name="$name" -v picture="$pictures/$name" '
        $0 == "<!-- end -->" { skipping = 0 }
        !skipping { print }
        $0 == "<!-- picture: " name " -->" {
            print "```"
            print "$ docker-credential-ecr-login " name (name == "setup" ? " docker" : "") (name == "status" ? "" : " REGISTRY")
            while ((getline line < picture) > 0) print line
            print "```"
            skipping = 1
        }' README.md >"$pictures/README"
    cp "$pictures/README" README.md
done
