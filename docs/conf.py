"""Settings of the documentation: ``make docs`` builds it into build/docs, and every warning is an error."""

from importlib.metadata import version as installed

project = "foldproof"
author = "the foldproof authors"
project_copyright = "the foldproof authors, Apache-2.0"
release = version = installed("foldproof")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
]

# --- Markdown -----------------------------------------------------------------------------------------

source_suffix = {".md": "markdown"}
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
root_doc = "index"

# --- the reference pages from docstrings --------------------------------------------------------------

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
python_maximum_signature_line_length = 88

# --- HTML: no fonts, scripts or style sheets from elsewhere -------------------------------------------

html_theme = "furo"
html_title = f"foldproof {release}"
html_show_sphinx = False
html_copy_source = False
