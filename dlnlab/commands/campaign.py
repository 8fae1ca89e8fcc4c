"""What the commands that run campaigns have in common: where to compute, and how to resume."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from typing import Any

from dlnlab.commands import RunFailed, claims, files

__all__ = ["add_options", "options", "parameters", "show_progress", "told_in_one_line"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options ``--executor`` and ``--resume``.

    Parameters
    ----------
    parser : argparse.ArgumentParser
    """
    parser.add_argument(
        "--executor",
        default="processes",
        metavar="WHERE",
        help="serial, processes, processes=N, dask=ADDRESS, or MODULE:FUNCTION that returns a "
        "concurrent.futures.Executor (default: processes, one per core)",
    )
    parser.add_argument(
        "--resume",
        type=files.path,
        metavar="FILE",
        help="keep every finished task in FILE (JSON lines), and continue from what it holds",
    )


def options(args: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments of `dlnlab.campaigns.run` that were asked for.

    Parameters
    ----------
    args : argparse.Namespace
        The command line.

    Returns
    -------
    dict
    """
    return {"executor": args.executor, "path": args.resume}


def parameters(args: argparse.Namespace) -> dict[str, Any]:
    """Return the same for a manifest.

    Parameters
    ----------
    args : argparse.Namespace
        The command line.

    Returns
    -------
    dict
    """
    return {"executor": args.executor, "resume": args.resume and str(args.resume)}


def show_progress(done: int, total: int) -> None:
    """Say on a terminal how many tasks are done.

    Parameters
    ----------
    done : int
    total : int
    """
    claims.show_status(f"{done} of {total} tasks done")


@contextlib.contextmanager
def told_in_one_line() -> Iterator[None]:
    """Clear the line of progress, and report a task that failed as a failed run.

    Raises
    ------
    RunFailed
        If a task failed.
    """
    try:
        yield
    except RuntimeError as error:
        raise RunFailed(str(error)) from error
    finally:
        claims.show_status("")
