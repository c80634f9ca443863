# What people type: doctor walks the whole way to the registry and back, status shows what is kept.
# shellcheck shell=bash

# kept NAME: keeps the last check's output for scripts/readme-pictures.sh, with a person's paths for this run's.
kept() {
    [ -z "${E2E_PICTURES-}" ] || sed -e "s|$HOME|~|g" -e "s|$work/cache-dated|~/.cache|g" -e "s|$work/bin|/usr/local/bin|g" "$log/out" >"$E2E_PICTURES/$1"
}

new_home
set_up_docker
person=(env "${dated_aws[@]}" AWS_CA_BUNDLE="$work/ca.crt" docker-credential-ecr-login)

check "warm: fetches a token" "${person[@]}" warm "$registry"
check_says "status: shows the token" "$registry" "${person[@]}" status
kept status
check_says "doctor: the registry accepts the token, and nothing is wrong" "$registry" "${person[@]}" doctor "$registry"
kept doctor

check_fails "doctor: keys that are missing are found and named" "credentials" \
    env -u AWS_ACCESS_KEY_ID "${person[@]}" doctor "$registry"
check "clear: forgets the token" "${person[@]}" clear "$registry"
same "clear: list names what docker's file names" "{\"$registry\":\"AWS\"}" "$("${person[@]}" list </dev/null)"
