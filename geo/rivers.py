"""A barrier on the ground: which bank a point is on, and the way round over an open crossing."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from geo.crs import to_metric
from geo.sphere import great_circle_km
from geo.travel import Points
from governorates import Barrier, Crossing, Place

WEST, UNSURE, EAST = -1, 0, 1
SAME_PLACE_M = 30.0
"""A point this near to a listed place takes that place's bank, which a person may have set by hand."""

CHUNK = 4096
"""Points taken at a time, so that the points x edges arrays stay within a few megabytes."""

Banks = NDArray[np.int8]


class River:
    """A barrier with its crossings.

    `places` are the listed places; those with a bank settle the bank of points at them.
    Raises ValueError if the barrier has no crossing, since then nothing says which bank is which.
    """

    def __init__(self, barrier: Barrier, crossings: Sequence[Crossing], places: Sequence[Place]) -> None:
        import shapely

        own = [crossing for crossing in crossings if crossing.barrier == barrier.code]
        if not own:
            raise ValueError(f"barrier {barrier.code} has no crossing")
        self._bbox = barrier.complete_bbox
        self._vertices = to_metric(np.array(barrier.line))
        self._line = shapely.LineString(self._vertices)
        self._reach = shapely.clip_by_rect(shapely.LineString(barrier.line), *barrier.complete_bbox)
        shapely.prepare([self._line, self._reach])
        steps = np.hypot(*np.diff(self._vertices, axis=0).T)
        self._along = np.concatenate([[0.0], np.cumsum(steps)])
        doubt = np.full(len(barrier.line), barrier.uncertainty_km)
        doubt[barrier.exact[0] : barrier.exact[1] + 1] = barrier.exact_uncertainty_km
        self._doubt_m = doubt * 1000
        self._west_point = to_metric(np.array([own[0].west]))[0]
        settled = [place for place in places if place.bank]
        self._settled_xy = to_metric(np.array([(p.longitude, p.latitude) for p in settled]).reshape(-1, 2))
        sides = {"west": WEST, "east": EAST, "unknown": UNSURE}
        self._settled_bank = np.array([sides[place.bank] for place in settled], dtype=np.int8)
        is_open = [crossing for crossing in own if crossing.open]
        self._west_ends = np.array([crossing.west for crossing in is_open]).reshape(-1, 2)
        self._east_ends = np.array([crossing.east for crossing in is_open]).reshape(-1, 2)

    @property
    def is_closed(self) -> bool:
        """Tell whether no listed crossing is open."""
        return len(self._west_ends) == 0

    def inside(self, points: Points) -> NDArray[np.bool_]:
        """Tell which points (k, 2) lie where every crossing is listed."""
        west, south, east, north = self._bbox
        lon, lat = points[:, 0], points[:, 1]
        found: NDArray[np.bool_] = (west <= lon) & (lon <= east) & (south <= lat) & (lat <= north)
        return found

    def banks(self, points: Points) -> Banks:
        """Return WEST, EAST or UNSURE for points (k, 2) of longitude and latitude.

        UNSURE: nearer to the line than the line itself is known, which changes along it.
        """
        if not len(points):
            return np.zeros(0, dtype=np.int8)
        distinct, inverse = np.unique(points, axis=0, return_inverse=True)
        xy = to_metric(distinct)
        parts = [self._banks_of_metric(xy[start : start + CHUNK]) for start in range(0, len(xy), CHUNK)]
        return np.concatenate(parts)[inverse.ravel()]

    def _banks_of_metric(self, xy: Points) -> Banks:
        import shapely

        usable = np.asarray(np.isfinite(xy).all(axis=1))
        there = shapely.points(np.where(usable[:, None], xy, 0.0))
        doubt = np.interp(shapely.line_locate_point(self._line, there), self._along, self._doubt_m)
        sure = usable & np.greater(shapely.distance(self._line, there), doubt)
        west_point = np.broadcast_to(self._west_point, xy.shape)
        crossed = self._times_crossed(np.where(usable[:, None], xy, 0.0), west_point)
        banks = np.where(sure, np.where(crossed % 2, EAST, WEST), UNSURE).astype(np.int8)
        return self._settle(xy, usable, banks)

    def _settle(self, xy: Points, usable: NDArray[np.bool_], banks: Banks) -> Banks:
        """Give points at a listed place the bank of that place."""
        from scipy.spatial import cKDTree

        if len(self._settled_xy):
            away, nearest = cKDTree(self._settled_xy).query(np.where(usable[:, None], xy, 0.0))
            at_place = usable & (away <= SAME_PLACE_M)
            banks[at_place] = self._settled_bank[nearest[at_place]]
        return banks

    def _times_crossed(self, starts: Points, ends: Points) -> NDArray[np.int64]:
        """Count how often each straight way (k, 2 metres) crosses the line; a vertex counts once."""
        side_of_vertex = _cross(starts[:, None], ends[:, None], self._vertices[None]) >= 0
        edges_from, edges_to = self._vertices[None, :-1], self._vertices[None, 1:]
        start_side = _cross(edges_from, edges_to, starts[:, None]) >= 0
        end_side = _cross(edges_from, edges_to, ends[:, None]) >= 0
        apart = (side_of_vertex[:, :-1] != side_of_vertex[:, 1:]) & (start_side != end_side)
        counted: NDArray[np.int64] = apart.sum(axis=1)
        return counted

    def crosses_within_bbox(self, origins: Points, destinations: Points) -> NDArray[np.bool_]:
        """Tell which straight ways (k, 2 degrees) meet the line where every crossing is listed."""
        import shapely

        ways = shapely.linestrings(np.stack([origins, destinations], axis=1))
        return np.asarray(shapely.intersects(self._reach, ways))

    def over_best_crossing_km(self, origins: Points, destinations: Points, origin_banks: Banks) -> Points:
        """Return the shortest great-circle way (k,) over an open crossing; infinite if all are closed."""
        if self.is_closed:
            return np.full(len(origins), np.inf)
        from_west = (origin_banks == WEST)[:, None, None]
        near = np.where(from_west, self._west_ends[None], self._east_ends[None])
        far = np.where(from_west, self._east_ends[None], self._west_ends[None])
        to_crossing = great_circle_km(origins[:, None], near)
        onward = great_circle_km(far, destinations[:, None])
        deck = great_circle_km(self._west_ends, self._east_ends)
        shortest: Points = ((to_crossing + onward) + deck).min(axis=1)
        return shortest


def _cross(origin: Points, towards: Points, point: Points) -> Points:
    """Return the z of (towards - origin) x (point - origin), positive where the point is to the left."""
    along, away = towards - origin, point - origin
    z: Points = along[..., 0] * away[..., 1] - along[..., 1] * away[..., 0]
    return z
