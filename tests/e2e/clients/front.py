"""TLS in front of a registry without it, and a line in a file for each user who gives a password: the registry itself does
not say whose password it took.

    front.py ADDRESS PORT CERTIFICATE KEY FILE     accepts on ADDRESS:443, forwards to 127.0.0.1:PORT
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


async def main(address, port, certificate, key, file):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with open(file, "ab") as seen:
        async def forward(reader, writer):
            try:
                behind = await asyncio.open_connection("127.0.0.1", int(port))
            except OSError:
                writer.close()
                return
            await asyncio.gather(pump(reader, behind[1], seen), pump(behind[0], writer, None))

        server = await asyncio.start_server(forward, address, 443, ssl=context)
        await server.serve_forever()


asyncio.run(main(*sys.argv[1:]))
