"""A real browser without a window, and what a page in it has found."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)


def browsed(address: str, folder: Path) -> dict:
    """What a page that probes another has found; console messages under "console"."""
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    command += ["--allow-file-access-from-files", "--virtual-time-budget=10000", "--dump-dom"]
    command += ["--enable-logging=stderr", f"--user-data-dir={folder / 'browser'}"]
    seen = subprocess.run([*command, address], capture_output=True, text=True, timeout=120)
    found = re.search(r'<pre id="found">(.*?)</pre>', seen.stdout, re.DOTALL)
    assert found, seen.stderr[-2000:]
    text = found[1].replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">")
    console = [line for line in seen.stderr.splitlines() if "CONSOLE" in line]
    return json.loads(text) | {"console": console}
