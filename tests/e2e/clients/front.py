"""TLS in front of a registry without it, and a line in a file for each user who gives a password: the registry itself does
not say whose password it took.

    front.py ADDRESS PORT CERTIFICATE KEY FILE [REALM]     accepts on ADDRESS:443, forwards to 127.0.0.1:PORT

With a REALM a request without credentials is refused and led there, which is ADDRESS:8443, where everybody is given a token.
"""

import asyncio
import base64
import re
import ssl
import sys

BASIC = re.compile(rb"\r\nauthorization: basic ([^\r\n]+)\r\n", re.IGNORECASE)
CHUNK = 65536


async def pump(reader, writer, seen):
    try:
        while data := await reader.read(CHUNK):
            for found in BASIC.findall(data) if seen else ():
                seen.write(base64.b64decode(found).split(b":")[0] + b"\n")
                seen.flush()
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


def answer(status, head, body=b""):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *head, "", ""]
    return "\r\n".join(lines).encode() + body


async def give_token(reader, writer):
    try:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer("200 OK", ["Content-Type: application/json"], b'{"token":"anonymous","access_token":"anonymous"}'))
        await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def main(address, port, certificate, key, file, realm=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with open(file, "ab") as seen:
        async def forward(reader, writer):
            try:
                behind = await asyncio.open_connection("127.0.0.1", int(port))
            except OSError:
                writer.close()
                return
            if realm:
                try:
                    head = await reader.readuntil(b"\r\n\r\n")
                except (OSError, asyncio.IncompleteReadError):
                    head = b""
                if b"\r\nauthorization:" not in head.lower():
                    challenge = f'Www-Authenticate: Bearer realm="{realm}",service="e2e",scope="repository:any:pull"'
                    version = "Docker-Distribution-Api-Version: registry/2.0"
                    writer.write(answer("401 Unauthorized", [challenge, version]))
                    writer.close()
                    behind[1].close()
                    return
                behind[1].write(head)
            await asyncio.gather(pump(reader, behind[1], seen), pump(behind[0], writer, None))

        if realm:
            await asyncio.start_server(give_token, address, 8443, ssl=context)
        server = await asyncio.start_server(forward, address, 443, ssl=context)
        await server.serve_forever()


asyncio.run(main(*sys.argv[1:]))
