"""Benchmarks: what they check before they time, what they count, and the command.  No times."""

from __future__ import annotations

import json
import math
import re
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import array_api_strict
import numpy as np
import pytest

from dlnlab import bench, cli, problems
from dlnlab.bench import (
    costs,
    growth,
    limits,
    literal,
    measurement,
    peer,
    profile,
    timing,
    workloads,
)
from dlnlab.bench.rows import ROWS, Row
from dlnlab.numerics import arrays
from dlnlab.reductions import parsimony
from dlnlab.report import bench as bench_report

HOST = np.empty(0)
DOCS = Path(__file__).parents[2] / "docs"

SMALL = {
    "factorization": lambda: workloads.wide(workloads.factorization(12, 2), (12, 12)),
    "completion": lambda: workloads.compressed(workloads.completion(12, 2, 0.5), (12, 12), 3),
    "sampled": lambda: workloads.narrow(workloads.sampled((12, 9), 2, 60), (12, 9), 3),
    "sensing": lambda: workloads.compressed(workloads.sensing(8, 2, 50), (8, 8), 3),
}


@pytest.fixture
def run(capsys):
    """Run a command line; return exit code, output and error stream."""

    def call(*arguments):
        code = cli.main(["bench", *map(str, arguments)])
        streams = capsys.readouterr()
        return code, streams.out, streams.err

    return call


@pytest.fixture
def numpy_only(monkeypatch):
    """Compare with the NumPy loop, as where JAX is not installed; compiling takes a second each."""
    monkeypatch.setattr("dlnlab.commands.bench._reference_loops", lambda path: literal.NumpyLoop)


# ---------------------------------------------------------------- rows, and what they must satisfy

CHEAP = [name for name in ROWS if not name.startswith(("sensing", "compressed-3000", "movielens"))]


@pytest.mark.parametrize("name", CHEAP)
def test_every_row_builds_and_descends(name):
    for part in ROWS[name].build():
        assert part.widths == (part.weights[0].shape[-1], *(W.shape[-2] for W in part.weights))
        # Gradient descent with step η ≤ 1/K, K the largest curvature, never increases the loss.
        losses = literal.NumpyLoop(part.member(0)).recorded(3, 2)
        assert np.all(np.diff(losses) < 0)
        assert part.eta * part.curvature == pytest.approx(0.1)


@pytest.mark.parametrize("kind", SMALL)
def test_the_engine_agrees_with_the_literal_loop(kind):
    part = SMALL[kind]()
    assert part.kind == kind
    found = measurement.agreement(part, HOST)
    assert found.deviation <= found.bound < 1e-8


@pytest.mark.parametrize("kind", SMALL)
def test_a_stack_is_compared_member_by_member(kind):
    stack = workloads.stacked(SMALL[kind](), 3)
    assert stack.batch == 3
    measurement.agreement(stack, HOST)


def test_the_curvature_bounds_the_second_derivative():
    """K against the largest eigenvalue of the Hessian by differences, at the start of a run."""
    part = SMALL["factorization"]()
    loop = literal.NumpyLoop(part)
    sizes = [W.size for W in part.weights]

    def slopes(flat):
        parts = np.split(flat, np.cumsum(sizes)[:-1])
        weights = tuple(p.reshape(W.shape) for p, W in zip(parts, part.weights, strict=True))
        after = loop._step(weights)
        moved = (W - new for W, new in zip(weights, after, strict=True))
        return np.concatenate([m.ravel() for m in moved]) / part.eta

    start = np.concatenate([W.ravel() for W in part.weights])
    h = 1e-6
    hessian = np.stack([(slopes(start + h * e) - slopes(start - h * e)) / (2 * h)
                        for e in np.eye(start.size)])  # fmt: skip
    assert np.abs(np.linalg.eigvalsh((hessian + hessian.T) / 2)).max() < part.curvature


class _Slower(literal.NumpyLoop):
    """A literal loop whose step is a millionth too short."""

    def __init__(self, instance):
        super().__init__(instance)
        self.eta *= 1 - 1e-6


