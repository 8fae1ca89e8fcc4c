"""``dlnlab explore``: one comparison in the browser, with sliders for what it depends on.

A page of our own and the standard library's server are all it takes: a comparison of this size
takes a fraction of a second, and the browser draws it.
"""

from __future__ import annotations

import argparse
import http.server
import json
import os
import socket
import socketserver
import sys
import threading
import webbrowser
from dataclasses import fields
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from dlnlab.commands import numerals
from dlnlab.numerics import checks

__all__ = ["EPILOG", "HEADERS", "LONGEST", "PORT", "Server", "add", "run"]

EPILOG = """\
The address in the browser says what is shown: share it, or start from it, as in
  http://127.0.0.1:8520/?depth=4&eps=0.1&rank=2&r_hat=5&misalignment=0
"""

PORT = 8520

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; connect-src 'self'; "
    "style-src 'self' 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
}
"""The page loads nothing from elsewhere, and runs no script but its own."""

LONGEST = 1000
"""Characters of a query; the names and numbers of all sliders take about 100."""


def add(commands: Any, exit_codes: str) -> None:
    """Declare the command and its options.

    Parameters
    ----------
    commands : the subparsers of an argparse.ArgumentParser
    exit_codes : str
        What the exit codes mean, for the end of the help text.
    """
    parser = commands.add_parser(
        "explore",
        help="a page in the browser with sliders for one small comparison",
        description="Serve a page with sliders for L, ε, r, r̂, the spectrum, the misalignment of\n"
        "the start and a seed.  Singular values, fitting times, margins and verdicts\n"
        "follow; a button gives the code.  Ctrl-C ends it, with exit code 0.",
        epilog=f"{EPILOG}\n{exit_codes}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run, prog=parser.prog)
    option = parser.add_argument
    text = f"port to listen at, 0 for any that is free (default: {PORT})"
    option("--port", type=numerals.integer, default=PORT, metavar="N", help=text)
    text = "address to listen at; with 0.0.0.0 other machines can see the page (default: 127.0.0.1)"
    option("--host", default="127.0.0.1", metavar="NAME", help=text)
    text = "do not open a browser"
    option("--no-browser", dest="browser", action="store_false", help=text)


def run(args: argparse.Namespace) -> int:
    """Serve the interactive page until Ctrl-C is pressed.

    Parameters
    ----------
    args : argparse.Namespace
        The command line.

    Returns
    -------
    int
    """
    with Server(args.host, args.port) as server:
        try:
            print(f"Exploring at {server.address} until Ctrl-C.", flush=True)
            if args.browser:  # some browsers return only when they are closed
                threading.Thread(target=webbrowser.open, args=[server.address], daemon=True).start()
            server.serve_forever()
        except KeyboardInterrupt:
            print("Stopped.")
    return 0


class Server(http.server.ThreadingHTTPServer):
    """Serves the page and what it asks for.

    Parameters
    ----------
    host : str
        Name or number of an address of this machine.
    port : int
        Between 0 and 65535; 0 takes any that is free.

    Attributes
    ----------
    address : str
        Where a browser finds the page.
    files : dict
        Type and content of each file by its path; no other path is looked at.

    Raises
    ------
    TypeError, ValueError
        If it cannot listen there.
    """

    allow_reuse_address = os.name != "nt"  # on Windows two servers could have the same port
    allow_reuse_port = False

    def __init__(self, host: str, port: int) -> None:
        host = checks.text("host", host)
        port = checks.integer("port", port, 0, 65535)
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, ValueError) as error:  # a UnicodeError is a ValueError
            raise ValueError(
                f"`host` must be an address of this machine, got {checks.describe(host)}"
            ) from error
        self.address_family, *_, where = found[0]
        from dlnlab.explorer import page  # with what draws reports, which takes a moment to load

        self.files = page.files()
        try:
            super().__init__(where[:2], _Handler)  # type: ignore[arg-type]
        except OSError as error:
            reason = error.strerror or str(error)
            raise ValueError(
                f"`port` must be free at `host`, {checks.describe(host)}, which must be an address "
                f"of this machine; got {port}: {reason}; 0 takes any that is free"
            ) from error
        name = f"[{host}]" if ":" in host else host
        self.address = f"http://{name}:{self.server_address[1]}/"

    def server_bind(self) -> None:
        """Listen, without asking the network for the full name of this machine."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = map(str, self.server_address[:2])  # type: ignore

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that went away.

        Parameters
        ----------
        request : socket.socket
        client_address : (str, int)
        """
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    """Answers ``/shown?…`` with a comparison, and every other known path with its file."""

    server: Server
    server_version, sys_version = "dlnlab", ""
    timeout = 30

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path == "/shown":
            try:
                self._send(200, "application/json", _answer(_state(query)))
            except (TypeError, ValueError) as error:
                self._send(400, "application/json", json.dumps({"error": str(error)}).encode())
        elif path in self.server.files:
            self._send(200, *self.server.files[path])
        else:
            self._send(404, "text/plain", b"there is no such page")

    def _send(self, code: int, kind: str, content: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing of each request."""


def _state(query: str) -> Any:
    """Read a query such as ``depth=3&eps=0.05``; what is not in it has its default."""
    from dlnlab.explorer.state import Shown

    if len(query) > LONGEST:
        raise ValueError(f"the address must have at most {LONGEST} characters after ?")
    kinds = {field.name: type(field.default) for field in fields(Shown)}
    read = {int: numerals.integer, float: numerals.number}
    values: dict[str, Any] = {}
    for name, text in parse_qsl(query, keep_blank_values=True):
        if name not in kinds:
            known = ", ".join(kinds)
            raise ValueError(f"the address may name {known}, got {checks.describe(name)}")
        if name in values:
            raise ValueError(f"`{name}` must be in the address once, got it again")
        kind = kinds[name]
        try:
            values[name] = read[kind](text)
        except ValueError:
            what = "an integer" if kind is int else "a number"
            raise ValueError(f"`{name}` must be {what}, got {checks.describe(text)}") from None
    return Shown(**values)


_ONE_AT_A_TIME = threading.Lock()


def _answer(state: Any) -> bytes:
    with _ONE_AT_A_TIME:  # two at once would both be slow
        return _remembered(state)


@lru_cache(maxsize=128)
def _remembered(state: Any) -> bytes:
    from dlnlab.explorer.state import shown

    return json.dumps(shown(state), allow_nan=False).encode()
