"""The AWS of the end-to-end run: moto, served on loopback.

moto answers a refused call in XML whatever the service; here ECR's refusals have the form and the names that ECR gives
them, which is JSON.

    aws.py serve PORT        moto as it is; it dates every ECR token's end to 2015, so none is ever cached
    aws.py serve-dated PORT  the same, but an ECR token ends 12 hours after it was issued, as AWS's do
    aws.py enforce PORT      from now on PORT's moto checks keys and policies; prints the keys of a user
                             who exists and may do nothing
"""

import os
import sys
from datetime import datetime, timedelta, timezone


def refuse_as_ecr_does():
    from moto.core.exceptions import HTTPException, JsonRESTError
    from moto.ecr.responses import ECRResponse

    names = {"InvalidClientTokenId": "UnrecognizedClientException", "AccessDenied": "AccessDeniedException"}
    authorize = ECRResponse._authenticate_and_authorize_normal_action

    def authorize_or_refuse(self, resource="*"):
        try:
            authorize(self, resource)
        except HTTPException as refusal:
            raise JsonRESTError(names.get(refusal.error_type, refusal.error_type), refusal.message) from None

    ECRResponse._authenticate_and_authorize_normal_action = authorize_or_refuse


def serve(port, dated):
    from moto.server import main

    refuse_as_ecr_does()

    if dated:
        import moto.ecr.responses

        # The module's one use of the name is the date of a token's end.
        moto.ecr.responses.datetime = lambda *_, **__: datetime.now(timezone.utc) + timedelta(hours=12)
    main(["-H", "127.0.0.1", "-p", port])


def enforce(port):
    import urllib.request

    import boto3

    url = f"http://127.0.0.1:{port}"
    iam = boto3.client(
        "iam", endpoint_url=url, region_name="us-east-1", aws_access_key_id="setup", aws_secret_access_key="setup"
    )
    iam.create_user(UserName="powerless")
    key = iam.create_access_key(UserName="powerless")["AccessKey"]
    reset = urllib.request.Request(f"{url}/moto-api/reset-auth", data=b"0", headers={"Content-Type": "text/plain"})
    urllib.request.urlopen(reset).read()
    print(key["AccessKeyId"], key["SecretAccessKey"])


if __name__ == "__main__":
    os.environ.pop("AWS_ENDPOINT_URL", None)
    command, port = sys.argv[1:]
    if command == "enforce":
        enforce(port)
    else:
        serve(port, command == "serve-dated")
