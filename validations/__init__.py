"""Validations: every claim attacked with random and adversarial instances, one module per claim.

Every module has a `SUITE`, the independent parts of the attack on its claim, and a test that runs
it, so that ``pytest validations`` collects them all.  ``dlnlab validate`` runs them on all cores or
on a cluster.
"""

from __future__ import annotations

from dlnlab.claims import CLAIMS, Verdict
from dlnlab.lab.suite import PROFILES, Profile, coverage, load, verdicts

MODULES: tuple[str, ...] = tuple(CLAIMS)
"""Every claim is attacked."""

__all__ = ["MODULES", "PROFILES", "Profile", "coverage", "load", "validate", "verdicts"]


def validate(name: str, profile: Profile | str = "ci", seed: int = 0) -> Verdict:
    """Return the verdict on the claim called `name`.

    Parameters
    ----------
    name : str
        One of `MODULES`.
    profile : Profile or str
        "ci", "dev" or "hunt": how many instances.
    seed : int
        Which instances.

    Returns
    -------
    Verdict

    Raises
    ------
    ValueError
        If there is no such claim or profile.
    """
    if name not in MODULES:
        raise ValueError(f"`name` must be one of {', '.join(MODULES)}; got {name!r}")
    return load(name).validate(profile, seed)
