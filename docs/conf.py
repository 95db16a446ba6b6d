"""How Sphinx makes the site (`make docs`) of these pages, which GitHub shows as they are."""

project = "creditmesh"
extensions = ["myst_parser", "sphinxcontrib.mermaid"]
html_theme = "furo"
html_title = "creditmesh"
html_show_copyright = False
html_show_sourcelink = False
# What GitHub does too: anchors of headings, diagrams in fences.
myst_heading_anchors = 4
myst_fence_as_directive = ["mermaid"]
