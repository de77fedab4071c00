"""Pictures of scanned rooms through habitat-sim, where it is installed.

Coordinates are Habitat's: metres, x to the right, y up; who is not turned looks along -z. A rotation is a
unit quaternion (x, y, z, w).

``open_scene`` was never run: neither habitat-sim nor scans were there. It is written from the documentation
and the sources of version 0.3.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tpru.errors import ConfigError, ManifestError

Point = tuple[float, float, float]
Rotation = tuple[float, float, float, float]
RGB = "rgb"


@dataclass(frozen=True)
class Camera:
    """Pictures of ``size`` x ``size`` pixels and ``field`` degrees, ``height`` metres above the floor."""

    size: int
    field: float
    height: float


class Renderer(Protocol):
    """What shows a scene."""

    def view(self, position: Point, rotation: Rotation) -> NDArray[np.uint8]:
        """What is seen by who stands at ``position`` (on the floor): (size, size, 3), RGB."""


OpenScene = Callable[[Path, Camera], AbstractContextManager[Renderer]]


@contextmanager
def open_scene(scene: Path, camera: Camera) -> Iterator[Renderer]:
    """A scene in habitat-sim; only one can be open at a time.

    Raises:
        ConfigError: habitat-sim is not installed.
        ManifestError: it cannot load the scene.
    """
    try:
        import habitat_sim
    except ImportError as error:
        raise ConfigError(
            f"{scene} is to be rendered by habitat-sim, which cannot be imported ({error}): install it into "
            "this environment (see conf/source/vln_ce.yaml), or read pictures that were rendered elsewhere "
            "by source/observations"
        ) from error
    backend = habitat_sim.SimulatorConfiguration()
    backend.scene_id = str(scene)
    # Tells which way is up in the scans of a set; Matterport3D's is downloaded apart from them.
    configs = sorted(scene.parent.parent.glob("*.scene_dataset_config.json"))
    if len(configs) == 1:
        backend.scene_dataset_config_file = str(configs[0])
    backend.enable_physics = False
    sensor = habitat_sim.CameraSensorSpec()
    sensor.uuid = RGB
    sensor.sensor_type = habitat_sim.SensorType.COLOR
    sensor.sensor_subtype = habitat_sim.SensorSubType.PINHOLE
    sensor.resolution = [camera.size, camera.size]
    sensor.hfov = camera.field
    sensor.position = [0.0, camera.height, 0.0]
    agent = habitat_sim.agent.AgentConfiguration()
    agent.sensor_specifications = [sensor]
    try:
        simulator = habitat_sim.Simulator(habitat_sim.Configuration(backend, [agent]))
    except Exception as error:  # its loaders raise many types
        raise ManifestError(f"habitat-sim cannot load {scene} ({error}); unpack the scan again") from error
    try:
        yield _Habitat(simulator, habitat_sim.agent.AgentState)
    finally:
        simulator.close()


class _Habitat:
    def __init__(self, simulator: Any, state: Any) -> None:
        self._simulator = simulator
        self._state = state

    def view(self, position: Point, rotation: Rotation) -> NDArray[np.uint8]:
        # An array of four numbers is taken as (x, y, z, w), unlike numpy's quaternions (w, x, y, z).
        state = self._state(np.array(position, np.float32), np.array(rotation, np.float64))
        self._simulator.get_agent(0).set_state(state)
        picture = np.asarray(self._simulator.get_sensor_observations()[RGB])
        return np.ascontiguousarray(picture[..., :3], dtype=np.uint8)
