"""Sphinx configuration. `make docs` builds with warnings as errors."""

import sys
from pathlib import Path

import inscape

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_extensions"))

project = "inscape"
author = "The inscape developers"
copyright = "the inscape developers, GPL-3.0-or-later"
release = version = inscape.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "inscape_reference",        # writes reference/generated/: the command line, the API
]
exclude_patterns = ["_build", "_extensions"]
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3

default_role = "py:obj"
add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_type_aliases = dict.fromkeys(("Array", "FloatArray", "IntArray"), "NDArray")
autodoc_default_options = {"members": True, "ignore-module-all": True}
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
napoleon_preprocess_types = False
suppress_warnings = ["ref.python"]      # two classes may have an attribute of the same name

html_theme = "furo"
html_title = f"inscape {version}"
