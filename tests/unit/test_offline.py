"""A compute node without network: what is missing is named at once."""

import json
from pathlib import Path

import pytest

from tpru.config.compose import compose
from tpru.errors import UpstreamError
from tpru.models.loading import SHIPPED_BASE, check_complete, fetch, load_model
from tpru.run import Upstream


def weights(folder: Path, *names: str) -> Path:
    """A model in two parts, of which only the named files are there."""
    parts = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": parts}))
    for name in names:
        (folder / name).touch()
    return folder


def test_a_missing_part_of_the_weights_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = weights(tmp_path, "config.json", "model-00001-of-00002.safetensors")
    with pytest.raises(
        UpstreamError, match=r"model-00002-of-00002\.safetensors is missing \(HF_HUB_OFFLINE=1"
    ):
        load_model(folder, compose("demo", []).model)


def test_what_is_complete_passes(tmp_path: Path) -> None:
    check_complete(SHIPPED_BASE)
    both = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    check_complete(weights(tmp_path, "config.json", *both))
    (tmp_path / "config.json").unlink()
    with pytest.raises(UpstreamError, match=r"config\.json is missing"):
        check_complete(tmp_path)


def test_a_cache_that_this_node_does_not_see_is_said(tmp_path: Path) -> None:
    (tmp_path / "model").symlink_to("/elsewhere/hub/snapshots/abc")
    upstream = Upstream("base_model", tmp_path, {"outputs": {"model": {"bytes": 1, "sha256": ""}}})
    with pytest.raises(UpstreamError, match=r"/elsewhere/hub/snapshots/abc.*HF_HOME"):
        upstream.path("model")


def test_a_model_that_was_not_fetched_is_named_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UpstreamError, match="hf download nobody/nothing --revision abc"):
        fetch("nobody/nothing", "abc", ["*.json"])
