"""What doors make of arrays that are no plain arrays of doubles: the right value, or a refusal."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse
from scipy.sparse.linalg import LinearOperator

import dlnlab
from dlnlab.numerics import arrays, checks, spectra

M = np.array([[3.0, 1.0, 0.5], [1.0, 2.0, 0.25], [0.0, 1.0, 1.0]])
MASK = np.array([[True, True, False], [False, True, True], [True, False, True]])
W = np.array([[1.0, 2.0, 0.0], [0.5, 1.0, 1.0], [2.0, 0.0, 1.0]])
RNG = np.random.default_rng(0)
A = RNG.standard_normal((4, 3, 3))
Y = RNG.standard_normal(4)
START = tuple(RNG.standard_normal((3, 3)) for _ in range(2))

PROBLEMS = {
    "factorization": lambda x: dlnlab.factorization(x(M)),
    "completion": lambda x: dlnlab.completion(x(M), MASK),
    "sampled": lambda x: dlnlab.completion(x(M), MASK, computation="sampled"),
    "sparse": lambda x: dlnlab.completion(scipy.sparse.csr_array(M * MASK), target=x(M)),
    "sensing": lambda x: dlnlab.sensing(x(A), x(Y), target=x(M)),
    "linear": lambda x: dlnlab.linear_recovery(x(A.reshape(4, 9)), x(Y), (3, 3), target=x(M)),
}


def plain(x):
    return x


def as_matrix(x):
    """What NumPy calls a matrix: its * is a product, and its rows stay two-dimensional."""
    return x.view(np.matrix) if x.ndim == 2 else x


@pytest.mark.parametrize("kind", PROBLEMS)
def test_numpy_matrices_are_read_as_the_arrays_they_hold(kind):
    right, other = PROBLEMS[kind](plain), PROBLEMS[kind](as_matrix)
    for name in ("loss", "gradient", "error", "singular_values"):
        expected = getattr(right, name)(W)
        for problem in (right, other):
            found = getattr(problem, name)(as_matrix(W))
            assert type(found) is type(expected)
            assert np.array_equal(found, expected), name


def test_the_loss_of_a_numpy_matrix():
    """½ (1 + 4 + 9 + 9) entry by entry; for a matrix ** is the product with itself."""
    problem = dlnlab.factorization(np.array([[1.0, 2.0], [3.0, 4.0]]))
    assert float(problem.loss(np.array([[0.0, 0.0], [0.0, 1.0]]).view(np.matrix))) == 11.5
    weights = (START[0].view(np.matrix), START[1].view(np.matrix))
    assert np.array_equal(dlnlab.end_to_end(weights), dlnlab.end_to_end(START))
    assert type(dlnlab.end_to_end(weights)) is np.ndarray
    assert np.array_equal(spectra.singular_values(M.view(np.matrix)), spectra.singular_values(M))


OTHERS = [np.float16, np.longdouble, np.int8, np.uint64, ">f8", ">f4"]


@pytest.mark.parametrize("dtype", OTHERS, ids=str)
def test_every_other_precision_is_computed_in_double(dtype):
    """Bit for bit as if the same numbers had been given in double."""
    given = [(10 * x).astype(dtype) for x in (abs(M), abs(A), abs(Y), abs(W), *map(abs, START))]
    double = [x.astype(np.float64) for x in given]

    def results(M, A, Y, W, *weights):
        problems = [
            dlnlab.factorization(M),
            dlnlab.completion(M, MASK),
            dlnlab.sensing(A, Y, target=M),
            dlnlab.linear_recovery(A.reshape(4, 9), Y, (3, 3), target=M),
        ]
        for problem in problems:
            yield from (problem.loss(W), problem.gradient(W), problem.error(W))
            yield problem.singular_values(W)
        options = {"record": ("loss", "singular_values", "alignment")}
        run = dlnlab.gradient_descent(problems[0], weights, eta=1e-4, num_steps=3, **options)
        yield from (run.losses, run.singular_values, run.left_alignments, *run.weights)
        flow = dlnlab.gradient_flow(problems[0], weights, t_end=1e-4, rtol=1e-6)
        yield from (flow.losses, *flow.weights)
        yield from spectra.compact_svd(M)
        yield from dlnlab.compressed_weights(problems[0], 2, 2, 0.1)
        yield spectra.singular_values(M)

    for found, expected in zip(results(*given), results(*double), strict=True):
        assert np.asarray(found).dtype == np.float64
        assert np.array_equal(found, expected)


def test_half_precision_keeps_the_modes_of_its_numbers():
    """The rank tolerance of half precision itself would be 100 / 1024 of the largest value."""
    target = np.zeros((100, 100))
    target[:4, :4] = np.diag([1.0, 0.5, 0.0625, 0.03125])  # exact in half precision
    half = dlnlab.compare(target.astype(np.float16), 4, depth=2, eps=0.3)
    double = dlnlab.compare(target, 4, depth=2, eps=0.3)
    assert half.settings["rank"] == 4
    assert np.array_equal(half.targets, double.targets)
    assert np.array_equal(half.margin, double.margin)


def test_single_precision_stays_single():
    single = dlnlab.factorization(M.astype(np.float32))
    assert single.gradient(W.astype(np.float32)).dtype == np.float32
    weights = dlnlab.original_weights((3, 3), 2, 0.1, rng=0, like=single.target)
    assert {layer.dtype for layer in weights} == {np.dtype(np.float32)}
    run = dlnlab.gradient_descent(single, weights, eta=0.1, num_steps=2)
    assert {run.losses.dtype, run.weights[0].dtype} == {np.dtype(np.float32)}


def test_an_extended_number_beyond_double_is_refused():
    with pytest.raises(ValueError, match="`M` must be finite, got 9 NaN or infinite"):
        dlnlab.factorization(np.full((3, 3), 1e308, dtype=np.longdouble) * 1000)


def test_a_library_that_gives_no_double_is_refused(monkeypatch):
    """As JAX does, where its 64-bit numbers are off: the cast to float64 gives float32."""
    library = SimpleNamespace(
        isdtype=lambda dtype, kind: "integral" in kind,
        float64=np.float64,
        astype=lambda array, dtype: array.astype(np.float32),
    )
    monkeypatch.setattr(arrays, "namespace", lambda *a, **b: library)
    with pytest.raises(TypeError, match=r"`M` must be convertible to float64, .* jax_enable_x64"):
        checks.array("M", np.ones((2, 2), dtype=np.int32))


# ------------------------------------------------------------------ what is given twice


def test_a_rating_stored_twice_is_refused():
    """SciPy would add them up: 3 + 4 = 7 where ratings end at 5."""
    twice = scipy.sparse.coo_array(([3.0, 4.0], ([0, 0], [1, 1])), shape=(2, 2))
    with pytest.raises(ValueError, match=r"`M` must store every entry once, got 2 .* in 1 places"):
        dlnlab.completion(twice)
    csr = scipy.sparse.csr_array((np.array([3.0, 4.0]), np.array([1, 1]), np.array([0, 2, 2])))
    with pytest.raises(ValueError, match="`M` must store every entry once"):
        dlnlab.completion(csr)
    once = scipy.sparse.coo_array(([3.0, 0.0], ([0, 0], [1, 0])), shape=(2, 2))
    assert float(dlnlab.completion(once).loss(np.zeros((2, 2)))) == 4.5


def test_no_door_adds_up_what_is_stored_twice():
    twice = scipy.sparse.coo_array(([3.0, 4.0, 5.0], ([0, 1, 0], [0, 1, 0])), shape=(2, 2))
    for door in (dlnlab.factorization, lambda M: dlnlab.compare(M, 1)):
        with pytest.raises(ValueError, match=r"`M` must store every entry once, got 3 .* in 2"):
            door(twice)
    with pytest.raises(ValueError, match=r"`operator` must store every entry once"):
        dlnlab.linear_recovery(twice, np.ones(2), (1, 2))
    assert dlnlab.factorization(twice.tocsr()).target.tolist() == [[8.0, 0.0], [0.0, 4.0]]


@pytest.mark.parametrize("name", ["users", "items"])
def test_indices_that_are_masked_are_not_used(name):
    parts = {"users": np.array([0, 1]), "items": np.array([0, 1])}
    parts[name] = np.ma.masked_array(parts[name], [False, True])
    with pytest.raises(TypeError, match=f"`{name}` must be a plain array, got a masked one"):
        dlnlab.Ratings(**parts, values=np.array([3.0, 4.0]), shape=(2, 2))


@pytest.mark.parametrize("form", ["coo", "csr", "csc", "lil", "dok", "bsr"])
def test_a_sparse_matrix_is_left_as_it_was(form):
    """Sorting and adding up happen in place, so they need a copy."""
    unsorted = scipy.sparse.csr_array(
        (np.array([1.0, 2.0, 3.0]), np.array([2, 0, 1]), np.array([0, 2, 3, 3])), shape=(3, 3)
    )
    given = unsorted.copy() if form == "csr" else unsorted.asformat(form)
    kept = {name: np.copy(value) for name, value in vars(given).items() if name in PARTS}
    dense = given.toarray()
    problem = dlnlab.completion(given)
    mask = dlnlab.completion(M, given)
    for name, value in kept.items():
        assert np.array_equal(getattr(given, name), value), name
    assert np.array_equal(given.toarray(), dense)
    before = problem.loss(W), mask.loss(W)
    if form in ("coo", "csr", "csc", "bsr"):
        given.data[:] = 100.0
        assert (problem.loss(W), mask.loss(W)) == before


PARTS = ("data", "indices", "indptr", "row", "col", "coords")


# ------------------------------------------------------------------ seeds, cells, operators


def test_a_numpy_integer_is_recorded_as_the_seed_it_is():
    first = dlnlab.compare(M, 2, depth=2, eps=0.3, rng=7)
    second = dlnlab.compare(M, 2, depth=2, eps=0.3, rng=np.int64(7))
    assert first.settings["seed"] == second.settings["seed"] == 7
    assert type(second.settings["seed"]) is int
    assert np.array_equal(first.margin, second.margin)


def test_seeds_that_doubles_cannot_tell_apart_make_different_problems():
    first, second = (
        dlnlab.sensing(dlnlab.GeneratedEnsemble(3, (2, 2), seed), np.ones(3))
        for seed in (2**53, 2**53 + 1)
    )
    assert first.fingerprint() != second.fingerprint()


@pytest.mark.parametrize("cell", ["12_3", "1_0.5", "١٢", "１２"])
def test_a_cell_is_a_number_as_other_programs_read_it(cell, tmp_path):
    (tmp_path / "m.csv").write_text(f"1,2\n3,{cell}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=f"line 2: '{cell}' is not a number"):
        dlnlab.data.read(tmp_path / "m.csv")


def operator(forward, backward, dtype=np.float64):
    return LinearOperator((4, 9), matvec=forward, rmatvec=backward, dtype=dtype)


FLAT = A.reshape(4, 9)


def test_an_operator_with_its_adjoint_is_taken():
    given = operator(lambda x: FLAT @ x, lambda y: FLAT.T @ y)
    right = dlnlab.linear_recovery(FLAT, Y, (3, 3))
    found = dlnlab.linear_recovery(given, Y, (3, 3))
    np.testing.assert_allclose(found.gradient(W), right.gradient(W), rtol=1e-13)
    single = operator(
        lambda x: FLAT.astype(np.float32) @ x.astype(np.float32),
        lambda y: FLAT.astype(np.float32).T @ y.astype(np.float32),
        np.float32,
    )
    assert dlnlab.linear_recovery(single, Y, (3, 3)).shape == (3, 3)


@pytest.mark.parametrize("slip", [2.0, -1.0, 1 + 1e-9], ids=str)
def test_an_rmatvec_that_is_not_the_adjoint_is_refused(slip):
    given = operator(lambda x: FLAT @ x, lambda y: slip * (FLAT.T @ y))
    with pytest.raises(ValueError, match=r"`operator` must have its adjoint as `rmatvec`"):
        dlnlab.linear_recovery(given, Y, (3, 3))


def test_an_rmatvec_with_two_outputs_swapped_is_refused():
    order = [1, 0, *range(2, 9)]
    given = operator(lambda x: FLAT @ x, lambda y: (FLAT.T @ y)[order])
    with pytest.raises(ValueError, match=r"`operator` must have its adjoint as `rmatvec`"):
        dlnlab.linear_recovery(given, Y, (3, 3))


def test_an_operator_answers_in_a_precision_that_is_computed_with():
    extended = operator(lambda x: (FLAT @ x).astype(np.longdouble), lambda y: FLAT.T @ y)
    with pytest.raises(TypeError, match="`operator` must answer in float32 or float64, got"):
        dlnlab.linear_recovery(extended, Y, (3, 3))
    for dtype in (np.longdouble, np.int8):
        sparse = scipy.sparse.coo_array((10 * FLAT).astype(dtype))
        problem = dlnlab.linear_recovery(sparse, Y, (3, 3))
        dense = dlnlab.linear_recovery((10 * FLAT).astype(dtype).astype(float), Y, (3, 3))
        assert problem.gradient(W).dtype == np.float64
        np.testing.assert_allclose(problem.gradient(W), dense.gradient(W), rtol=1e-12)


def test_an_operator_that_gives_nan_is_refused():
    given = operator(lambda x: np.full(4, np.nan), lambda y: FLAT.T @ y)
    with pytest.raises(ValueError, match="`operator` must be finite, got 4 NaN"):
        dlnlab.linear_recovery(given, Y, (3, 3))
    with pytest.raises(ValueError, match="`operator` must be finite, got 1 NaN"):
        dlnlab.linear_recovery(np.where(FLAT[0, 0] == FLAT, np.nan, FLAT), Y, (3, 3))


# ------------------------------------------------------------------ sizes


SIZES = {
    "depth of a start": lambda: dlnlab.original_weights((3, 3), 10**9, 0.1, rng=0),
    "depth of modes": lambda: dlnlab.modes.flow([1.0], [1.0], 0.1, 10**9),
    "depth of a comparison": lambda: dlnlab.compare(M, 1, depth=10**9),
    "depth of a reduction": lambda: dlnlab.parsimony.reduce_random(
        dlnlab.factorization(M), 10**9, 0.1, rng=0
    ),
    "num_records": lambda: dlnlab.compare(M, 1, num_records=10**9),
    "num_records of a prediction": lambda: dlnlab.memory.of_descent(
        dlnlab.factorization(M), START, 10**30, ()
    ),
    "rtol": lambda: dlnlab.compare(M, 1, rtol=5e-324),
    "rtol of a flow": lambda: dlnlab.gradient_flow(
        dlnlab.factorization(M), START, t_end=1.0, rtol=2
    ),
    "t_end": lambda: dlnlab.gradient_flow(dlnlab.factorization(M), START, t_end=1e308),
    "stability": lambda: dlnlab.gradient_flow(
        dlnlab.factorization(M), START, t_end=1.0, stability=1e-300
    ),
    "M": lambda: dlnlab.factorization(1e307 * M),
    "M in single precision": lambda: dlnlab.factorization(1e20 * M.astype(np.float32)),
    "eps": lambda: dlnlab.original_weights((3, 3), 3, 1e100, rng=0),
    "eta": lambda: dlnlab.gradient_descent(
        dlnlab.factorization(M), START, eta=10**400, num_steps=1
    ),
    "seeds": lambda: dlnlab.experiments.study(
        dlnlab.experiments.EXPERIMENTS["fig22"], seeds=10**30
    ),
}


@pytest.mark.parametrize("name", SIZES)
def test_sizes_that_cannot_be_carried_out_are_refused_at_once(name):
    with pytest.raises(ValueError, match=f"`{name.split()[0]}"):
        SIZES[name]()


@pytest.mark.parametrize(
    "value",
    [
        [1.0, True],
        [False, 2],
        [[1, 2], [True, 3]],
        (1.0, np.True_),
        [np.array([True, False]), [1.0, 2.0]],
        [np.float64(1.0), np.array(True)],
        [1.0, True, 1e-3],
    ],
    ids=repr,
)
def test_booleans_among_numbers_are_no_numbers(value):
    """NumPy makes 1.0 of True beside a number."""
    with pytest.raises(TypeError, match="`x` must be numbers only, got True or False among them"):
        checks.numbers_in("x", value)
    with pytest.raises(TypeError, match="`x` must be numbers only"):
        checks.array("x", value)


@pytest.mark.parametrize("value", [[1, 2.0], [np.float32(1), 2], [[1], [2.5]], [], [[]], 3, (1, 2)])
def test_lists_of_numbers_are_read(value):
    assert np.array_equal(checks.numbers_in("x", value), np.asarray(value, dtype=float))


def test_step_sizes_are_no_booleans():
    with pytest.raises(TypeError, match=r"`eta` must be .* True or False among them"):
        dlnlab.gradient_descent(dlnlab.factorization(M), START, eta=[0.1, True], num_steps=1)


# ------------------------------------------------------------------ frames, tensors, gaps

GAPS = np.where(MASK, M, np.nan)


def frame_of(library):
    """Return what makes a frame of a matrix, or skip."""
    module = pytest.importorskip(library)
    return lambda x: module.DataFrame({f"c{k}": column for k, column in enumerate(x.T)})


def tensor(x):
    return pytest.importorskip("torch").tensor(x)


def nullable(x):
    """pandas' own numbers, of which a missing one is no NaN."""
    frame = frame_of("pandas")(x)
    return frame.astype("Float64").where(frame.notna())


