#!/bin/sh
# A credential helper that writes down how it was called, and then answers as it is told to. Linked as
# docker-credential-NAME; beside it lies `calls/`, which gets one file for each call, and `answers/NAME`, which says what is
# answered: `real` (by the helper that is tested), `user USER PASSWORD`, `warned USER PASSWORD` (with a line on
# stderr), `not-found`, `fail`, `list FILE`.
here=${0%/*}
name=${0##*/docker-credential-}
call=$here/calls/$(date +%s%N)-$$
cat >"$call.stdin"
printf '%s %s\n' "$name" "$*" >"$call.name"
read -r answer one two <"$here/answers/$name" || answer=not-found
case $answer-$1 in
real-*) exec "$here/../bin/docker-credential-ecr-login" "$@" <"$call.stdin" ;;
*-list)
    if [ "$answer" = list ]; then cat "$one"; else echo '{}'; fi
    exit
    ;;
*-store | *-erase) exit 0 ;;
*-version) echo "docker-credential-$name 0" ;;
warned-get) echo "the-line-on-stderr" >&2 ;;
esac
case $answer in
user | warned) printf '{"ServerURL":"%s","Username":"%s","Secret":"%s"}\n' "$(cat "$call.stdin")" "$one" "$two" ;;
list) printf '{"ServerURL":"%s","Username":"AWS","Secret":"%s"}\n' "$(cat "$call.stdin")" "$two" ;;
fail)
    echo "the-reason-on-stdout"
    echo "the-line-on-stderr" >&2
    exit 1
    ;;
*)
    echo "credentials not found in native keychain"
    exit 1
    ;;
esac
