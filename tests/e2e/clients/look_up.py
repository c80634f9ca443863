"""The library docker-py as a client: look_up.py version | pull REPOSITORY TAG | push REPOSITORY TAG | build FOLDER"""

import sys

import docker

verb, *arguments = sys.argv[1:]
if verb == "version":
    print(docker.__version__)
    sys.exit()
client = docker.from_env()
if verb == "pull":
    client.images.pull(arguments[0], tag=arguments[1])
elif verb == "push":
    for line in client.images.push(arguments[0], tag=arguments[1], stream=True, decode=True):
        if "error" in line:
            sys.exit(line["error"])
else:
    client.images.build(path=arguments[0], pull=True, nocache=True)
