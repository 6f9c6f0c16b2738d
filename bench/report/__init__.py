"""Tables for terminal, Markdown, LaTeX and CSV."""
