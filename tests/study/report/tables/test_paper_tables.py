"""What the paper's runs did otherwise than ours stands under the tables whose numbers it touches."""

from __future__ import annotations

from study.report.tables.paper_tables import fidelity_notes, layouts


def test_tables_say_what_the_papers_runs_did_otherwise() -> None:
    notes = {number: " ".join(fidelity_notes(layout)) for number, layout in layouts().items()}
    for number in ("1", "2", "3", "4", "5"):
        assert "SD-NKD is, as released, at temperature 4 and weight 8" in notes[number]
    assert {number for number in notes if "temperature 1 and weights 0.5 and 0.5" in notes[number]} == {
        "3",
        "4",
    }
    assert {number for number in notes if "overlapping 4x4 cells" in notes[number]} == {"5"}
    assert notes["9"] == ""
