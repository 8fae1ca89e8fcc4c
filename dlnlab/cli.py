"""The command line: one parser, the commands of `dlnlab.commands`, and how errors are told.

To add a command, write a module beside `dlnlab.commands.compare` and a line in `COMMANDS`.  What
only a run needs (Matplotlib, SymPy) is imported when it runs, so that ``dlnlab --help`` is quick.
"""

from __future__ import annotations

import argparse
import codecs
import difflib
import os
import re
import shlex
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, NoReturn

import numpy as np

import dlnlab
from dlnlab import terminal
from dlnlab.commands import (
    RunFailed,
    atlas,
    attack,
    bench,
    compare,
    explore,
    prove,
    reproduce,
    validate,
)

__all__ = [
    "COMMANDS",
    "EXIT_CODES",
    "FAILED",
    "FLAGS",
    "INTERRUPTED",
    "LONGEST",
    "OK",
    "PIPE_CLOSED",
    "TRACEBACK",
    "USAGE",
    "main",
]

COMMANDS: tuple[Callable[[Any, str], None], ...] = (
    compare.add,
    explore.add,
    prove.add,
    validate.add,
    attack.add,
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
    "M": ["TARGET"],
    "values": ["TARGET"],
    "num_records": ["--records"],
    "path": ["--resume", "--out"],
    "rng": ["--seed"],
    "singular_values": ["--spectrum"],
}
"""What the library's arguments are called on the command line, where that is not their own name:
the first of these that a command has."""

LONGEST = 500
"""Characters of an error message; what it quotes may be a whole file."""

TRACEBACK = "DLNLAB_TRACEBACK"
"""Set in the environment, it lets a defect of dlnlab end in its traceback."""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as every other error does, in the name of the command."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        namespace, unknown = super().parse_known_args(args, namespace)
        if unknown:  # argparse would leave these to the parser above, which has another name
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return namespace, unknown

    def error(self, message: str) -> NoReturn:
        told = _one_line(message) + self._nearest(message)
        self.exit(USAGE, f"{self.prog}: error: {told}; see {self.prog} --help\n")

    def _nearest(self, message: str) -> str:
        """Say which option or word is closest to one that is not known."""
        unknown = re.match(r"unrecognized arguments: (\S+)|.*invalid choice: '([^']*)'", message)
        if unknown is None:
            return ""
        known = [name for action in self._actions for name in action.option_strings]
        known += [str(word) for action in self._actions for word in action.choices or ()]
        word = (unknown[1] or unknown[2]).split("=")[0]
        near = difflib.get_close_matches(word, known, 1, cutoff=0.7)
        return f"; did you mean {near[0]}?" if near else ""

    def flags(self) -> dict[str, str]:
        """Return what the library's arguments are called in this command."""
        options = {action.dest: action.option_strings for action in self._actions}
        own = {name: names[0] for name, names in options.items() if names}
        known = [*own.values(), *(a.metavar for a in self._actions if not a.option_strings)]
        renamed = {
            name: next(filter(known.__contains__, flags), "") for name, flags in FLAGS.items()
        }
        return own | {name: flag for name, flag in renamed.items() if flag}


class _PrintCompletion(argparse.Action):
    """Prints the completions of a shell, and ends."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: Any = None) -> None:
        try:
            shtab = import_module("shtab")
        except ModuleNotFoundError:
            parser.error("completions need shtab: pip install 'dlnlab[shell]'")
        print(shtab.complete(parser, values))
        parser.exit(OK)


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
        or the run failed; 2: bad usage or bad input; 130: interrupted; 141: the pipe to which it
        wrote was closed.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    _prepare_streams()
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _warn
            return _flushed(_run(arguments))
    except SystemExit as end:  # argparse ends so after --help, --version and usage errors
        return int(end.code or 0)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # a reader such as `head` has seen enough
        _drop_output()
        return PIPE_CLOSED


def _prepare_streams() -> None:
    """Let output be lost where nobody takes it, and spell what a terminal has no letters for."""
    codecs.register_error(terminal.SPELLED, terminal.spelled)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the shell, as in ``dlnlab prove >&-``
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        stream = getattr(sys, name)
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=terminal.SPELLED)


def _warn(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: Any = None,
    line: str | None = None,
) -> None:
    """Tell a warning in one line; the place in the code that gave it tells a user nothing."""
    print(f"dlnlab: warning: {_one_line(str(message))}", file=sys.stderr)


def _flushed(code: int) -> int:
    """Write what is still in the buffer of standard output, where a failure can be told."""
    try:
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        raise
    except OSError as error:
        _drop_output()
        print(f"dlnlab: error: cannot write the output: {error.strerror}", file=sys.stderr)
        return code or FAILED


def _drop_output() -> None:
    """Send what is still in the buffer of standard output nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
        return _complain(args, str(error), FAILED)
    except (MemoryError, np.linalg.LinAlgError) as error:  # LinAlgError is a ValueError
        reason = str(error) or "out of memory"
        return _complain(args, f"the run failed: {reason}", FAILED)
    except OSError as error:
        if error.filename:
            return _complain(args, f"{error.filename}: {error.strerror}", USAGE)
        if error.errno:  # no file is to blame: a full disk, or a stream that takes nothing
            return _complain(args, f"the run failed: {error.strerror}", FAILED)
        return _complain(args, str(error), USAGE)
    except (ValueError, ModuleNotFoundError) as error:
        return _complain(args, str(error), USAGE)
    except Exception as error:
        if isinstance(error, TypeError) and "`" in str(error):  # names the argument
            return _complain(args, str(error), USAGE)
        if os.environ.get(TRACEBACK):
            raise
        return _complain(args, _defect(error), FAILED)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="dlnlab",
        description="Deep linear networks: what is proved about their compression, what holds, "
        "and where it fails.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"dlnlab {dlnlab.__version__}")
    parser.add_argument(
        "--print-completion",
        action=_PrintCompletion,
        choices=("bash", "zsh", "tcsh"),
        help="print a script by which a shell completes commands and options (needs shtab)",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for add in COMMANDS:
        add(commands, EXIT_CODES)
    for command in commands.choices.values():
        command.set_defaults(flags=command.flags())
    return parser


def _complain(args: argparse.Namespace, message: str, code: int) -> int:
    print(f"{args.prog}: error: {_one_line(_in_flags(message, args.flags))}", file=sys.stderr)
    return code


def _defect(error: Exception) -> str:
    """Tell of an error that is dlnlab's own, and how to see where it comes from."""
    return (
        f"a defect of dlnlab, please report it: {type(error).__name__}: {error} "
        f"(set {TRACEBACK}=1 to see where)"
    )


def _one_line(message: str) -> str:
    """Return a message without line breaks, and without the middle of one that is very long."""
    text = " ".join(message.split())
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST // 2]} … {text[-LONGEST // 2 :]}"


def _in_flags(message: str, flags: Mapping[str, str]) -> str:
    """Rename the library's arguments in an error message to the options that set them.

    Parameters
    ----------
    message : str
    flags : mapping
        From arguments to options.

    Examples
    --------
    >>> _in_flags("`r_hat` must be between 1 and 3, got 9", {"r_hat": "--r-hat"})
    '--r-hat must be between 1 and 3, got 9'
    """
    if "factored" in flags:
        message = message.replace("a factored target (dlnlab.FactoredTarget)", "--factored")
    return re.sub(r"`(\w+)(\[\d\])?`", lambda match: flags.get(match[1], match[0]), message)