def nulls(x):
    return frame_of("polars")(x).fill_nan(None)


CONTAINERS = {
    "pandas": lambda x: frame_of("pandas")(x),
    "nullable": nullable,
    "polars": lambda x: frame_of("polars")(x),
    "null": nulls,
    "torch": tensor,
    "gradient": lambda x: tensor(x).requires_grad_(),
    "masked": lambda x: np.ma.masked_invalid(x),
    "plain": lambda x: x,
    "lists": lambda x: x.tolist(),
}


@pytest.mark.parametrize("kind", CONTAINERS)
def test_what_holds_a_matrix_is_read_as_its_numbers(kind):
    given = CONTAINERS[kind](M)
    problem = dlnlab.factorization(given)
    assert type(problem.target) is np.ndarray
    assert np.array_equal(problem.target, M)
    assert np.array_equal(problem.gradient(W), M * 0 + W - M)
    assert np.array_equal(dlnlab.compare(given, 1, depth=2, eps=0.3).margin, MARGIN)


MARGIN = dlnlab.compare(M, 1, depth=2, eps=0.3).margin


@pytest.mark.parametrize("form", ["csr_matrix", "coo_array", "csc_array"])
def test_a_sparse_target_is_the_matrix_with_its_zeros(form):
    sparse = getattr(scipy.sparse, form)(M * MASK)
    assert np.array_equal(dlnlab.factorization(sparse).target, M * MASK)
    expected = dlnlab.compare(M * MASK, 1, depth=2, eps=0.3).margin
    assert np.array_equal(dlnlab.compare(sparse, 1, depth=2, eps=0.3).margin, expected)