class _LastLayerLate(literal.NumpyLoop):
    """A literal loop that updates the last layer with the gradient of half the residual."""

    def _step(self, weights):
        new = super()._step(weights)
        return (*new[:-1], (new[-1] + weights[-1]) / 2)


@pytest.mark.parametrize("kind", SMALL)
@pytest.mark.parametrize("wrong", [_Slower, _LastLayerLate])
def test_a_wrong_result_is_not_timed(kind, wrong, monkeypatch):
    part = SMALL[kind]()
    with pytest.raises(bench.Disagreement, match=r"NumPy, literal differs .* means nothing"):
        measurement.agreement(part, HOST, wrong)  # what it is compared with is wrong
    monkeypatch.setattr(measurement, "NumpyLoop", wrong)
    with pytest.raises(bench.Disagreement, match=r"the engine differs from the literal loop"):
        measurement.agreement(part, HOST)


def reducible():
    """Large enough for the engine to run a smaller network in its place."""
    return workloads.wide(workloads.factorization(60, 2), (60, 60))


def test_the_formulation_that_is_timed_is_the_one_that_is_checked(monkeypatch):
    checked, original = [], measurement.agreement

    def spy(*arguments, formulation="full"):
        checked.append(formulation)
        return original(*arguments, formulation=formulation)

    monkeypatch.setattr(measurement, "agreement", spy)
    row = Row("small", lambda: (reducible(),), 2.0)
    effort = measurement.Effort(seconds=0.05, repeats=1)
    found = bench.measure("small", row, literal.NumpyLoop, HOST, effort)
    assert found.formulation == "reduced"
    assert checked == ["full", "reduced"]


def test_a_wrong_reduction_is_not_timed(monkeypatch):
    original = parsimony.reduce

    def wrong(problem, weights):
        found = original(problem, weights)
        return replace(found, weights=tuple((1 + 1e-9) * W for W in found.weights))

    measurement.agreement(reducible(), HOST, formulation="reduced")
    monkeypatch.setattr(parsimony, "reduce", wrong)
    with pytest.raises(bench.Disagreement, match="the engine differs"):
        measurement.agreement(reducible(), HOST, formulation="reduced")


def test_an_agreement_that_says_nothing_is_refused():
    still = replace(SMALL["factorization"](), eta=1e-16)
    with pytest.raises(bench.Disagreement, match="could hide"):
        measurement.agreement(still, HOST)


def test_nan_is_no_agreement():
    with pytest.raises(bench.Disagreement):
        measurement._require("the engine", float("nan"), 1.0)


# ------------------------------------------------------------------------------ what a step costs


class Counted(np.ndarray):
    """An array that counts the arithmetic done with it: 2mkn for a product, 1 for an entry."""

    flops = 0

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        plain = [x.view(np.ndarray) if isinstance(x, Counted) else x for x in inputs]
        out = getattr(ufunc, method)(*plain, **options)
        if ufunc is np.matmul:
            Counted.flops += 2 * plain[0].shape[-1] * np.size(out)
        else:
            assert ufunc in (np.multiply, np.subtract)
            Counted.flops += np.size(out)
        return out.view(Counted)


@pytest.mark.parametrize("kind", SMALL)
def test_flops_are_those_that_the_literal_step_does(kind, monkeypatch):
    part = SMALL[kind]()
    loop = literal.NumpyLoop(part)
    weights = tuple(W.view(Counted) for W in part.weights)
    monkeypatch.setattr(Counted, "flops", 0)
    loop._step(weights)
    assert costs.of_step([part]).flops == Counted.flops


def test_flops_of_a_square_network_are_those_of_3_l_minus_1_products():
    part = SMALL["factorization"]()
    products = list(costs.products(part.widths))
    assert products == [(12, 12, 12)] * 6
    assert costs.of_step([part]).flops == 6 * 2 * 12**3 + 12**2 + 2 * 3 * 12**2


