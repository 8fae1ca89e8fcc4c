"""Flows against a general solver: what is checked before it is timed, and the command's table."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dlnlab import cli, flow
from dlnlab.bench import flows
from dlnlab.report import bench as bench_report

SMALL = flows.FlowRow("small", 8, 1, 3, 0.2, 1.0)


@pytest.fixture
def quick(monkeypatch):
    """A looser tolerance, so that the peer takes few steps."""
    pytest.importorskip("diffrax")
    monkeypatch.setattr(flows, "RTOL", 1e-8)


def test_both_give_the_same_flow(quick):
    found = flows.measure("small", SMALL, 2)
    assert [peer.network for peer in found.peers] == ["reduced", "as it is"]
    for peer in found.peers:
        assert peer.deviation < 1e-6
        assert peer.steps > 10
        assert peer.time.median > 0
    cells = bench_report.flow_cells(found.to_dict())
    assert [row[0] for row in cells] == [
        "compare, both flows and bounds",
        "diffrax, the network reduced",
        "diffrax, the network as it is",
    ]


def test_another_flow_is_not_timed(monkeypatch):
    """The peer is given a target that is a thousandth larger."""
    pytest.importorskip("diffrax")
    found = flow.compare(SMALL.target(), 1, depth=3, eps=SMALL.eps)
    values = np.asarray(found.original.singular_values)[:, :1, None]
    assert flows._deviation("small", found, values) == 0
    with pytest.raises(ValueError, match="small: the singular values of diffrax differ by 1"):
        flows._deviation("small", found, 1.001 * values)


def test_the_command_tells_of_a_flow_without_a_peer(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(flows, "FLOWS", {"alone": flows.FlowRow("alone", 8, 1, 3, 0.2, 1.0, False)})
    code = cli.main(["bench", "flows", "--quick", "--json", str(tmp_path / "f.json")])
    out = capsys.readouterr().out
    assert code == 0
    assert "an explicit" in out
    (found,) = json.loads((tmp_path / "f.json").read_text("utf-8"))["flows"]
    assert (found["flow"], found["peers"]) == ("alone", [])
    # the flow from ε^L to its target takes some e-foldings, and 6/λ = 2 is a large step of it
    assert 1 < found["limited"] < 1000
    assert found["engine"]["median"] > 0
