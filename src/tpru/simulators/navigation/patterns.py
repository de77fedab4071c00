"""Patterns on walls, floors and doors, as factors of brightness. Both looks have their own numbers."""

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]


def wall_pattern(kind: int, along: Pixels, height: Pixels) -> Pixels:
    """Brightness of a wall.

    Args:
        kind: 0 to 3 are seen, 4 to 7 unseen.
        along: metres along the wall per column, (columns,).
        height: metres above the floor per pixel, (rows, columns).
    """
    if kind == 0:  # darker below the hip
        light = np.where(height < 0.95, 0.76, 1.0)
    elif kind == 1:  # upright stripes
        light = np.broadcast_to(np.where(along % 0.8 < 0.4, 0.84, 1.0), height.shape)
    elif kind == 2:  # bricks
        course = np.floor(height / 0.3)
        light = np.where(((along + 0.35 * (course % 2)) % 0.7 < 0.06) | (height % 0.3 < 0.05), 0.78, 1.0)
    elif kind == 3:  # one band
        light = np.where(np.abs(height - 1.6) < 0.16, 0.62, 1.0)
    elif kind == 4:  # slanting stripes
        light = np.where((along + height) % 0.9 < 0.45, 0.82, 1.0)
    elif kind == 5:  # checks
        light = np.where((np.floor(along / 0.45) + np.floor(height / 0.45)) % 2 > 0, 0.82, 1.0)
    elif kind == 6:  # dots
        dots = (along % 0.6 - 0.3) ** 2 + (height % 0.6 - 0.3) ** 2
        light = np.where(dots < 0.025, 0.7, 1.0)
    else:  # lying boards
        light = np.where(height % 0.45 < 0.07, 0.72, 1.0)
    return np.where(height < 0.12, 0.5, light).astype(np.float32)


def floor_pattern(kind: int, x: Pixels, y: Pixels) -> Pixels:
    """Brightness of floor points: 0 to 2 are seen, 3 to 5 unseen."""
    if kind == 0:
        return np.where(x % 0.6 < 0.3, 0.84, 1.0)
    if kind == 1:
        return np.where(y % 0.6 < 0.3, 0.84, 1.0)
    if kind == 2:
        return np.where((np.floor(x / 0.8) + np.floor(y / 0.8)) % 2 > 0, 0.68, 1.0)
    if kind == 3:
        return np.where((x + y) % 0.9 < 0.45, 0.84, 1.0)
    if kind == 4:
        return np.where((x % 0.9 < 0.07) | (y % 0.9 < 0.07), 0.65, 1.0)
    return np.where((x % 0.8 - 0.4) ** 2 + (y % 0.8 - 0.4) ** 2 < 0.05, 0.72, 1.0)


def door_pattern(style: int, across: Pixels, up: Pixels) -> Pixels:
    """Brightness of a door leaf: 1 to 3 are seen, 4 to 6 unseen.

    Args:
        across: (columns,) from 0 at one edge of the leaf to 1 at the other.
        up: (rows, columns) from 0 at the floor to 1 at the top.
    """
    side = np.abs(across - 0.5)
    if style == 1:
        inner = (side < 0.33) & ((np.abs(up - 0.27) < 0.17) | (np.abs(up - 0.73) < 0.19))
    elif style == 2:
        inner = (side > 0.06) & (side < 0.36) & (np.abs((up * 3) % 1 - 0.5) < 0.36)
    elif style == 3:
        inner = np.broadcast_to(across * 5 % 1 < 0.15, up.shape)
    elif style == 4:
        inner = side**2 + (1.6 * (up - 0.72)) ** 2 < 0.06
    elif style == 5:
        inner = np.abs(side - 0.9 * np.abs(up - 0.5)) < 0.06
    else:
        inner = (up * 6 % 1 < 0.25) & (side < 0.4)
    knob = (np.abs(across - 0.9) < 0.05) & (np.abs(up - 0.47) < 0.03)
    return np.where(knob, 0.3, np.where(inner, 0.8, 1.0)).astype(np.float32)
