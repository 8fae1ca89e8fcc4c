"""Results as text, HTML and JSON: the same facts for the terminal, the notebook and the archive."""

from .cells import reduction_cell, runs_cell, trajectory_cell, verdicts_cell
from .comparison import comparison_html, comparison_json, comparison_text
from .conjectures import conjectures_html
from .experiments import experiments_html, experiments_markdown, overview_markdown
from .record import manifest
from .studies import STUDY_FORMAT, study_json
from .verdicts import claim_title, margin_text, standings, status_text, verdicts_html

__all__ = [
    "STUDY_FORMAT",
    "claim_title",
    "comparison_html",
    "comparison_json",
    "comparison_text",
    "conjectures_html",
    "experiments_html",
    "experiments_markdown",
    "manifest",
    "margin_text",
    "overview_markdown",
    "reduction_cell",
    "runs_cell",
    "standings",
    "status_text",
    "study_json",
    "trajectory_cell",
    "verdicts_cell",
    "verdicts_html",
]
