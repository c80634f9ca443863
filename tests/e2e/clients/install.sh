#!/bin/bash
# Brings the clients that tests/e2e/clients/run.sh looks at, under target/ci: Debian sid's as an unpacked root, and what PyPI,
# npm, Go's modules and Maven have, each by its version. What is there is not brought again. A client that a mirror does not
# have any more, and a language that this machine lacks, is a line on stdout.
#
#   tests/e2e/clients/install.sh
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../../.." || exit 2
mkdir -p target/ci/clients
clients=$(cd target/ci/clients && pwd -P)

lost() {
    echo "clients: $1 is not on this machine's mirrors, so it is not looked at"
}

nice -n 10 tests/portability/unpack-debian.sh sid target/ci/roots/sid --closure base-files dash coreutils ca-certificates \
    docker.io docker-cli docker-buildx docker-compose podman buildah skopeo crane oras cosign notation apptainer \
    2>"$clients/debian.log" || { tail -n 5 "$clients/debian.log" >&2; lost "Debian's sid"; }

if ! "$clients/python/bin/python" -c 'import docker' 2>/dev/null; then
    { /usr/bin/python3 -m venv --clear "$clients/python" &&
        "$clients/python/bin/pip" install --quiet docker==7.2.0; } >&2 || lost "docker-py 7.2.0"
fi

if ! command -v npm >/dev/null; then
    echo "clients: no npm, so no testcontainers of npm"
elif [ ! -d "$clients/npm/node_modules/testcontainers" ]; then
    npm install --prefix "$clients/npm" --no-audit --no-fund --ignore-scripts testcontainers@12.2.0 >&2 ||
        lost "testcontainers 12.2.0 of npm"
fi

# go_program NAME MODULE-PATH@VERSION: its own go.mod pins everything below it.
go_program() {
    [ -x "$clients/go/bin/$1" ] ||
        nice -n 15 go install -ldflags="-s -w" "$2" >&2 || lost "$2"
}

# flux_program VERSION: what flux installs in clusters is made by its release and is not in the module. Nothing is installed
# here, so that an empty file in its place will do.
flux_program() {
    local source copy=$clients/go/flux
    [ ! -x "$clients/go/bin/flux" ] || return 0
    source=$(go mod download -json "github.com/fluxcd/flux2/v2@$1" 2>/dev/null | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",$/\1/p')
    { [ -d "$source" ] && rm -rf "$copy" && cp -r "$source" "$copy" && chmod -R u+w "$copy" &&
        mkdir -p "$copy/cmd/flux/manifests" && echo '# none' >"$copy/cmd/flux/manifests/none.yaml" &&
        (cd "$copy" && nice -n 15 go build -mod=readonly -ldflags="-s -w -X main.VERSION=${1#v}" -o "$clients/go/bin/flux" ./cmd/flux); } >&2 ||
        lost "flux $1"
    rm -rf "$copy"
}

# A version that was not built with Go's toolchain of this machine is not fetched a toolchain for.
export GOMODCACHE=$clients/go/modules GOCACHE=$clients/go/cache GOBIN=$clients/go/bin GOTOOLCHAIN=local CGO_ENABLED=0 \
    GOFLAGS="-trimpath -modcacherw"
if command -v go >/dev/null; then
    go_program regctl github.com/regclient/regclient/cmd/regctl@v0.11.7
    go_program cue cuelang.org/go/cmd/cue@v0.17.1
    flux_program v2.9.5
    go_program helm helm.sh/helm/v4/cmd/helm@v4.3.2
    if [ ! -x "$clients/go/bin/tc-look-up" ]; then
        (cd tests/e2e/clients/testcontainers-go && nice -n 15 go build -mod=readonly -ldflags="-s -w" -o "$clients/go/bin/tc-look-up" .) >&2 ||
            lost "testcontainers-go"
    fi
else
    echo "clients: no Go, so no helm, regctl, flux, cue and testcontainers-go"
fi

# java_library NAME GROUP:ARTIFACT:VERSION PROGRAM: the library and all that it needs, and the program that asks it.
java_library() {
    local name=$1 artifact=$2 program=$3 folder=$clients/java/$1
    [ ! -e "$folder.version" ] || return 0
    mkdir -p "$folder"
    IFS=: read -r group library version <<<"$artifact"
    cat >"$folder/pom.xml" <<END
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>e2e</groupId><artifactId>$name</artifactId><version>1</version>
<dependencies><dependency><groupId>$group</groupId><artifactId>$library</artifactId><version>$version</version></dependency></dependencies>
</project>
END
    if nice -n 10 mvn --batch-mode --quiet -f "$folder/pom.xml" -Dmaven.repo.local="$clients/java/repository" \
        org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DoutputDirectory="$folder" >&2 &&
        nice -n 10 javac -cp "$folder/*" -d "$folder/classes" "tests/e2e/clients/java/$program.java" >&2; then
        echo "$version" >"$folder.version"
    else
        lost "$artifact"
    fi
}

if command -v mvn >/dev/null && command -v java >/dev/null; then
    java_library jib com.google.cloud.tools:jib-core:0.28.1 Jib
    java_library spring-boot org.springframework.boot:spring-boot-buildpack-platform:3.5.7 SpringBoot
    java_library testcontainers org.testcontainers:testcontainers:1.21.4 Testcontainers
else
    echo "clients: no Java with Maven, so no Jib, Spring Boot and testcontainers of Java"
fi
