"""Tables as text, Markdown, LaTeX and HTML."""
