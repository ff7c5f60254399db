"""How `make docs` builds the documentation site: Sphinx, from these pages and the docstrings."""

from importlib import metadata

project = "lightning-mnist"
release = metadata.version(project)
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 3
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_default_options = {"members": True, "imported-members": True}
highlight_language = "text"
html_theme = "furo"
html_show_copyright = False
html_title = "lightning-mnist"
html_copy_source = False
html_show_sourcelink = False