@pytest.mark.parametrize("kind", ["factorization", "completion", "sensing"])
def test_bytes_are_those_of_the_data_and_the_weights_twice(kind):
    part = SMALL[kind]()
    data = {k: np.asarray(v, dtype=float) for k, v in part.data.items()}
    size = sum(v.nbytes for v in data.values()) + 2 * sum(W.nbytes for W in part.weights)
    assert costs.of_step([part]).bytes == size


def test_a_row_of_two_networks_costs_their_mean():
    two = [SMALL["factorization"](), SMALL["completion"]()]
    alone = [costs.of_step([part]).flops for part in two]
    assert costs.of_step(two).flops == sum(alone) // 2


# ----------------------------------------------------------------------------------------- timing


def test_a_sample_is_its_quartiles():
    assert timing.Sample.of([4.0, 1.0, 2.0, 3.0, 5.0]) == timing.Sample(3.0, 2.0, 4.0, 5)
    assert timing.Sample(3.0, 2.0, 4.0, 5).scaled(10) == timing.Sample(30.0, 20.0, 40.0, 5)


def test_runs_take_turns():
    order = []
    times = timing.alternate([lambda: order.append("a"), lambda: order.append("b")], 3)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert times.shape == (3, 2)
    assert (times >= 0).all()


@pytest.mark.parametrize(
    ("step", "wanted"), [(0.001, 1000), (3.0, 1), (1e-9, 10**6)], ids=["usual", "slow", "bounded"]
)
def test_a_run_is_given_as_many_steps_as_fill_the_time(step, wanted, monkeypatch):
    taken = []
    monkeypatch.setattr(timing, "clock", lambda call: call() or step * taken[-1])
    assert timing.calibrate(taken.append, 1.0, most=10**6) == wanted


def test_the_limit_is_the_slower_of_arithmetic_and_memory(monkeypatch):
    monkeypatch.setattr(limits, "gemm_rate", lambda *arguments: 100.0)
    monkeypatch.setattr(limits, "read_rate", lambda *arguments: 10.0)
    assert limits.Limits(HOST).seconds_for(costs.Cost(500, 20)) == 5.0
    assert limits.Limits(HOST).seconds_for(costs.Cost(500, 80)) == 8.0


# ----------------------------------------------------------------------- JAX, and the authors' code


@pytest.mark.parametrize("kind", SMALL)
def test_jax_s_own_gradient_agrees(kind):
    pytest.importorskip("jax")
    part = SMALL[kind]()
    measurement.agreement(part, HOST, literal.JaxLoop)
    ours, theirs = literal.NumpyLoop(part), literal.JaxLoop(part)
    np.testing.assert_allclose(ours.recorded(3, 2), theirs.recorded(3, 2), rtol=1e-9)


CHECKOUT = {
    "utils": "",
    "network": """
        def compute_end_to_end(weights):
            product = weights[0]
            for w in weights[1:]:
                product = w @ product
            return product
        """,
    "loss": """
        import jax.numpy as jnp

        def create_loss(target, mask=None, reduction="mean"):
            assert reduction == "sum"
            mask = 1.0 if mask is None else mask
            return lambda output: jnp.sum((mask * (output - target)) ** 2) / 2

        def create_loss_ms(labels, matrices, reduction="mean"):
            assert reduction == "sum"
            return lambda output: jnp.sum(((matrices * output).sum((-2, -1)) - labels) ** 2) / 2
        """,
    "solver": """
        import jax
        from jax.lax import fori_loop
        import utils

        def train(weights, network, losses, outer, eta, n_inner_loops=100, save_weights=False):
            loss = lambda w: losses["train"](network(w))

            def body(_, state):
                weights, count = state
                slopes = jax.grad(loss)(weights)
                return [w - eta * g for w, g in zip(weights, slopes)], count + 1

            state, found = (weights, 0), [loss(weights)]
            for _ in range(outer):
                state = fori_loop(0, n_inner_loops, body, state)
                found.append(loss(state[0]))
            return {"train_loss": found}
        """,
}


