"""The command line: one parser, the commands of `dlnlab.commands`, and how errors are told.

To add a command, write a module beside `dlnlab.commands.compare` and a line in `COMMANDS`.  What
only a run needs (Matplotlib, SymPy) is imported when it runs, so that ``dlnlab --help`` is quick.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np

import dlnlab
from dlnlab.commands import RunFailed, atlas, bench, compare, prove, reproduce, validate

__all__ = ["main"]

COMMANDS: tuple[Callable[[Any, str], None], ...] = (
    compare.add,
    prove.add,
    validate.add,
    atlas.add,
    bench.add,
    reproduce.add,
)

OK, FAILED, USAGE, INTERRUPTED, PIPE_CLOSED = 0, 1, 2, 130, 141
"""Exit codes; the last two are 128 + SIGINT and 128 + SIGPIPE, as shells have them."""

EXIT_CODES = """\
exit codes:
  0    the command ran, and no claim whose premises are met was refuted
  1    a claim was refuted, or the run failed
  2    bad usage or bad input
  130  interrupted (Ctrl-C)
"""

FLAGS = {
    "M": "TARGET",
    "executor": "--executor",
    "num_records": "--records",
    "path": "--resume",
    "rng": "--seed",
    "singular_values": "--spectrum",
} | {
    name.replace("-", "_"): f"--{name}"
    for name in (
        *("data", "depth", "eps", "max-steps", "method", "normalization", "r-hat", "rank", "rtol"),
        *("minutes", "peer", "resume", "seed", "shape", "threads", "t-end", "width", "within"),
    )
}
"""What the library's arguments are called on the command line."""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as every other error does, in the name of the command."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        namespace, unknown = super().parse_known_args(args, namespace)
        if unknown:  # argparse would leave these to the parser above, which has another name
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return namespace, unknown

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.prog}: error: {message}; see {self.prog} --help\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments after the program's name; those of this process by default.

    Returns
    -------
    int
        0: the command ran, and no claim whose premises are met was refuted; 1: a claim was refuted,
        or the run failed; 2: bad usage or bad input; 130: interrupted; 141: whoever read the output
        closed the pipe.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal without Greek letters shows "?"
            stream.reconfigure(errors="replace")
    try:
        code = _run(arguments)
        sys.stdout.flush()  # here, where a closed pipe can still be caught
        return code
    except SystemExit as end:  # argparse ends so after --help, --version and usage errors
        return int(end.code or 0)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # a reader such as `head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED


def _run(arguments: list[str]) -> int:
    parser = _parser()
    args = parser.parse_args(arguments)
    if "run" not in args:
        parser.print_help()
        return OK
    args.command_line = shlex.join(["dlnlab", *arguments])
    try:
        return args.run(args)
    except BrokenPipeError:
        raise
    except RunFailed as error:
        return _complain(args, in_flags(str(error)), FAILED)
    except (MemoryError, np.linalg.LinAlgError) as error:  # LinAlgError is a ValueError
        reason = str(error) or "out of memory"
        return _complain(args, f"the run failed: {reason}", FAILED)
    except OSError as error:
        message = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        return _complain(args, message, USAGE)
    except (ValueError, ModuleNotFoundError) as error:
        return _complain(args, in_flags(str(error)), USAGE)
    except TypeError as error:
        if "`" not in str(error):  # names no argument, so it is a defect: keep its traceback
            raise
        return _complain(args, in_flags(str(error)), USAGE)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="dlnlab",
        description="Deep linear networks: what is proved about their compression, what holds, "
        "and where it fails.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"dlnlab {dlnlab.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for add in COMMANDS:
        add(commands, EXIT_CODES)
    return parser


def _complain(args: argparse.Namespace, message: str, code: int) -> int:
    print(f"{args.prog}: error: {' '.join(message.split())}", file=sys.stderr)
    return code


def in_flags(message: str) -> str:
    """Rename the library's arguments in an error message to the options that set them.

    Examples
    --------
    >>> in_flags("`r_hat` must be an integer between 1 and 3, got 9")
    '--r-hat must be an integer between 1 and 3, got 9'
    """
    message = message.replace("a factored target (dlnlab.FactoredTarget)", "--factored")
    return re.sub(r"`(\w+)(\[\d\])?`", lambda match: FLAGS.get(match[1], match[0]), message)
