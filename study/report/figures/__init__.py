"""Draws figures, as files, and charts, as data of the page.

A figure of a study is a function in ``study.py``, a chart of the page one in ``page_charts.py``.
"""