@pytest.mark.parametrize("kind", CONTAINERS)
@pytest.mark.parametrize("computation", ["dense", "sampled"])
def test_unknown_entries_are_unobserved_and_leave_the_target_unknown(kind, computation):
    found = dlnlab.completion(CONTAINERS[kind](GAPS), computation=computation)
    right = dlnlab.completion(M, MASK, computation=computation)
    assert float(found.loss(W)) == float(right.loss(W))
    assert np.array_equal(found.gradient(W), right.gradient(W))
    assert np.array_equal(found.surrogate(), right.surrogate())
    assert found.target is None
    with pytest.raises(ValueError, match="`target` is unknown"):
        found.error(W)
    run = dlnlab.gradient_descent(found, START, eta=0.01, num_steps=2)
    assert run.errors is None
    known = dlnlab.completion(CONTAINERS[kind](GAPS), target=M, computation=computation)
    assert float(known.error(W)) == float(right.error(W))


@pytest.mark.parametrize("kind", ["pandas", "polars", "torch", "plain", "sparse"])
def test_nan_outside_the_mask_is_fine_and_inside_is_refused(kind):
    fewer = MASK & ~np.eye(3, k=1, dtype=bool)
    make = scipy.sparse.csr_array if kind == "sparse" else CONTAINERS[kind]
    found = dlnlab.completion(GAPS, make(fewer))
    assert float(found.loss(W)) == float(dlnlab.completion(M, fewer).loss(W))
    assert found.target is None
    with pytest.raises(ValueError, match="`mask` must mark entries of `M` that are known"):
        dlnlab.completion(GAPS, make(np.ones((3, 3), dtype=bool)))


