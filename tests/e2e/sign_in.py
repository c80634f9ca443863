"""IAM Identity Center for the end-to-end run: its OIDC service, a sign-in page, and the portal that gives a role's keys
to whoever has an access token.

    sign_in.py PORT

The requests and answers are those of https://docs.aws.amazon.com/singlesignon/latest/OIDCAPIReference/Welcome.html.
GET /log is what was asked so far, as JSON.
"""

import base64
import hashlib
import html
import json
import secrets
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from urllib.parse import parse_qs, urlsplit

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
REDIRECT_WITHOUT_PORT = "http://127.0.0.1/oauth/callback"
KEYS = {"accessKeyId": "ASIAE2EE2EE2EE2EE2EE", "secretAccessKey": "e2e-secret", "sessionToken": "e2e-session"}

lock = Lock()
clients, codes, devices, access_tokens, refresh_tokens = {}, {}, {}, {}, {}
asked = []


class Refused(Exception):
    def __init__(self, exception, status=400):
        super().__init__(exception)
        self.exception, self.status = exception, status


def register(body):
    if body.get("clientType") != "public" or not body.get("clientName"):
        raise Refused("InvalidClientMetadataException")
    if "authorization_code" in body.get("grantTypes", []):
        if body.get("redirectUris") != [REDIRECT_WITHOUT_PORT] or not body.get("issuerUrl"):
            raise Refused("InvalidRedirectUriException")
    client = {"clientId": secrets.token_hex(8), "clientSecret": secrets.token_hex(32)}
    clients[client["clientId"]] = {**client, "scopes": body.get("scopes", []), "grants": body.get("grantTypes", [])}
    now = int(time.time())
    return {**client, "clientIdIssuedAt": now, "clientSecretExpiresAt": now + 90 * 86400}


def client_of(body):
    client = clients.get(body.get("clientId"))
    if not client or client["clientSecret"] != body.get("clientSecret"):
        raise Refused("InvalidClientException", 401)
    return client


def authorize(query, url):
    client = clients.get(query.get("client_id"))
    right = (
        client
        and "authorization_code" in client["grants"]
        and query.get("scopes", "").split() == client["scopes"]
        and query.get("response_type") == "code"
        and query.get("code_challenge_method") == "S256"
        and len(query.get("code_challenge", "")) == 43
        and query.get("state")
        and query.get("redirect_uri", "").startswith("http://127.0.0.1:")
        and query["redirect_uri"].endswith("/oauth/callback")
    )
    if not right:
        raise Refused("InvalidRequestException")
    code = secrets.token_hex(16)
    codes[code] = {**query, "client": client}
    allow = html.escape(f"{url}/allow?code={code}&state={query['state']}")
    return f'<!doctype html><title>Sign in</title><h1>Sign in</h1><a id="allow" href="{allow}">Allow access</a>'


def start_device(body, url):
    client = client_of(body)
    code, user_code = secrets.token_hex(16), "-".join(secrets.token_hex(2).upper() for _ in range(2))
    devices[code] = {"client": client, "user_code": user_code, "approved": False}
    return {
        "deviceCode": code,
        "userCode": user_code,
        "verificationUri": f"{url}/device",
        "verificationUriComplete": f"{url}/device?user_code={user_code}",
        "expiresIn": 600,
        "interval": 1,
    }


def token(body):
    client, grant = client_of(body), body.get("grantType")
    if grant == "authorization_code":
        known = codes.pop(body.get("code"), None)
        digest = hashlib.sha256(body.get("codeVerifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if not known or known["client"] is not client or known["code_challenge"] != challenge:
            raise Refused("InvalidGrantException")
        if known["redirect_uri"] != body.get("redirectUri"):
            raise Refused("InvalidGrantException")
    elif grant == DEVICE_GRANT:
        device = devices.get(body.get("deviceCode"))
        if not device or device["client"] is not client:
            raise Refused("InvalidGrantException")
        if not device["approved"]:
            raise Refused("AuthorizationPendingException")
    elif grant == "refresh_token":
        if refresh_tokens.pop(body.get("refreshToken"), None) is not client:
            raise Refused("InvalidGrantException")
    else:
        raise Refused("UnsupportedGrantTypeException")
    answer = {"accessToken": secrets.token_hex(32), "tokenType": "Bearer", "expiresIn": 8 * 3600}
    access_tokens[answer["accessToken"]] = grant
    if client["scopes"]:
        answer["refreshToken"] = secrets.token_hex(32)
        refresh_tokens[answer["refreshToken"]] = client
    return answer


def role_credentials(headers):
    grant = access_tokens.get(headers.get("x-amz-sso_bearer_token"))
    if not grant:
        raise Refused("UnauthorizedException", 401)
    return {"roleCredentials": {**KEYS, "expiration": int(time.time() + 3600) * 1000}}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, content_type, text, headers=()):
        body = text.encode()
        self.send_response(status)
        for name, value in (("Content-Type", content_type), ("Content-Length", str(len(body))), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def handle_request(self, method):
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        length = int(self.headers.get("Content-Length", 0))
        raw = self.rfile.read(length)
        body = json.loads(raw) if raw.startswith(b"{") else {}
        url = f"http://{self.headers['Host']}"
        with lock:
            if parts.path not in ("/log", "/favicon.ico"):
                asked.append({"path": parts.path, "grant": body.get("grantType")})
            try:
                match (method, parts.path):
                    case ("POST", "/client/register"):
                        answer = register(body)
                    case ("POST", "/device_authorization"):
                        answer = start_device(body, url)
                    case ("POST", "/token"):
                        answer = token(body)
                    case ("GET", "/federation/credentials"):
                        answer = role_credentials(self.headers)
                    case ("GET", "/log"):
                        answer = asked
                    case ("GET", "/authorize"):
                        return self.answer(200, "text/html", authorize(query, url))
                    case ("GET", "/device"):
                        allow = html.escape(f"{url}/approve?user_code={query.get('user_code', '')}")
                        page = f'<!doctype html><h1>Allow?</h1><a id="allow" href="{allow}">Allow access</a>'
                        return self.answer(200, "text/html", page)
                    case ("GET", "/approve"):
                        for device in devices.values():
                            device["approved"] |= device["user_code"] == query.get("user_code")
                        return self.answer(200, "text/html", "<!doctype html><p>You can close this window.</p>")
                    case ("GET", "/allow"):
                        known = codes[query["code"]]
                        back = f"{known['redirect_uri']}?code={query['code']}&state={query['state']}"
                        return self.answer(302, "text/html", "", [("Location", back)])
                    case _:
                        return self.answer(404, "text/plain", "no such page")
            except Refused as refused:
                name = refused.exception.removesuffix("Exception")
                error = "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
                body = json.dumps({"error": error, "error_description": "as documented", "message": error})
                headers = [("x-amzn-ErrorType", refused.exception)]
                return self.answer(refused.status, "application/json", body, headers)
            return self.answer(200, "application/json", json.dumps(answer))

    def do_GET(self):
        self.handle_request("GET")

    def do_POST(self):
        self.handle_request("POST")


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
