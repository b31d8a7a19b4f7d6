"""The only place that reprojects."""

import numpy as np
import pytest

from geo.crs import to_geographic, to_metric
from geo.sphere import great_circle_km


def test_there_and_back() -> None:
    points = np.array([[41.4, 35.6], [43.13, 36.34], [44.2, 37.1]])
    np.testing.assert_allclose(to_geographic(to_metric(points)), points, atol=1e-9)


def test_metres_agree_with_the_sphere_in_mosul() -> None:
    points = np.array([[43.10, 36.33], [43.16, 36.37]])
    metric = to_metric(points)
    flat = float(np.hypot(*(metric[1] - metric[0]))) / 1000
    assert flat == pytest.approx(float(great_circle_km(points[0], points[1])), rel=0.004)
