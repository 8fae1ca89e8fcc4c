"""Text for a terminal: what fits into how many columns, and what stands for letters it lacks."""

from __future__ import annotations

import codecs
import os
import subprocess
import sys

import pytest

from dlnlab import terminal

ROWS = [("claim", "verdict", "margin"), ("a claim of many words", "conditional on", "1.0e-03")]


@pytest.mark.parametrize("width", [40, 44, 60, 100])
def test_tables_and_paragraphs_fit(monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    lines = terminal.table(ROWS, left=3) + terminal.paragraph("word " * 60, "  ")
    assert max(map(len, lines)) <= width
    told = " ".join(" ".join(lines).split())
    assert all(word in told for row in ROWS for cell in row for word in cell.split())


def test_columns_that_have_no_room_are_named(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    lines = terminal.table([("a" * 30, "b" * 12), ("1", "2")])
    assert lines[-1] == f"  (no room for: {'b' * 12})"
    assert not any("2" in line for line in lines)


def test_a_pipe_has_eighty_columns_and_a_terminal_its_own(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    code = "from dlnlab import terminal; print(terminal.columns())"
    piped = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert piped.stdout.strip() == b"80"
    pty = pytest.importorskip("pty", reason="Windows has no pseudo-terminals")
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as reader, os.fdopen(theirs, "wb") as writer:
        subprocess.run(["stty", "cols", "53"], stdin=writer, check=True)
        subprocess.run([sys.executable, "-c", code], stdin=writer, stdout=writer, check=True)
        assert reader.read(100).strip() == b"53"


def test_letters_stay_apart_in_ascii():
    codecs.register_error(terminal.SPELLED, terminal.spelled)
    text = "✓ · ✗ ‖A‖² ½Uᵀ r̂ η α Σ_i → ≤ é 漢"
    told = text.encode("ascii", terminal.SPELLED).decode()
    assert told == "+ . x |A|^2 1/2U^T r_hat eta alpha sum _i -> <= e ?"
    with pytest.raises(UnicodeDecodeError):
        b"\xff".decode("ascii", terminal.SPELLED)
