"""Runs come back from their files as they were, and files whose arrays were changed are refused."""

from __future__ import annotations

import numpy as np
import pytest
from test_checkpoints import RECORD, assert_same_run, descend

import dlnlab
from dlnlab import baselines
from dlnlab.training.trajectory import Status, Trajectory

M = dlnlab.random_target((4, 3), 2, rng=0)
MASK = dlnlab.random_mask((4, 3), 0.8, rng=0)
START = dlnlab.original_weights((4, 3), 3, 0.3, rng=1)
WIDE = dlnlab.original_weights((4, 3), 3, 0.3, rng=1, width=6)


def flow(t_end=5.0, **options):
    return dlnlab.gradient_flow(
        dlnlab.factorization(M), START, t_end=t_end, record=RECORD, **options
    )


RUNS = {
    "descent": lambda: descend(),
    "a batch": lambda: descend(batch=(2, 3)),
    "steps of a batch": lambda: descend(batch=(2, 3), eta=np.array([0.1, 0.05, 0.2])),
    "steps of a batch of one": lambda: descend(eta=np.array([[0.1], [0.05]])),
    "a batch without a step": lambda: descend(0, eta=np.array([0.1, 0.05])),
    "single precision": lambda: descend(dtype=np.float32),
    "diverged": lambda: descend(400, eta=50.0),
    "diverged in part": lambda: descend(400, batch=(3,), eta=np.array([0.3, 50.0, 0.01]), tol=1e-3),
    "nothing recorded": lambda: descend(record=()),
    "completion": lambda: descend(problem=dlnlab.completion(M, MASK)),
    "sampled": lambda: descend(problem=dlnlab.completion(M, MASK, computation="sampled")),
    "no target": lambda: descend(problem=dlnlab.completion(M, MASK, target=None)),
    "flow": flow,
    "flow, stiff": lambda: flow(method="stiff"),
    "flow, out of budget": lambda: flow(max_steps=2),
    "flow, stopped": lambda: flow(stop=lambda t, W: 1.0 - t),
    "flow with decay": lambda: flow(weight_decay=0.1),
    "alternating": lambda: baselines.alternating_minimization(
        dlnlab.completion(M, MASK), 2, num_iterations=4, record=RECORD
    ),
}


@pytest.mark.parametrize("kind", RUNS)
def test_a_run_comes_back_as_it_was(tmp_path, kind):
    run = RUNS[kind]()
    run.save(tmp_path / "run.npz")
    assert_same_run(Trajectory.load(tmp_path / "run.npz"), run)


# Every array of a file, changed in every one of these ways.


def first(value):
    """Give an array with another first entry."""

    def change(array):
        changed = np.atleast_1d(array.copy())
        changed.flat[0] = value
        return changed.reshape(array.shape)

    return change


TAMPERS = {
    "missing": None,
    "an axis more": lambda a: a[None],
    "an axis less": lambda a: a[0],
    "a record less": lambda a: a[:-1],
    "a column less": lambda a: a[..., :-1],
    "twice as long": lambda a: np.concatenate([a, a]),
    "empty": lambda a: a[:0],
    "single precision": lambda a: a.astype(np.float32),
    "half precision": lambda a: a.astype(np.float16),
    "double precision": lambda a: a.astype(np.float64),
    "integers": lambda a: a.astype(np.int64),
    "short integers": lambda a: a.astype(np.int8),
    "complex": lambda a: a.astype(complex),
    "boolean": lambda a: a.astype(bool),
    "text": lambda a: a.astype(str),
    "other text": lambda a: np.array('["DONE"]') if a.dtype.kind == "U" else np.array("x"),
    "NaN": first(np.nan),
    "infinite": first(np.inf),
    "negative": first(-1),
    "backwards": lambda a: a[::-1],
    "columns backwards": lambda a: a[..., ::-1],
    "larger": lambda a: a + 1,
    "the opposite": lambda a: ~a,
}

OTHER = {"backwards", "columns backwards", "larger"}
"""Other numbers of the same kind and range: only who wrote the file could tell."""

ACCEPTED = {
    "version": {"missing"},  # of before it was kept
    "times": {"larger"},
    "seconds": {"larger"},
    **dict.fromkeys(("losses", "errors", "left_alignments", "right_alignments"), OTHER),
    "imbalances": OTHER | {"NaN", "infinite"},  # squares of weights, the first to overflow
    "singular_values": OTHER - {"columns backwards"},
    **dict.fromkeys(("end_to_end", "layers", "weights"), OTHER | {"negative"}),
}
"""What cannot be told from an honest file, by field; everything else must be refused."""

NOT_RECORDED = ("losses", "errors", "singular_values", "left_alignments", "right_alignments")

MORE = {
    "trajectory": {
        "version": {"other text", "NaN", "infinite", "negative"},  # any text; it decides nothing
        "steps": {"larger"},
        **{key: {"missing"} for key in (*NOT_RECORDED, "end_to_end", "imbalances")},
    },
    "checkpoint": {"times": {"columns backwards", "a column less"}},  # step sizes of a batch
}
"""What is not recorded is missed by the run that continues only."""


def tampered(content):
    """Yield (field, tamper, content) wherever a change can be made, and is one."""
    for name, array in content.items():
        for tamper, change in TAMPERS.items():
            if change is None:
                yield name, tamper, {k: v for k, v in content.items() if k != name}
                continue
            try:
                with np.errstate(invalid="ignore"):
                    other = change(array)
            except (ValueError, IndexError, TypeError, OverflowError):
                continue  # no such change of such an array
            other = np.asarray(other)
            if (other.dtype, other.shape, other.tobytes()) != (
                array.dtype,
                array.shape,
                array.tobytes(),
            ):
                yield name, tamper, content | {name: other}


