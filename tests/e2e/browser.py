"""A person with a browser: opens a URL in headless Chromium, clicks the button that the page has, and prints what the
page at the end says.

    browser.py URL

Speaks the DevTools protocol over Chromium's own pipe (file descriptors 3 and 4, messages that end in a NUL), so that
no library and no port is needed. As a real browser does, it may open connections that it never uses.
"""

import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
]
LONGEST = 60


class Browser:
    def __init__(self):
        self.profile = tempfile.mkdtemp(prefix="chromium-")
        ours_to_read, theirs_to_write = os.pipe()
        theirs_to_read, ours_to_write = os.pipe()
        # High numbers first: what becomes 3 and 4 must not be one of the two that is still needed.
        high = [os.dup2(end, 60 + n, inheritable=True) for n, end in enumerate((theirs_to_read, theirs_to_write))]
        command = ["chromium", *FLAGS, f"--user-data-dir={self.profile}", "about:blank"]
        shell = 'exec 3<&60 4>&61 60<&- 61>&-; exec "$@"'
        self.process = subprocess.Popen(
            ["bash", "-c", shell, "-", *command],
            pass_fds=high,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "HOME": self.profile},
        )
        for end in (theirs_to_read, theirs_to_write, *high):
            os.close(end)
        self.read_end, self.write_end = ours_to_read, ours_to_write
        self.received = b""
        self.number = 0
        self.until = time.monotonic() + LONGEST

    def message(self):
        while b"\0" not in self.received:
            ready, _, _ = select.select([self.read_end], [], [], max(0, self.until - time.monotonic()))
            if not ready:
                sys.exit(f"browser: nothing happened within {LONGEST} s")
            got = os.read(self.read_end, 65536)
            if not got:
                sys.exit("browser: Chromium ended")
            self.received += got
        text, self.received = self.received.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, session=None, **params):
        self.number += 1
        request = {"id": self.number, "method": method, "params": params}
        if session:
            request["sessionId"] = session
        os.write(self.write_end, json.dumps(request).encode() + b"\0")
        while True:
            answer = self.message()
            if answer.get("id") == self.number:
                if "error" in answer:
                    sys.exit(f"browser: {method}: {answer['error']}")
                return answer["result"]

    def open(self, url):
        target = self.call("Target.createTarget", url=url)["targetId"]
        return self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def evaluate(self, session, expression):
        result = self.call("Runtime.evaluate", session, expression=expression, returnByValue=True)
        return result["result"].get("value")

    def wait(self, session, expression):
        while True:
            value = self.evaluate(session, expression)
            if value:
                return value
            time.sleep(0.05)

    def click(self, session, selector):
        middle = (
            f"(e => {{ if (!e) return null; const b = e.getBoundingClientRect();"
            f" return [b.x + b.width / 2, b.y + b.height / 2] }})(document.querySelector({json.dumps(selector)}))"
        )
        x, y = self.wait(session, middle)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", session, type=kind, x=x, y=y, button="left", clickCount=1)

    def close(self):
        try:
            self.call("Browser.close")
        finally:
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
            shutil.rmtree(self.profile, ignore_errors=True)


def main(url):
    browser = Browser()
    try:
        page = browser.open(url)
        browser.click(page, "#allow")
        # The client's page, on a port of loopback, or the sign-in's own last one.
        browser.wait(page, "document.querySelector('#allow') === null && document.readyState === 'complete'")
        print(browser.evaluate(page, "document.body.innerText"), flush=True)
    finally:
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1])
