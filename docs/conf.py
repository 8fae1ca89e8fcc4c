"""The documentation site: python -m sphinx -W docs docs/_build/html (extra ``docs``).

Nothing is fetched by a reader's browser: MathJax is copied from a package into the site, and links
to other libraries fall back on a list of names where their inventories cannot be read.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS / "_sphinx"))
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # of notebooks: their matrices are small

import dlnlab  # noqa: E402  the folder of the extensions is on the path now

project = "dlnlab"
author = "The dlnlab developers"
copyright = author
version = release = dlnlab.__version__

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "anchors",  # _sphinx/anchors.py: links to folded parts of a page
    "generated",  # _sphinx/generated.py: reference pages and the table of claims
    "docstrings",  # _sphinx/docstrings.py: plain text of docstrings is not markup
    "offline",  # _sphinx/offline.py: MathJax and inventories without a network
]
exclude_patterns = ["_build", "data", "examples", "gallery/*.ipynb", "**.ipynb_checkpoints"]

# Pages
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4
myst_dmath_double_inline = True

# Notebooks: executed at every build; an exception fails the build.
nb_execution_mode = "force"
nb_execution_timeout = 120
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True

# Gallery: a page for each script of docs/examples, with the figures that it draws.
sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "capture_repr": (),
    "download_all_examples": False,
    "min_reported_time": 60,
    "reference_url": {"dlnlab": None},
    "show_signature": False,
    "write_computation_times": False,
}

# Reference
autodoc_typehints = "none"  # the types stand in the docstrings, with shapes
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_xref_param_type = True
numpydoc_xref_ignore = "all"  # words of a type line that are no names: shape, or, optional
numpydoc_xref_aliases = {
    **dict.fromkeys(("sequence", "sequences"), "collections.abc.Sequence"),
    "iterable": "collections.abc.Iterable",
    "mapping": "collections.abc.Mapping",
    "callable": "collections.abc.Callable",
    "Generator": "numpy.random.Generator",
    **dict.fromkeys(("array", "arrays", "array_like"), "numpy.ndarray"),
    **dict.fromkeys(("bool", "boolean"), "bool"),
}

# HTML
html_theme = "pydata_sphinx_theme"
html_title = "dlnlab"
html_static_path = ["_static"]
html_css_files = ["dlnlab.css"]
html_copy_source = False
html_context = {"default_mode": "auto"}  # dark where the reader's system is
html_theme_options = {
    "logo": {"text": "dlnlab"},
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
    "navbar_persistent": ["search-button"],
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
