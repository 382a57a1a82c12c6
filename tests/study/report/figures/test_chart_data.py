"""What charts show of a study."""

from __future__ import annotations

import pandas as pd
import pytest

from study.report.figures import chart_data as charts
from study.report.figures.page_charts import page_charts
from study.report.tables.summary import summary
from study.results import selection as selection_
from study.results.frames import from_records
from study.results.importance import importances
from tests.study.made import search

PAIR = ("resnet32x4", "resnet8x4")


def test_large_studies_are_thinned_but_keep_the_best() -> None:
    trials = pd.DataFrame({"value": [float(number % 97) for number in range(1000)]})
    kept = selection_.fewer(trials, 50)
    assert len(kept) == 50
    assert kept["value"].max() == 96.0
    assert selection_.fewer(trials, 1000) is trials


def test_learning_curves_have_the_stopped_trial_too() -> None:
    curves = charts.learning(from_records("made", search(PAIR, 5)))
    assert [len(curve.epochs) for curve in curves] == [4, 4, 4, 4, 2]
    assert [curve.best for curve in curves] == [False, False, False, True, False]
    assert curves[0].values == [40.0, 43.0, 46.0, 49.0]


def test_a_pair_and_method_has_one_colour_in_all_charts_of_the_search() -> None:
    never_finished = search(("a", "b"), 1)
    made = page_charts(from_records("made", [*never_finished, *search(PAIR, 6)]), summary([]))
    seen = {
        chart["title"]: (chart["groups"], {series["group"] for series in chart["series"]})
        for chart in made
        if chart["kind"] == "xy"
    }
    names = ["a-b SD-KD", "resnet32x4-resnet8x4 SD-KD"]
    assert seen == {
        "Learning curves of the search": (names, {0, 1}),
        "Accuracy against beta": (names, {1}),
        "Pareto front": (names, {1}),
    }


def test_the_heat_map_averages_finished_trials() -> None:
    heat = charts.heat(selection_.searched(from_records("made", search(PAIR, 16))))
    assert heat is not None
    assert heat.rows == ["{1,2}", "{1,2,4}", "{1,4}"]
    assert sum(map(sum, heat.counts)) == 15
    for values, counts in zip(heat.values, heat.counts, strict=True):
        assert [value is None for value in values] == [count == 0 for count in counts]


def test_a_heat_map_is_of_all_trials_of_the_searches_that_chose_both_knobs() -> None:
    trials = pd.DataFrame(
        {
            "study": "pairs",
            "search": ["a/SD-KD", "a/SD-KD", "a/SD-KD", "b/SD-KD", "a/KD", "a/KD"],
            "scales": ["1,2", "1,4", "1,4", "1,4", "1", "1"],
            "alpha": [1.0, 1.0, 1.0, 2.0, 1.0, 2.0],
            "searched": ["alpha scales", "beta scales alpha", "scales", "alpha scales", "alpha", "alpha"],
            "value": [70.0, 71.0, 71.5, 72.0, 10.0, 20.0],
        }
    )
    found = charts.heat(trials)
    assert found is not None
    assert found.rows == ["{1,2}", "{1,4}"]
    assert sum(map(sum, found.counts)) == 4, "a search's only whole trial too, and one not asked for alpha"
    alone = charts.heat(trials[trials["search"] == "a/KD"])
    assert alone is not None
    assert alone.rows == ["{1}"], "a study of plain losses has what it has"


def test_the_caption_of_a_heat_map_counts_its_trials() -> None:
    records = search(PAIR, 6)
    for number, record in enumerate(records):
        record.search = "SD-KD" if number < 2 else "KD"
        record.point = {"alpha": 1.0, "scales": "1,2"} if number < 2 else {"alpha": 1.0}
    made = page_charts(from_records("made", records), summary([]))
    captions = [chart["caption"] for chart in made if chart["kind"] == "heat"]
    assert captions[0].startswith(
        "Mean held-out top-1, % of 2 finished trials, of the searches that chose both"
    )


def test_the_pareto_front() -> None:
    trials = pd.DataFrame({"seconds": [1.0, 2.0, 3.0, 4.0, 1.0], "value": [5.0, 4.0, 7.0, 7.0, 6.0]})
    front = charts.front(trials)
    assert list(zip(front["seconds"], front["value"], strict=True)) == [(1.0, 6.0), (3.0, 7.0)]


def test_trials_at_once_stand_in_lanes() -> None:
    trials = search(PAIR, 3)
    trials[1].started = trials[0].started + 10
    bars = charts.timeline(from_records("made", trials))
    assert [bar.lane for bar in bars] == [0, 1, 0]
    assert bars[2].start == pytest.approx(2.0)


def test_importances_add_up_and_leave_out_what_is_constant() -> None:
    found = importances(from_records("made", search(PAIR, 16)))
    assert found["importance"].sum() == pytest.approx(1.0)
    assert set(found["parameter"]) == {"alpha", "beta", "scales"}
    assert set(found["trials"]) == {15}
    assert importances(from_records("made", search(PAIR, 3))).empty
