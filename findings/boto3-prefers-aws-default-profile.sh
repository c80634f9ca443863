#!/bin/bash
# With AWS_PROFILE and AWS_DEFAULT_PROFILE both set, boto3 and AWS CLI 1 use the profile that AWS_DEFAULT_PROFILE names.
#
# AWS documents AWS_PROFILE as the variable that chooses a profile, and other SDKs read AWS_DEFAULT_PROFILE as what is left
# where it is unset: AWS CLI 2 lists the two in this order, and the Go helper for ECR 0.12.0 used AWS_PROFILE. So one shell
# gives two programs two accounts, and "aws sts get-caller-identity" of version 1 names the one that Go programs do not use.
#
# Seen with botocore 1.43.62 (boto3 1.43.62) and awscli 1.46.2 on Python 3.11: second, second.
# Needs python3 with venv and its package index. Exits 0 while both do this, 1 if one of them no longer does.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet boto3==1.43.62 awscli==1.46.2
mkdir "$scratch/.aws"
printf '[%s]\naws_access_key_id = %s\naws_secret_access_key = s\n' default default first first second second \
    >"$scratch/.aws/credentials"
both() {
    env -i PATH="$scratch/venv/bin:$PATH" HOME="$scratch" AWS_PROFILE=first AWS_DEFAULT_PROFILE=second "$@"
}
boto3=$(both python -c 'import boto3; print(boto3.Session().get_credentials().access_key)')
cli=$(both aws configure list | awk '$1 == "profile" { print $2 }')
echo "boto3 uses the keys of: $boto3"
echo "awscli uses the profile: $cli"
[ "$boto3" = second ] && [ "$cli" = second ]
