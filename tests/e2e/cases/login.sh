# Signing in to IAM Identity Center with a real browser, for us and for the AWS CLI and boto3 of PyPI; and the reverse.
# shellcheck shell=bash

sign_in_port=5003
sign_in=http://127.0.0.1:$sign_in_port

# asked PATH GRANT: how often the sign-in service was asked so.
asked() {
    curl -s "$sign_in/log" | "$E2E_MOTO/bin/python" -c '
import json, sys
path, grant = sys.argv[1], sys.argv[2] or None
print(sum(call["path"] == path and call["grant"] == grant for call in json.load(sys.stdin)))' "$1" "${2-}"
}

if have chromium; then
    start_service sign_in "$E2E_MOTO/bin/python" "$here/sign_in.py" "$sign_in_port"
    wait_for "the sign-in service" curl -s "$sign_in/log"
    new_home
    set_up_docker
    mkdir -p "$HOME/.aws"
    cat >"$HOME/.aws/config" <<END
[sso-session corp]
sso_start_url = https://d-1234567890.awsapps.com/start
sso_region = us-east-1
sso_registration_scopes = sso:account:access
[profile dev]
sso_session = corp
sso_account_id = $account
sso_role_name = Pull
region = us-east-1
END
    # Nobody has keys; the AWS is moto, and IAM Identity Center the stand-in.
    laptop=(env -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY -u SSH_CONNECTION "${dated_aws[@]}" AWS_PROFILE=dev
        AWS_ENDPOINT_URL_SSO="$sign_in" AWS_ENDPOINT_URL_SSO_OIDC="$sign_in"
        BROWSER="$E2E_MOTO/bin/python $here/browser.py")
    boto=("${laptop[@]}" "$E2E_MOTO/bin/python" -c '
import boto3
print(boto3.client("ecr").get_authorization_token()["authorizationData"][0]["proxyEndpoint"])')

    # With stdout and stderr in one file it would write no reason beside a not-found.
    # shellcheck disable=SC2016 # the inner shell's
    check_fails "login: before it a pull names the command" "login --profile dev" \
        bash -c '{ "$@" <<<"'"$registry"'" 2>&1 >&3 | cat; exit "${PIPESTATUS[0]}"; } 3>&1' - \
        "${laptop[@]}" docker-credential-ecr-login get
    check_says "login: Chromium clicks through the sign-in page" "signed in to the SSO session corp: good for .*profile dev: $registry" \
        "${laptop[@]}" docker-credential-ecr-login login
    same "login: the code was exchanged once" 1 "$(asked /token authorization_code)"
    check_says "login: a second one uses the registration again" "signed in to the SSO session corp" \
        "${laptop[@]}" docker-credential-ecr-login login
    same "login: the client was registered once" 1 "$(asked /client/register)"
    check_says "login: the AWS CLI uses our login" "auth-token" "${laptop[@]}" "$E2E_MOTO/bin/aws" ecr get-login-password
    check_says "login: boto3 uses our login" "$account" "${boto[@]}"

    # The access token has ended: boto3 renews it with our refresh token and writes the file, and we use what it wrote.
    login=$(grep -l refreshToken "$HOME"/.aws/sso/cache/*.json)
    sed -i 's/"expiresAt": "[^"]*"/"expiresAt": "2026-01-01T00:00:00Z"/' "$login"
    check_says "login: boto3 renews our login" "$account" "${boto[@]}"
    same "login: with the refresh token that we kept" 1 "$(asked /token refresh_token)"
    check "login: the old token is forgotten" "${laptop[@]}" docker-credential-ecr-login clear
    check_says "login: we use the login that boto3 wrote" '"Username":"AWS"' \
        bash -c 'exec "$@" <<<"'"$registry"'"' - "${laptop[@]}" docker-credential-ecr-login get
    same "login: as it is" 1 "$(asked /token refresh_token)"
    sed -i 's/"expiresAt": "[^"]*"/"expiresAt": "2026-01-01T00:00:00Z"/' "$login"
    check "login: the token is forgotten again" "${laptop[@]}" docker-credential-ecr-login clear
    check_says "login: and renew it in our turn" '"Username":"AWS"' \
        bash -c 'exec "$@" <<<"'"$registry"'"' - "${laptop[@]}" docker-credential-ecr-login get
    check_says "login: which boto3 then uses" "$account" "${boto[@]}"
    same "login: each refresh token was used once" 2 "$(asked /token refresh_token)"

    check_says "login: a device code, with Chromium opened for it" "signed in to the SSO session corp: good for" \
        "${laptop[@]}" docker-credential-ecr-login login --device-code
    check_says "login: the AWS CLI uses that login too" "auth-token" "${laptop[@]}" "$E2E_MOTO/bin/aws" ecr get-login-password
    same "login: nothing but a login and a registration is left" 2 "$(find "$HOME/.aws/sso/cache" -type f | wc -l)"
fi