@pytest.fixture
def checkout(tmp_path):
    """A stand-in for the authors' repository, with its modules and the calls made of them."""
    for name, text in CHECKOUT.items():
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
    return tmp_path


@pytest.mark.parametrize("kind", SMALL)
def test_the_peer_s_step_is_taken_from_its_training(kind, checkout):
    pytest.importorskip("jax")
    part = SMALL[kind]()
    code = peer.Peer(checkout)
    assert code.commit == "unknown commit"
    measurement.agreement(part, HOST, lambda instance: peer.PeerLoop(code, instance))
    expected = literal.NumpyLoop(part).recorded(3, 2)
    assert peer.PeerLoop(code, part).recorded(3, 2) == pytest.approx(expected, rel=1e-9)


def test_the_peer_s_modules_leave_their_common_names(checkout, monkeypatch):
    pytest.importorskip("jax")
    monkeypatch.setitem(sys.modules, "utils", sys)
    before = list(sys.path)
    peer.Peer(checkout)
    assert sys.modules["utils"] is sys
    assert "solver" not in sys.modules
    assert sys.path == before


def test_a_path_that_is_no_checkout_is_refused(run, tmp_path):
    code, out, err = run("--peer", tmp_path)
    assert (code, out) == (2, "")
    assert err == (
        "dlnlab bench: error: --peer must be a checkout of github.com/soominkwon/comp-deep-nets, "
        f"got {tmp_path}, which has no utils.py\n"
    )


def test_what_the_peer_lacks_is_named(run, checkout):
    pytest.importorskip("jax")
    (checkout / "utils.py").write_text("import no_such_library_anywhere\n")
    code, _, err = run("--peer", checkout)
    assert code == 2
    assert "--peer needs no_such_library_anywhere" in err


# ------------------------------------------------------------------------------------- the command


def test_rows_are_listed(run):
    code, out, _ = run("--list")
    listed = [line.split()[0] for line in out.splitlines() if not line.startswith(" ")]
    assert (code, listed) == (0, [*ROWS, "growth", "alone", "flows", "suites"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["nothing"],
            "`ROW` must be one of wide-100, .*, growth, alone, flows, suites, got 'nothing'",
        ),
        (["--threads", "0"], "--threads must be an integer >= 1, got 0"),
        (["growth", "--profile"], "`ROW` growth must be measured .* without --profile"),
        (["growth", "--device", "gpu"], "`ROW` growth must be measured with --device cpu"),
        (["--json", "/no/such/place/a.json"], "--json must be in an existing directory"),
    ],
)
def test_bad_requests_are_refused(run, arguments, message):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert re.fullmatch(f"dlnlab bench: error: {message}.*\n", err)


