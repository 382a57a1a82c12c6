"""Figures and charts, as files and as data of the page."""
