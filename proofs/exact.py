"""Exact linear algebra: rational or modular matrices, and gradient descent on them.

Matrices are sympy ``DomainMatrix`` objects over ℚ or over the integers modulo the Mersenne prime
p = 2⁶¹ − 1.  There is no rounding, so "equal" means equal.  With python-flint installed sympy uses
it by itself, several times faster; without it everything still runs.

Orthogonal matrices come from the Cayley transform (I − K)(I + K)⁻¹ of a skew-symmetric K, which is
rational in K: the same formula gives an orthogonal matrix over ℚ and over the integers modulo p.

What zero error modulo p means.  Let f be a polynomial with integer coefficients of total degree D
in the instance's random entries, not identically zero modulo p.  At a uniformly random instance
f ≡ 0 happens with probability at most D/p (Schwartz–Zippel).  One step of gradient descent has
degree of a few hundred at most, so an identity that is false modulo p passes one instance with
probability below 1e-15.  After t steps the degree has grown like (2L − 1)ᵗ and passes p
near t = 26 for L = 3: for longer runs the bound says nothing, and zero error is only a stress test.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from random import Random
from typing import Any, TypeVar

from sympy import GF, QQ
from sympy.polys.matrices import DomainMatrix

from .facts import Fact, ProofError, record

__all__ = [
    "MODULAR",
    "RATIONALS",
    "beside",
    "chain",
    "columns",
    "descend",
    "diagonal",
    "draw",
    "draw_positive",
    "eye",
    "from_rows",
    "inner",
    "layer_gradients",
    "projector",
    "random_matrix",
    "random_orthogonal",
    "require_equal",
    "seeded",
]

PRIME = 2**61 - 1
RATIONALS = QQ
MODULAR = GF(PRIME, symmetric=False)

T = TypeVar("T")


def seeded(cases: Sequence[T], repeats: int) -> Iterator[tuple[Random, T]]:
    """Yield every case, each time with a generator of its own; every run draws the same ones.

    Parameters
    ----------
    cases : sequence
    repeats : int
        How often each case is drawn.

    Yields
    ------
    tuple
        A random.Random and a case.
    """
    for number in range(repeats):
        for place, case in enumerate(cases):
            yield Random(1000 * number + place), case


def draw(field: Any, rng: Random, size: int = 5) -> Any:
    """Return a random small fraction, or a uniform residue if the field is modular.

    Parameters
    ----------
    field : sympy domain
        Rational numbers, or the residues of a prime.
    rng : random.Random
    size : int, optional
        Largest numerator and denominator.

    Returns
    -------
    field element
    """
    if field == MODULAR:
        return field(rng.randrange(PRIME))
    return field(rng.randint(-size, size)) / field(rng.randint(1, size))


def draw_positive(field: Any, rng: Random, size: int = 5) -> Any:
    """Return a random positive small fraction, or a nonzero residue.

    Parameters
    ----------
    field : sympy domain
        Rational numbers, or the residues of a prime.
    rng : random.Random
    size : int, optional
        Largest numerator and denominator.

    Returns
    -------
    field element
    """
    if field == MODULAR:
        return field(rng.randrange(1, PRIME))
    return field(rng.randint(1, size)) / field(rng.randint(1, size))


def from_rows(rows: Sequence[Sequence[Any]], field: Any) -> DomainMatrix:
    """Return the matrix with the given rows, converted to the field.

    Parameters
    ----------
    rows : sequence of sequences
        Numbers that the field holds.
    field : sympy domain
        Rational numbers, or the residues of a prime.

    Returns
    -------
    DomainMatrix
    """
    converted = [[_into(field, entry) for entry in row] for row in rows]
    return DomainMatrix(converted, (len(rows), len(rows[0])), field).to_dense()


def _into(field: Any, entry: Any) -> Any:
    if isinstance(entry, Fraction):
        return field(entry.numerator) / field(entry.denominator)
    return field(entry) if isinstance(entry, int) else entry


def random_matrix(rows: int, cols: int, field: Any, rng: Random, size: int = 5) -> DomainMatrix:
    """Return a matrix with independent random entries.

    Parameters
    ----------
    rows, cols : int
    field : sympy domain
        Rational numbers, or the residues of a prime.
    rng : random.Random
    size : int, optional
        Largest numerator and denominator of an entry.

    Returns
    -------
    DomainMatrix
    """
    return from_rows([[draw(field, rng, size) for _ in range(cols)] for _ in range(rows)], field)


def eye(size: int, field: Any) -> DomainMatrix:
    """Return the identity matrix.

    Parameters
    ----------
    size : int
    field : sympy domain
        Rational numbers, or the residues of a prime.

    Returns
    -------
    DomainMatrix
    """
    return DomainMatrix.eye(size, field).to_dense()


def diagonal(values: Sequence[Any], shape: tuple[int, int], field: Any) -> DomainMatrix:
    """Return the (rectangular) diagonal matrix with `values` on its diagonal.

    Parameters
    ----------
    values : sequence of field elements
    shape : tuple of int
        Rows and columns.
    field : sympy domain
        Rational numbers, or the residues of a prime.

    Returns
    -------
    DomainMatrix
    """
    rows, cols = shape
    zero = field(0)
    entries = [
        [values[i] if i == j and i < len(values) else zero for j in range(cols)]
        for i in range(rows)
    ]
    return from_rows(entries, field)


def random_orthogonal(size: int, field: Any, rng: Random) -> DomainMatrix:
    """Return an exactly orthogonal matrix by the Cayley transform of a random skew matrix.

    Parameters
    ----------
    size : int
    field : sympy domain
        Rational numbers, or the residues of a prime.
    rng : random.Random

    Returns
    -------
    DomainMatrix
    """
    upper = {(i, j): draw(field, rng, 3) for i in range(size) for j in range(i + 1, size)}
    skew = [[_skew_entry(upper, i, j, field) for j in range(size)] for i in range(size)]
    return _cayley(from_rows(skew, field))


def _skew_entry(upper: dict[tuple[int, int], Any], i: int, j: int, field: Any) -> Any:
    if i == j:
        return field(0)
    return upper[i, j] if i < j else -upper[j, i]


def _cayley(skew: DomainMatrix) -> DomainMatrix:
    """Return (I − K)(I + K)⁻¹, orthogonal for skew-symmetric K; I + K is invertible over ℚ."""
    one = eye(skew.shape[0], skew.domain)
    return (one - skew) * (one + skew).inv()


def columns(matrix: DomainMatrix, count: int) -> DomainMatrix:
    """Return the first `count` columns.

    Parameters
    ----------
    matrix : DomainMatrix
    count : int

    Returns
    -------
    DomainMatrix
    """
    return matrix[:, :count]


def beside(left: DomainMatrix, right: DomainMatrix) -> DomainMatrix:
    """Return the block matrix [left, right].

    Parameters
    ----------
    left, right : DomainMatrix
        Of as many rows.

    Returns
    -------
    DomainMatrix
    """
    return left.hstack(right)


def projector(frame: DomainMatrix) -> DomainMatrix:
    """Return the orthogonal projector X(XᵀX)⁻¹Xᵀ onto the columns of X.

    Parameters
    ----------
    frame : DomainMatrix
        X, of full column rank.

    Returns
    -------
    DomainMatrix
    """
    flipped = frame.transpose()
    return frame * (flipped * frame).inv() * flipped


def chain(weights: Sequence[DomainMatrix], size: int, field: Any) -> DomainMatrix:
    """Return W_L⋯W_1, the identity of `size` for no weights; ``weights[0]`` is applied first.

    Parameters
    ----------
    weights : sequence of DomainMatrix
        W_1 first.
    size : int
        Columns of the product.
    field : sympy domain
        Rational numbers, or the residues of a prime.

    Returns
    -------
    DomainMatrix
    """
    total = eye(size, field)
    for weight in weights:
        total = weight * total
    return total


def layer_gradients(weights: Sequence[DomainMatrix], residual: DomainMatrix) -> list[DomainMatrix]:
    """Return (W_L⋯W_{l+1})ᵀ G (W_{l−1}⋯W_1)ᵀ for each layer, written out product by product.

    Parameters
    ----------
    weights : sequence of DomainMatrix
        W_1 first.
    residual : DomainMatrix
        G, shape (d_out, d_in).

    Returns
    -------
    list of DomainMatrix
        One for each layer.
    """
    field, gradients = residual.domain, []
    for place, weight in enumerate(weights):
        after = chain(weights[place + 1 :], weight.shape[0], field)
        before = chain(weights[:place], residual.shape[1], field)
        gradients.append(after.transpose() * residual * before.transpose())
    return gradients


def descend(
    weights: Sequence[DomainMatrix],
    target: DomainMatrix,
    rates: Sequence[Any],
    decay: Any = None,
) -> list[DomainMatrix]:
    """Return the weights after one step on ½‖W_L⋯W_1 − target‖² + ½·decay·Σ‖W_l‖².

    Parameters
    ----------
    weights : sequence of DomainMatrix
        W_1 first.
    target : DomainMatrix
        Shape (d_out, d_in).
    rates : sequence of field elements
        The step size of each layer.
    decay : field element, optional
        Weight decay; none by default.

    Returns
    -------
    list of DomainMatrix
    """
    field = target.domain
    decay = field(0) if decay is None else decay
    residual = chain(weights, target.shape[1], field) - target
    gradients = layer_gradients(weights, residual)
    return [
        weight.scalarmul(field(1) - rate * decay) - gradient.scalarmul(rate)
        for weight, gradient, rate in zip(weights, gradients, rates, strict=True)
    ]


def inner(left: DomainMatrix, right: DomainMatrix) -> Any:
    """Return ⟨left, right⟩ = tr(leftᵀ right) as a field element.

    Parameters
    ----------
    left, right : DomainMatrix
        Of one shape.

    Returns
    -------
    field element
    """
    product = left.transpose() * right
    return sum((product[i, i].element for i in range(product.shape[0])), start=left.domain(0))


def require_equal(left: DomainMatrix, right: DomainMatrix, what: str) -> None:
    """Require equality of all entries, exactly.

    Parameters
    ----------
    left, right : DomainMatrix
    what : str
        Name of the fact.

    Raises
    ------
    ProofError
        With the first differing entry.
    """
    if left.shape != right.shape:
        raise ProofError(f"{what}: shapes {left.shape} and {right.shape} differ")
    difference = left - right
    rows, cols = difference.shape
    if difference.is_zero_matrix:
        record(Fact(what, lambda: f"equal in all {rows} × {cols} entries, over {left.domain}"))
        return
    i, j = next((i, j) for i in range(rows) for j in range(cols) if difference[i, j].element != 0)
    raise ProofError(f"{what}: entry ({i}, {j}) differs by {difference[i, j].element}")