def test_a_quick_run_writes_everything(run, numpy_only, tmp_path):
    code, out, err = run(
        "stack-20", "notebook", "--quick", "--json", tmp_path / "b.json", "--html",
        tmp_path / "b.html",
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert "stack-20 ×512" in out
    assert "mean little" in out
    record = json.loads((tmp_path / "b.json").read_text("utf-8"))
    assert set(record) == {"machine", "rows", "growth", "alone", "flows", "suites", "manifest"}
    assert record["growth"] == record["alone"] == record["flows"] == record["suites"] == []
    assert [row["row"] for row in record["rows"]] == ["stack-20", "notebook"]
    check_row(record["rows"][0])
    check_row(record["rows"][1])
    assert record["manifest"]["parameters"]["quick"] is True
    page = (tmp_path / "b.html").read_text("utf-8")
    assert page.count("<img") == 1
    assert "NumPy, literal" in page


def check_row(row):
    """Fail unless a stored row has what its readers rely on."""
    samples = ("engine", "reference", "ratio")
    for name in samples:
        assert 0 < row[name]["low"] <= row[name]["median"] <= row[name]["high"]
        assert row[name]["repeats"] >= 1
    numbers = ("batch", "threads", "num_steps", "setup", "flops", "bytes", "limit", "fraction")
    assert all(isinstance(row[name], int | float) and row[name] >= 0 for name in numbers)
    assert row["fraction"] == pytest.approx(row["limit"] / row["engine"]["median"])
    if row["target"] is not None:
        assert row["met"] == (row["ratio"]["median"] >= row["target"])
    assert 0 <= row["agreement"]["deviation"] <= row["agreement"]["bound"]
    assert {"row", "title", "device", "reference_name"} <= set(row)


def test_a_wrong_engine_ends_the_command(run, numpy_only, monkeypatch):
    monkeypatch.setattr(measurement, "NumpyLoop", _Slower)
    code, _, err = run("stack-20", "--quick")
    assert code == 1
    assert "stack-20: after 20 steps the engine differs" in err


@pytest.mark.parametrize(
    ("kind", "named"),
    [("completion", "dgemm"), ("sampled", "products.py"), ("sensing", "gradient of the loss")],
)
def test_a_profile_names_what_is_called(monkeypatch, kind, named):
    monkeypatch.setattr(problems.sampled, "sampling_pays", lambda shape, count: True)
    part = SMALL[kind]()
    if kind == "sampled":  # with few entries SciPy's checks take longer than anything else
        part = workloads.narrow(workloads.sampled((60, 50), 2, 1500), (60, 50), 8)
    monkeypatch.setattr(profile, "SHOWN", 60)  # which comes first depends on the machine's load
    places = profile.of_row(Row("small", lambda: (part,), None), HOST, seconds=0.05)
    assert any(named in place for place, _ in places)
    assert sum(time for _, time in places) > 1.0


def test_the_calls_of_a_stack_are_told_for_one_network():
    one, many = (
        Row("small", lambda k=k: (workloads.stacked(SMALL["completion"](), k),), None)
        for k in (1, 50)
    )
    times = [sum(t for _, t in profile.of_row(row, HOST, seconds=0.1)) for row in (one, many)]
    assert times[1] < times[0]


# -------------------------------------------------------------------------------------------- GPUs


def test_without_a_gpu_it_is_said_what_is_missing(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    code, out, err = run("--device", "gpu")
    assert (code, out) == (2, "")
    assert "a GPU needs CuPy, which is not installed" in err
    stub = type(sys)("cupy")
    stub.cuda = type(sys)("cupy.cuda")
    stub.cuda.is_available = lambda: False
    monkeypatch.setitem(sys.modules, "cupy", stub)
    code, out, err = run("--device", "gpu")
    assert (code, out) == (2, "")
    assert "there is no CUDA device here" in err


def test_a_gpu_is_reached_through_cupy(monkeypatch):
    """What is specific to CuPy, with a stand-in for it."""
    waited = []
    stub = type(sys)("cupy")
    stub.cuda = type(sys)("cupy.cuda")
    stub.cuda.is_available = lambda: True
    stub.cuda.Device = lambda k: type("D", (), {"synchronize": lambda self: waited.append(k)})()
    stub.cuda.runtime = type(sys)("runtime")
    stub.cuda.runtime.getDeviceProperties = lambda k: {"name": f"chip {k}".encode()}
    stub.empty = lambda n: "an array on the GPU"
    monkeypatch.setitem(sys.modules, "cupy", stub)
    reference = arrays.gpu_reference()
    assert reference == "an array on the GPU"
    monkeypatch.setattr(arrays, "on_gpu", lambda value: value is reference)
    monkeypatch.setattr(arrays, "device_of", lambda value: type("D", (), {"id": 3})())
    arrays.synchronize(reference)
    assert waited == [3]
    assert arrays.device_name(reference) == "chip 3"


def test_the_command_runs_where_the_arrays_live(run, numpy_only, monkeypatch, tmp_path):
    """array-api-strict on its second device stands in for a GPU: one network, and a full chip."""
    device = array_api_strict.Device("device1")
    reference = array_api_strict.zeros(0, dtype=array_api_strict.float64, device=device)
    monkeypatch.setattr(arrays, "gpu_reference", lambda: reference)
    # finite, so that the stack was run; on a busy machine less the set-up may be below zero
    monkeypatch.setattr(measurement, "filling_batch", lambda time: 2 if np.isfinite(time(2)) else 0)
    row = Row("small", lambda: (SMALL["completion"](),), None)
    monkeypatch.setitem(ROWS, "stack-20", row)
    code, _, err = run("stack-20", "--device", "gpu", "--quick", "--json", tmp_path / "gpu.json")
    assert (code, err) == (0, "")
    rows = json.loads((tmp_path / "gpu.json").read_text("utf-8"))["rows"]
    assert [row["batch"] for row in rows] == [1, 2]
    assert "array_api_strict" in rows[0]["device"]


def test_the_batch_grows_until_it_stops_paying():
    asked = []

    def per_network(batch):
        asked.append(batch)
        return math.inf if batch > 16 else 1.0 / batch

    assert measurement.filling_batch(per_network) == 16
    assert asked == [1, 2, 4, 8, 16, 32]


def test_a_batch_beyond_memory_takes_forever(monkeypatch):
    part = SMALL["completion"]()
    # the difference of two times, which may be negative on a busy machine
    assert measurement.time_per_network(part, 2, HOST, 0.01) < math.inf
    monkeypatch.setattr(arrays, "available_bytes", lambda reference=None: 1000)
    assert measurement.time_per_network(part, 2, HOST, 0.01) == math.inf


# ------------------------------------------------------------------------------------------ growth


def test_growth_is_measured_in_processes_of_their_own():
    found = growth.grow("batch", [1, 2])
    assert found.values == [1, 2]
    assert all(seconds > 0 for seconds in found.seconds)
    assert found.per_step
    assert found.time_exponent is not None
    if sys.platform == "linux":
        assert all(peak >= 0 for peak in found.bytes)


@pytest.mark.parametrize(("power", "count"), [(0.5, 5), (2.0, 4), (1.0, 2)])
def test_the_exponent_of_a_power_law_is_found(power, count):
    sizes = 10.0 ** np.arange(count)
    assert growth.exponent(sizes, 3 * sizes**power) == pytest.approx(power)
    assert growth.exponent(sizes, 0 * sizes) is None
    assert growth.exponent([1.0], [1.0]) is None


def test_entries_are_drawn_without_repetition():
    data = workloads.sampled((6, 5), 2, 30).data
    places = set(zip(data["rows"].tolist(), data["columns"].tolist(), strict=True))
    assert len(places) == 30


@pytest.fixture(scope="module")
def stored():
    """The measurements that the docs tell of."""
    read = {}
    for name in ("bench", "alone", "alone_avx2", "growth", "flows", "suites", "gpu"):
        read[name] = json.loads((DOCS / "data" / f"{name}.json").read_text("utf-8"))
    return read


def test_the_docs_tell_what_is_stored(stored):
    page = (DOCS / "performance.md").read_text("utf-8")
    for name, record in stored.items():
        block = re.search(rf"<!-- {name} -->\n(.*?)<!-- end -->", page, re.DOTALL)[1]
        assert block.strip() == bench_report.markdown(record)


def test_what_is_stored_is_whole(stored):
    assert [row["row"] for row in stored["bench"]["rows"]] == list(ROWS)
    for row in stored["bench"]["rows"]:
        check_row(row)
        assert row["target"] == ROWS[row["row"]].target
    assert [one["axis"] for one in stored["growth"]["growth"]] == list(growth.AXES)


def test_what_is_stored_can_be_drawn(stored):
    from dlnlab.plotting import speed

    figure = speed.rows(stored["bench"]["rows"])
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert [label.split(" ")[0] for label in labels] == list(ROWS)
    figure = speed.growth(stored["growth"]["growth"])
    assert len(figure.axes) == 2 * len(growth.AXES)