@pytest.mark.parametrize("kind", ["pandas", "nullable", "polars", "torch"])
def test_ratings_of_columns(kind):
    users, items, values = ([0, 0, 1], [0, 2, 1], [5.0, 3.0, 4.0])
    series = {
        "pandas": lambda x: pytest.importorskip("pandas").Series(x),
        "nullable": lambda x: pytest.importorskip("pandas").Series(x).convert_dtypes(),
        "polars": lambda x: pytest.importorskip("polars").Series(x),
        "torch": tensor,
    }[kind]
    ratings = dlnlab.Ratings(series(users), series(items), series(values), (2, 3))
    assert float(ratings.completion().loss(np.zeros((2, 3)))) == 25.0


def test_what_a_frame_or_a_tensor_cannot_give_is_refused():
    words = pytest.importorskip("pandas").DataFrame({"a": ["x", "y"], "b": [1.0, 2.0]})
    with pytest.raises(TypeError, match="`M` must be numeric"):
        dlnlab.factorization(words)
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match=r"`M` must be .*bfloat16.*pass \.double\(\)"):
        dlnlab.factorization(torch.zeros(2, 2, dtype=torch.bfloat16))
    with pytest.raises(TypeError, match=r"`M` must be .*pass \.to_dense\(\)\.double\(\)"):
        dlnlab.factorization(torch.eye(2).to_sparse())
    with pytest.raises(ValueError, match="`M` must be finite in one entry at least"):
        dlnlab.completion(np.full((2, 2), np.nan))
    with pytest.raises(ValueError, match="`M` must be finite"):
        dlnlab.completion(np.array([[np.inf, np.nan]]))


