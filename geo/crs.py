"""The only place that reprojects: WGS 84 degrees and the metres of UTM zone 38 North."""

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from geo.travel import Points

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from pyproj import Transformer

WGS84 = "EPSG:4326"
UTM38N = "EPSG:32638"
"""Northern Iraq, 42 to 48 degrees East; distances in Nineveh and Erbil are right within 0.1 %."""


@cache
def _transformer(source: str, target: str) -> "Transformer":
    from pyproj import Transformer

    return Transformer.from_crs(source, target, always_xy=True)


def to_metric(points: Points) -> Points:
    """Return (k, 2) longitude and latitude as UTM 38N metres; infinite where the projection has no place."""
    return _project(points, WGS84, UTM38N)


def to_geographic(points: Points) -> Points:
    """Return (k, 2) UTM 38N metres as longitude and latitude."""
    return _project(points, UTM38N, WGS84)


def _project(points: Points, source: str, target: str) -> Points:
    x, y = _transformer(source, target).transform(points[:, 0], points[:, 1])
    return np.column_stack([x, y])


def frame_to_geographic(frame: "GeoDataFrame") -> "GeoDataFrame":
    """Return a GeoDataFrame in WGS 84; one without a stated system is taken to be in it already."""
    return frame.set_crs(WGS84) if frame.crs is None else frame.to_crs(WGS84)
