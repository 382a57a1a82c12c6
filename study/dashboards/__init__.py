"""Shows studies in a browser: MLflow, Optuna's dashboard and a report that follows a running study.

:class:`StudySite` is the page of links and what lies behind it; :class:`MlflowServer` and
:class:`OptunaDashboards` run the two programs on the stores of the studies. A further dashboard gets a file
here and a link in ``links.py``.
"""
