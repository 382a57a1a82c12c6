"""Renders tables as text, Markdown, LaTeX and HTML; a new format is a function and a line in ``FORMATS``."""
