"""What is measured must not fail a request, whatever the figure is."""

import pytest

from interchange.measures import MEASURES, Measure, heard_by
from serve_app.reporting import _ToRay


@pytest.mark.parametrize("measure", MEASURES, ids=lambda each: each.name)
def test_ray_takes_every_figure_of_every_measure(measure: Measure) -> None:
    labels = dict.fromkeys(measure.labels, "a")
    with heard_by(_ToRay()):
        for figure in (0, 0.0, 1, 2.5):
            measure.record(figure, **labels)
