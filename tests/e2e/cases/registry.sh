# The ground that the other cases stand on: without a password the registry gives nothing away.
# shellcheck shell=bash

status_of() {
    curl -s -o /dev/null -w '%{http_code}' --cacert "$work/ca.crt" "$@" "https://$registry/v2/"
}

same "the registry refuses who is not logged in" 401 "$(status_of)"
same "the registry refuses a wrong password" 401 "$(status_of -u AWS:wrong)"

new_home
credentials=$(echo "$registry" | timeout 20 docker-credential-ecr-login get)
same "get answers with ECR's user and token" \
    "{\"ServerURL\":\"$registry\",\"Username\":\"AWS\",\"Secret\":\"$account-auth-token\"}" "$credentials"
