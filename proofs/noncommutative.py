"""Matrix identities for every dimension at once: polynomials in non-commuting matrix letters.

A *letter* is a matrix known only by its name and by the two spaces it maps between; a *word* is a
product of letters; a :class:`Words` is a linear combination of words with scalar (sympy)
coefficients.  Transposition reverses words.  What is known about the letters, for instance
``Uᵀ U = I``, enters as rewriting rules.  If the difference of two sides reduces to zero, the
identity holds for all matrices of all sizes that satisfy the rules: every reduction is one
application of a rule or of the ring axioms.  (The converse fails: an incomplete rule set may leave
a true identity unreduced.  That makes a proof fail, never succeed.)

Diagonal letters commute with each other and may carry symbolic powers, so that ``D**(L - l)`` with
symbolic depth L and layer l is a word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sympy as sp

from .facts import Fact, ProofError, record, shown

__all__ = [
    "Letter",
    "Rules",
    "Words",
    "diagonal",
    "diagonal_entry",
    "identity",
    "letters",
    "matrix",
    "orthonormal_columns",
    "require_same",
    "symmetric",
    "transported",
    "zero",
]

Factor = tuple["Letter", sp.Expr]
Word = tuple[Factor, ...]
Rules = Mapping[tuple["Letter", ...], "Words"]


@dataclass(frozen=True)
class Letter:
    """A named matrix from the space `cols` to the space `rows`.

    Parameters
    ----------
    name : str
    rows, cols : str
        Names of its spaces.
    transposed : bool
        Whether it is the transpose of the named matrix.
    symmetric, diagonal : bool
        What is known of it.

    Raises
    ------
    ValueError
        If a symmetric or diagonal letter has two different spaces.
    """

    name: str
    rows: str
    cols: str
    transposed: bool = False
    symmetric: bool = False
    diagonal: bool = False

    def __post_init__(self) -> None:
        if (self.symmetric or self.diagonal) and self.rows != self.cols:
            raise ValueError(f"`{self.name}` is symmetric, so its two spaces must agree")

    def flip(self) -> Letter:
        """Return the transposed letter.

        Returns
        -------
        Letter
            Itself if it is symmetric.
        """
        if self.symmetric or self.diagonal:
            return self
        return replace(self, rows=self.cols, cols=self.rows, transposed=not self.transposed)

    def __str__(self) -> str:
        return self.name + ("ᵀ" if self.transposed else "")


class Words:
    """A linear combination of words between two fixed spaces.

    Parameters
    ----------
    terms : mapping
        From words, tuples of (letter, power), to coefficients.
    rows, cols : str
        Names of the two spaces.
    """

    def __init__(self, terms: Mapping[Word, Any], rows: str, cols: str) -> None:
        self.rows, self.cols = rows, cols
        collected: dict[Word, sp.Expr] = {}
        for raw, coefficient in terms.items():
            word = _normal_order(raw)
            collected[word] = collected.get(word, sp.Integer(0)) + sp.sympify(coefficient)
        simplified = {word: _scalar(value) for word, value in collected.items()}
        self.terms = {word: value for word, value in simplified.items() if value != 0}

    def __add__(self, other: Words) -> Words:
        _same_spaces(self, other)
        terms = dict(self.terms)
        for word, value in other.terms.items():
            terms[word] = terms.get(word, sp.Integer(0)) + value
        return Words(terms, self.rows, self.cols)

    def __neg__(self) -> Words:
        return self * -1

    def __sub__(self, other: Words) -> Words:
        return self + (-other)

    def __mul__(self, scalar: Any) -> Words:
        return Words({w: v * scalar for w, v in self.terms.items()}, self.rows, self.cols)

    __rmul__ = __mul__

    def __matmul__(self, other: Words) -> Words:
        if self.cols != other.rows:
            raise ValueError(f"cannot multiply: {self.cols} meets {other.rows}")
        terms: dict[Word, sp.Expr] = {}
        for left, a in self.terms.items():
            for right, b in other.terms.items():
                word = _normal_order(left + right)
                terms[word] = terms.get(word, sp.Integer(0)) + a * b
        return Words(terms, self.rows, other.cols)

    @property
    def T(self) -> Words:
        """The transpose of the expression."""
        flipped = {
            tuple((letter.flip(), power) for letter, power in reversed(word)): value
            for word, value in self.terms.items()
        }
        return Words(flipped, self.cols, self.rows)

    def reduce(self, rules: Rules, limit: int = 1000) -> Words:
        """Apply rewriting rules until none matches.

        Parameters
        ----------
        rules : mapping
            From tuples of letters to Words.
        limit : int, optional
            Most rounds.

        Returns
        -------
        Words

        Raises
        ------
        RuntimeError
            If some rule still matches after `limit` rounds.
        """
        current = self
        for _ in range(limit):
            following = _one_round(current, rules)
            if following is None:
                return current
            current = following
        raise RuntimeError("the rewriting rules do not terminate")

    def derivative(self, rates: Mapping[Letter, Words]) -> Words:
        """Return the time derivative by the product rule; letters absent from `rates` are constant.

        Parameters
        ----------
        rates : mapping from Letter to Words
            The derivative of each moving letter (of its untransposed form).

        Returns
        -------
        Words
        """
        total = Words({}, self.rows, self.cols)
        for word, value in self.terms.items():
            for position, (letter, power) in enumerate(word):
                rate = _rate(letter, power, rates)
                if rate is not None:
                    total = total + value * _splice(self, word, position, 1, rate)
        return total

    @property
    def free_symbols(self) -> frozenset[sp.Symbol]:
        """The symbols in coefficients and powers."""
        powers = [power for word in self.terms for _, power in word]
        return frozenset().union(*(e.free_symbols for e in [*self.terms.values(), *powers]))

    def __str__(self) -> str:
        if not self.terms:
            return "0"
        text = " + ".join(_term(word, value) for word, value in self.terms.items())
        return text.replace("+ −", "− ")


def matrix(name: str, rows: str, cols: str) -> Words:
    """Return a general matrix letter as an expression.

    Parameters
    ----------
    name, rows, cols : str

    Returns
    -------
    Words
    """
    return _as_words(Letter(name, rows, cols))


def symmetric(name: str, space: str) -> Words:
    """Return a symmetric matrix letter.

    Parameters
    ----------
    name, space : str

    Returns
    -------
    Words
    """
    return _as_words(Letter(name, space, space, symmetric=True))


def diagonal(name: str, space: str, power: Any = 1) -> Words:
    """Return a power of a diagonal letter; the power may be symbolic.

    Parameters
    ----------
    name, space : str
    power : int or sympy expression, optional

    Returns
    -------
    Words
    """
    letter = Letter(name, space, space, diagonal=True)
    return Words({((letter, sp.expand(power)),): 1}, space, space)


def identity(space: str) -> Words:
    """Return the identity of a space: the empty word.

    Parameters
    ----------
    space : str

    Returns
    -------
    Words
    """
    return Words({(): 1}, space, space)


def zero(rows: str, cols: str) -> Words:
    """Return the zero matrix.

    Parameters
    ----------
    rows, cols : str
        Names of its spaces.

    Returns
    -------
    Words
    """
    return Words({}, rows, cols)


def _as_words(letter: Letter) -> Words:
    """Return the expression that consists of one letter."""
    return Words({((letter, sp.Integer(1)),): 1}, letter.rows, letter.cols)


def letters(*factors: Words) -> tuple[Letter, ...]:
    """Return the letters of one-letter expressions: the left-hand side of a rule.

    Parameters
    ----------
    *factors : Words
        Each a single letter.

    Returns
    -------
    tuple of Letter
    """
    found: list[Letter] = []
    for factor in factors:
        (word,) = factor.terms
        found.extend(letter for letter, _ in word)
    return tuple(found)


def orthonormal_columns(*frames: Words) -> dict[tuple[Letter, ...], Words]:
    """Return the rules FᵀF = I for each frame F.

    Parameters
    ----------
    *frames : Words
        Each a single letter.

    Returns
    -------
    dict
        Rewriting rules.
    """
    return {letters(frame.T, frame): identity(frame.cols) for frame in frames}


def transported(frames: Mapping[str, Words], turns: Sequence[Words]) -> Rules:
    """Return the rules of orthogonal turns that carry frames: Z_t = Q Z_b, and all that follows.

    Parameters
    ----------
    frames : mapping
        From the name of a space to its frame, with orthonormal columns.
    turns : sequence of Words
        Orthogonal letters, each from one of these spaces to another.

    Returns
    -------
    dict
        Rewriting rules.
    """
    rules: dict[tuple[Letter, ...], Words] = orthonormal_columns(*frames.values())
    for turn in turns:
        start, end = frames[turn.cols], frames[turn.rows]
        rules |= {
            letters(turn, start): end,
            letters(turn.T, end): start,
            letters(start.T, turn.T): end.T,
            letters(end.T, turn): start.T,
            letters(turn.T, turn): identity(turn.cols),
            letters(turn, turn.T): identity(turn.rows),
        }
    return rules


def diagonal_entry(expression: Words, values: Mapping[str, Any]) -> sp.Expr:
    """Return one diagonal entry of a polynomial in diagonal letters.

    Parameters
    ----------
    expression : Words
    values : mapping from letter name to scalar
        The corresponding entry of each letter.

    Returns
    -------
    sympy expression

    Raises
    ------
    ProofError
        If a letter is not diagonal: then the expression need not be a diagonal matrix.
    """
    total = sp.Integer(0)
    for word, coefficient in expression.terms.items():
        entry = coefficient
        for letter, power in word:
            if not letter.diagonal:
                raise ProofError(f"{expression} is not a polynomial in diagonal matrices")
            entry *= values[letter.name] ** power
        total += entry
    return total


def require_same(left: Words, right: Words, rules: Rules, what: str) -> None:
    """Require that two expressions agree modulo the rules.

    Parameters
    ----------
    left, right : Words
    rules : mapping
        From tuples of letters to Words.
    what : str
        Name of the fact.

    Raises
    ------
    ProofError
        With what is left of the difference.
    """
    rest = (left - right).reduce(rules)
    if rest.terms:
        raise ProofError(f"{what}: the two sides differ by {rest}")
    given = tuple(f"{_product(pattern)} = {value}" for pattern, value in rules.items())
    symbols = left.free_symbols | right.free_symbols
    record(Fact(what, lambda: f"{left} = {right}", symbols, given, all_sizes=True))


def _same_spaces(left: Words, right: Words) -> None:
    if (left.rows, left.cols) != (right.rows, right.cols):
        shapes = f"{left.rows}×{left.cols} and {right.rows}×{right.cols}"
        raise ValueError(f"cannot add matrices of shapes {shapes}")


def _scalar(value: sp.Expr) -> sp.Expr:
    """Return a normal form in which equal coefficients of our identities coincide."""
    if value.is_Number or value.is_Symbol:
        return value
    expanded = sp.expand(value)
    symbolic = any(not power.exp.is_Number for power in expanded.atoms(sp.Pow))
    return sp.powsimp(expanded) if symbolic else expanded


def _normal_order(word: Word) -> Word:
    """Sort runs of diagonal letters, merge equal neighbours, drop zeroth powers."""
    ordered: list[Factor] = []
    for letter, power in word:
        if power == 0:
            continue
        position = len(ordered)
        while letter.diagonal and position > 0 and _commutes_past(ordered[position - 1][0], letter):
            position -= 1
        if letter.diagonal and position > 0 and ordered[position - 1][0] == letter:
            total = sp.expand(ordered[position - 1][1] + power)
            ordered[position - 1 : position] = [] if total == 0 else [(letter, total)]
        else:
            ordered.insert(position, (letter, power))
    return tuple(ordered)


def _commutes_past(before: Letter, letter: Letter) -> bool:
    return before.diagonal and before.name > letter.name


def _one_round(expression: Words, rules: Rules) -> Words | None:
    """Rewrite every word that matches some rule once; None if no word matches."""
    changed = False
    total = Words({}, expression.rows, expression.cols)
    for word, value in expression.terms.items():
        rewritten = _rewrite(expression, word, rules)
        changed = changed or rewritten is not None
        kept = Words({word: 1}, expression.rows, expression.cols)
        total = total + value * (kept if rewritten is None else rewritten)
    return total if changed else None


def _rewrite(expression: Words, word: Word, rules: Rules) -> Words | None:
    for start in range(len(word)):
        for pattern, replacement in rules.items():
            piece = word[start : start + len(pattern)]
            if len(piece) == len(pattern) and all(
                letter == wanted and power == 1
                for (letter, power), wanted in zip(piece, pattern, strict=True)
            ):
                return _splice(expression, word, start, len(pattern), replacement)
    return None


def _splice(outer: Words, word: Word, start: int, length: int, middle: Words) -> Words:
    """Replace `length` letters of `word` from `start` on by the expression `middle`."""
    left = Words({word[:start]: 1}, outer.rows, middle.rows)
    right = Words({word[start + length :]: 1}, middle.cols, outer.cols)
    return left @ middle @ right


def _rate(letter: Letter, power: sp.Expr, rates: Mapping[Letter, Words]) -> Words | None:
    base = letter.flip() if letter.transposed else letter
    if base not in rates:
        return None
    if power != 1:
        raise ValueError(f"the product rule is implemented for first powers only, got {letter}")
    return rates[base].T if letter.transposed else rates[base]


def _term(word: Word, value: sp.Expr) -> str:
    if value in (1, -1):
        return "−" * (value == -1) + _spell(word)
    coefficient = f"({shown(value)})" if value.is_Add else shown(value)
    return f"{coefficient}·{_spell(word)}"


def _spell(word: Word) -> str:
    if not word:
        return "I"
    return "·".join(_factor(letter, power) for letter, power in word)


def _factor(letter: Letter, power: sp.Expr) -> str:
    return str(letter) if power == 1 else f"{letter}^({shown(power)})"


def _product(pattern: tuple[Letter, ...]) -> str:
    return "·".join(map(str, pattern))
