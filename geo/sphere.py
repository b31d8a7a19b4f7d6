"""Distances on the sphere."""

import numpy as np
from numpy.typing import NDArray

from geo.travel import Points

EARTH_RADIUS_KM = 6371.0088  # mean radius, IUGG


def great_circle_km(origins: Points, destinations: Points) -> NDArray[np.float64]:
    """Return great-circle kilometres between points (..., 2) of longitude and latitude, broadcast."""
    lon_1, lat_1 = np.radians(origins[..., 0]), np.radians(origins[..., 1])
    lon_2, lat_2 = np.radians(destinations[..., 0]), np.radians(destinations[..., 1])
    half_lat = np.sin((lat_2 - lat_1) / 2) ** 2
    half_lon = np.sin((lon_2 - lon_1) / 2) ** 2
    haversine = half_lat + np.cos(lat_1) * np.cos(lat_2) * half_lon
    distance: NDArray[np.float64] = 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.clip(haversine, 0, 1)))
    return distance
