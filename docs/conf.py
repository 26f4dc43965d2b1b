"""Settings of the documentation: ``make docs`` builds it into build/docs, and every warning is an error."""

import re
from importlib.metadata import version as installed
from pathlib import Path

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


# --- pages that are files of the repository's root ----------------------------------------------------

ROOT = Path(__file__).parent.parent
SHOWN = {
    "contributing": "CONTRIBUTING.md",
    "releasing": "RELEASING.md",
    "changelog": "CHANGELOG.md",
    "explanation/architecture": "ARCHITECTURE.md",
}
_PAGES = {file: page + ".md" for page, file in SHOWN.items()}
_LINK = re.compile(r"\]\(([^)#:\s]+)((?:#[^)]*)?)\)")


def show_file(app, page, source):
    """Replace a page by the file that it stands for, with the links of that file as the page needs them."""
    if page not in SHOWN:
        return
    app.env.note_dependency(str(ROOT / SHOWN[page]))
    up = "../" * page.count("/")

    def relink(found):
        target = _PAGES.get(found[1], found[1].removeprefix("docs/"))
        return f"]({up}{target}{found[2]})"

    source[0] = _LINK.sub(relink, (ROOT / SHOWN[page]).read_text(encoding="utf-8"))


def escape_stars(_app, _context, lines):
    """Take help texts literally: a star in them begins no emphasis."""
    lines[:] = [line.replace("*", r"\*") for line in lines]


def setup(app):
    """Connect what is above."""
    app.connect("source-read", show_file)
    app.connect("sphinx-click-process-description", escape_stars)
    app.connect("sphinx-click-process-options", escape_stars)