def batched(**options):
    return descend(20, batch=(2,), eta=np.array([0.1, 0.3]), tol=1e-3, **options)


@pytest.mark.parametrize(("kind", "run"), [("trajectory", descend), ("checkpoint", batched)])
def test_a_file_whose_arrays_were_changed_is_refused(tmp_path, kind, run):
    path, accepted, refused = tmp_path / "run.npz", {}, 0
    run(checkpoint=path) if kind == "checkpoint" else run().save(path)
    for name, tamper, content in tampered(dict(np.load(path))):
        np.savez(path, **content)
        try:
            run(checkpoint=path) if kind == "checkpoint" else Trajectory.load(path)
            accepted.setdefault(name, set()).add(tamper)
        except ValueError as error:
            told = str(path) in str(error) or "already in the checkpoint" in str(error)
            assert told, (name, tamper)
            refused += 1
    expected = {name: tampers_of(kind, name) for name in accepted}
    assert accepted == expected
    assert refused > 250


def tampers_of(kind, name):
    """What is accepted of an array, which is a field or a part of one."""
    field = name.partition(".")[0]
    return ACCEPTED.get(field, set()) | MORE[kind].get(field, set())


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("times", TAMPERS["backwards"], "`times` must not decrease along its first axis"),
        ("steps", TAMPERS["double precision"], "`steps` must have dtype int64 or int32"),
        ("steps", TAMPERS["backwards"], "`steps` must not decrease"),
        ("losses", TAMPERS["a record less"], r"`losses` must have shape \(15\), got .* \(14,\)"),
        ("losses", TAMPERS["NaN"], "`losses` must be finite for members that have not diverged"),
        ("losses", TAMPERS["negative"], "`losses` must be at least 0"),
        ("losses", TAMPERS["single precision"], "`losses` must have dtype float64"),
        ("seconds", TAMPERS["negative"], "`seconds` must be at least 0"),
        ("seconds", TAMPERS["NaN"], "`seconds` must be finite"),
        ("status", TAMPERS["other text"], "`status` must be a JSON list of names of `Status`"),
        ("status_shape", lambda a: np.array([3]), r"`status` must .* of shape \(3,\)"),
        ("layers.1", TAMPERS["missing"], r"`layers\.1` must be there, and is missing"),
        ("weights.2", TAMPERS["a column less"], r"`weights\.2` must have shape \(d_out, 4\)"),
        ("left_alignments", TAMPERS["infinite"], "`left_alignments` must be finite or NaN"),
        ("singular_values", TAMPERS["columns backwards"], "`singular_values` must not increase"),
        ("foreign", lambda a: np.zeros(3), "`foreign` is none that such a run has"),
        ("layers.3", lambda a: np.zeros(3), r"`layers\.3` is none that such a run has"),
    ],
)
def test_the_message_names_the_file_and_the_field(tmp_path, name, change, message):
    path = tmp_path / "run.npz"
    descend().save(path)
    content = dict(np.load(path))
    changed = {name: change(content.get(name))} if change else {}
    np.savez(path, **{k: v for k, v in content.items() if k != name}, **changed)
    with pytest.raises(ValueError, match=f"run.npz': its field {message}"):
        Trajectory.load(path)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("extra_step", np.array(7), "`extra_step` must be at least"),
        ("extra_done", np.array(True), "`extra_done` must be true for the members whose"),
        ("losses", None, "`losses` must be there, and is missing"),
        ("weights.0", np.ones((4, 2)), r"`weights\.0` must have shape \(4, 3\)"),
        ("singular_values", np.ones((15, 2)), r"`singular_values` must have shape \(15, 3\)"),
    ],
)
def test_a_run_continues_from_what_its_records_can_have_led_to(tmp_path, name, value, message):
    path = tmp_path / "run.npz"
    descend(checkpoint=path)
    content = {k: v for k, v in np.load(path).items() if k != name}
    np.savez(path, **content, **({} if value is None else {name: value}))
    with pytest.raises(ValueError, match=f"run.npz': its field {message}"):
        descend(checkpoint=path)


def test_the_checkpoint_of_a_reduced_network_is_of_two_sizes(tmp_path):
    """The small weights that run beside the records of the wide network."""
    path, target = tmp_path / "run.npz", dlnlab.random_target((20, 20), 1, rng=0)
    weights = dlnlab.original_weights((20, 20), 3, 0.3, rng=1)

    def run(num_steps, **options):
        return dlnlab.gradient_descent(
            dlnlab.factorization(target),
            weights,
            eta=0.1,
            num_steps=num_steps,
            record=RECORD,
            formulation="reduced",
            **options,
        )

    run(5, checkpoint=path)
    stored = Trajectory.load(path)
    assert stored.weights[0].shape[-1] < stored.layers[0].shape[-1] == 20
    assert_same_run(run(9, checkpoint=path), run(9))


def test_a_checkpoint_between_records_may_have_diverged(tmp_path):
    """It is not known before the next record."""
    path = tmp_path / "run.npz"
    descend(20, checkpoint=path)
    content = dict(np.load(path))
    content |= {"extra_step": np.array(21), "weights.0": np.full((4, 3), np.inf)}
    np.savez(path, **content)
    assert descend(22, checkpoint=path).status is Status.DIVERGED
    content["extra_step"] = np.array(20)
    np.savez(path, **content)
    with pytest.raises(ValueError, match=r"`weights\.0` must be finite for members"):
        descend(22, checkpoint=path)