def test_minus_zero_is_zero():
    """Or a logarithm, or a division, would have a sign that nobody meant."""
    assert math.copysign(1, checks.nonnegative("x", -0.0)) == 1
    assert not np.signbit(checks.nonnegative_array("x", [-0.0, 1.0])).any()


def test_numbers_of_numpy_do_not_wrap_around():
    """−np.uint64(3) is 18446744073709551613, and 100 + 100 of eight bits are −56."""
    unsigned = {"margin": -1.0, "error": np.uint64(3)}
    assert dlnlab.Premise("p", "holds", **unsigned).met
    standing = dlnlab.claims.Standing("conjecture")
    verdict = dlnlab.claims.judge(
        "c", "holds", **unsigned, premises=(), witness={}, standing=standing
    )
    assert not verdict.contradicted
    assert type(verdict.error) is float
    hundred = np.int8(100)
    assert dlnlab.memory.Footprint(hundred, hundred, hundred).peak == 300
    ensemble = dlnlab.GeneratedEnsemble(hundred, (3, 3), np.int8(7))
    assert ensemble == dlnlab.GeneratedEnsemble(100, (3, 3), 7)
    assert type(ensemble.count) is int


def test_the_memory_of_a_network_is_foreseen_that_is_not_there():
    """Numbers that are repeated take no room, and nothing looks at them; a run would need it."""
    shape = (10**6, 10**6)
    problem = dlnlab.factorization(dlnlab.random_target(shape, 1, rng=0, factored=True))
    weights = (np.broadcast_to(0.0, shape),) * 2
    assert dlnlab.memory.of_descent(problem, weights, 1, ("loss",)).peak > 2 * 8 * 10**12
    with pytest.raises(ValueError, match=r"`weights\[0\]`: an array of shape .* would need"):
        dlnlab.gradient_descent(problem, weights, eta=0.1, num_steps=1)
