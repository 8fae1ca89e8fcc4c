"""Results as text, HTML and JSON: the same facts for the terminal, the notebook and the archive."""

from .comparison import comparison_html, comparison_json, comparison_text
from .experiments import STUDY_FORMAT, experiments_html, experiments_markdown, study_json
from .record import manifest, plain
from .verdicts import claim_title, margin_text, standings, status_text, verdicts_html

__all__ = [
    "STUDY_FORMAT",
    "claim_title",
    "comparison_html",
    "comparison_json",
    "comparison_text",
    "experiments_html",
    "experiments_markdown",
    "manifest",
    "margin_text",
    "plain",
    "standings",
    "status_text",
    "study_json",
    "verdicts_html",
]
