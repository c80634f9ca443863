# What people type: doctor walks the whole way to the registry and back, status shows what is kept.
# shellcheck shell=bash

# kept NAME COMMAND...: keeps what COMMAND shows on a terminal of 80 columns for scripts/readme-pictures.sh, with a person's
# paths for this run's.
kept() {
    local name=$1
    shift
    [ -n "${E2E_PICTURES-}" ] || return 0
    script -qec "stty cols 80; TERM=dumb $(printf '%q ' "$@")" /dev/null </dev/null | tr -d '\r' |
        sed -e "s|$HOME|~|g" -e "s|$work/cache-dated|~/.cache|g" -e "s|$work/bin|/usr/local/bin|g" >"$E2E_PICTURES/$name"
}

new_home
person=(env "${dated_aws[@]}" AWS_CA_BUNDLE="$work/ca.crt" docker-credential-ecr-login)
kept setup "${person[@]}" setup docker "$registry"
set_up_docker

check "warm: fetches a token" "${person[@]}" warm "$registry"
check_says "status: shows the token" "$registry" "${person[@]}" status
kept status "${person[@]}" status
check_says "doctor: the registry accepts the token, and nothing is wrong" "$registry" "${person[@]}" doctor "$registry"
kept doctor "${person[@]}" doctor "$registry"

check_fails "doctor: keys that are missing are found and named" "credentials" \
    env -u AWS_ACCESS_KEY_ID "${person[@]}" doctor "$registry"
check "clear: forgets the token" "${person[@]}" clear "$registry"
same "clear: list names what docker's file names" "{\"$registry\":\"AWS\"}" "$("${person[@]}" list </dev/null)"
