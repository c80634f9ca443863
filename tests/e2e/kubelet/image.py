"""An OCI image layout of images that hold one program and nothing else.

    image.py LAYOUT PROGRAM PATH TAG...

Each tag is an image of its own: the layer is shared, the configuration differs. Prints a line "TAG DIGEST" for each.
"""

import gzip
import hashlib
import io
import json
import os
import platform
import sys
import tarfile

layout, program, path, *tags = sys.argv[1:]
blobs = os.path.join(layout, "blobs", "sha256")
os.makedirs(blobs, exist_ok=True)


def blob(content, kind):
    digest = hashlib.sha256(content).hexdigest()
    with open(os.path.join(blobs, digest), "wb") as file:
        file.write(content)
    return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(content)}


def as_json(value):
    return json.dumps(value).encode()


with open(program, "rb") as file:
    content = file.read()
archive = io.BytesIO()
with tarfile.open(fileobj=archive, mode="w") as tar:
    entry = tarfile.TarInfo(path.lstrip("/"))
    entry.mode, entry.size = 0o755, len(content)
    tar.addfile(entry, io.BytesIO(content))
unpacked = archive.getvalue()
layer = blob(gzip.compress(unpacked, compresslevel=1, mtime=0), "layer.v1.tar+gzip")
architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
manifests = []
for tag in tags:
    config = {
        "architecture": architecture,
        "os": "linux",
        "config": {"Entrypoint": [path], "Labels": {"tag": tag}},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(unpacked).hexdigest()]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blob(as_json(config), "config.v1+json"),
        "layers": [layer],
    }
    described = blob(as_json(manifest), "manifest.v1+json")
    print(tag, described["digest"])
    manifests.append({**described, "annotations": {"org.opencontainers.image.ref.name": tag}})
with open(os.path.join(layout, "oci-layout"), "w") as file:
    file.write('{"imageLayoutVersion":"1.0.0"}')
with open(os.path.join(layout, "index.json"), "w") as file:
    json.dump({"schemaVersion": 2, "manifests": manifests}, file)
