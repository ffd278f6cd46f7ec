"""Model files are found by name, known by content, and refused with a reason."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from engine.config import ROOT, Settings
from engine.errors import BadInput, MissingModel, UnsafeModel, Unsupported
from engine.models import Models
from engine.weights import Kind, header, on_disk

EMPTY = b"\x02\0\0\0\0\0\0\0{}"
"""A safetensors file without tensors."""


def put(path: Path, data: bytes = EMPTY) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def diffusers(path: Path, data: bytes = EMPTY) -> Path:
    put(path / "model_index.json", b"{}")
    put(path / "unet" / "model.safetensors", data)
    return path


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def models(top: Path, tmp_path: Path) -> Models:
    return Models([top], hub=tmp_path / "hub")


def test_a_checkpoint_goes_by_its_file_name_with_or_without_ending(top: Path, models: Models) -> None:
    put(top / "checkpoints" / "photo" / "real.safetensors")
    found = models.find("photo/real")
    assert (found.name, found.layout, found.kind, found.bytes) == (
        "photo/real",
        "single_file",
        "model",
        len(EMPTY),
    )
    assert models.find("photo/real.safetensors") == found


def test_a_diffusers_folder_goes_by_its_name(top: Path, models: Models) -> None:
    diffusers(top / "diffusers" / "mine")
    assert models.find("mine").layout == "diffusers"


def test_the_starter_is_called_starter_and_its_kin_by_their_folder(top: Path, models: Models) -> None:
    diffusers(top / "starter" / "base")
    diffusers(top / "starter" / "big")
    assert [file.name for file in models.list("model")] == ["starter", "starter-big"]
    assert models.find("starter").path == top / "starter" / "base"


@pytest.mark.model
def test_the_shipped_starter_is_there() -> None:
    found = Models([ROOT / "models"]).find("starter")
    assert found.layout == "diffusers"
    assert found.bytes < 20_000_000


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("models/Stable-diffusion/a.safetensors", "model"),
        ("models/Lora/a.safetensors", "lora"),
        ("models/VAE/a.safetensors", "vae"),
        ("models/ESRGAN/a.safetensors", "upscale"),
        ("models/upscale_models/a.safetensors", "upscale"),
        ("models/loras/sub/a.safetensors", "lora"),
        ("models/controlnet/a.safetensors", "controlnet"),
        ("models/embeddings/a.safetensors", "embedding"),
        ("models/faces/a.safetensors", "face"),
        ("models/facedetection/a.safetensors", "detector"),
        ("models/detectors/a.onnx", "detector"),
        ("models/background/a.onnx", "background"),
        ("models/ipadapter/a.safetensors", "ip_adapter"),
        ("models/clip_vision/a.safetensors", "vision"),
        ("models/vae_approx/a.safetensors", "preview"),
    ],
)
def test_folders_of_other_programs_are_understood(tmp_path: Path, place: str, kind: str) -> None:
    put(tmp_path / place)
    found = Models([tmp_path / "models"], hub=tmp_path / "hub").list()
    assert [file.kind for file in found] == [kind]


def test_onnx_files_are_models_only_where_they_are_asked_for(top: Path, models: Models) -> None:
    put(top / "background" / "u2net.onnx")
    assert models.find("u2net", "background") == models.find("u2net.onnx", "background")
    put(top / "checkpoints" / "other.onnx")
    put(top / "background" / "other.safetensors")
    assert [file.name for file in models.list()] == ["u2net"]
    with pytest.raises(MissingModel, match=r"Put other\.onnx into models/background"):
        models.find("other", "background")


def test_a_starter_model_of_one_file_goes_by_its_folder(top: Path, models: Models) -> None:
    file = put(top / "starter" / "faces" / "face-finder.onnx")
    put(top / "starter" / "upscaler" / "upscaler.safetensors")
    put(top / "starter" / "other" / "notes.safetensors")
    found = models.find("starter-faces", "detector")
    assert (found.path, found.layout) == (file, "single_file")
    assert [(file.name, file.kind) for file in models.list()] == [
        ("starter-upscaler", "upscale"),
        ("starter-faces", "detector"),
    ]


def test_the_first_folder_that_has_a_name_wins(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        put(tmp_path / folder / "checkpoints" / "same.safetensors", EMPTY + folder.encode())
    both = Models([tmp_path / "two", tmp_path / "one"], hub=tmp_path / "hub")
    assert "two" in str(both.find("same").path)
    assert len(both.list()) == 1


def test_a_repository_in_the_local_cache_goes_by_its_id(tmp_path: Path, models: Models) -> None:
    repo = tmp_path / "hub" / "models--org--name"
    diffusers(repo / "snapshots" / "abc")
    diffusers(repo / "snapshots" / "def")
    put(repo / "refs" / "main", b"abc")
    found = models.find("org/name")
    assert (found.path.name, found.source) == ("abc", "Hugging Face cache")
    assert [file.name for file in models.list()] == ["org/name"]


def test_the_links_of_the_local_cache_are_followed(tmp_path: Path, models: Models) -> None:
    repo = tmp_path / "hub" / "models--org--name"
    blob = put(repo / "blobs" / "1234")
    snapshot = diffusers(repo / "snapshots" / "abc")
    (snapshot / "unet" / "model.safetensors").unlink()
    (snapshot / "unet" / "model.safetensors").symlink_to(blob)
    assert models.find("org/name").layout == "diffusers"


def test_a_file_that_models_share_takes_its_room_once(top: Path, models: Models) -> None:
    whole, other = diffusers(top / "diffusers" / "whole"), diffusers(top / "diffusers" / "other")
    put(whole / "vae" / "config.json", b"{}")
    weights = put(whole / "vae" / "weights.safetensors", b"w" * 1000)
    alone = on_disk(file.path for file in models.list())
    put(other / "vae" / "config.json", b"{}")
    (other / "vae" / "weights.safetensors").symlink_to(weights)
    parts = {file.name: file.part_of for file in models.list()}
    assert parts == {"whole": "", "other": "", "whole/vae": "whole", "other/vae": "other"}
    assert on_disk(file.path for file in models.list()) == alone + len(b"{}")


@pytest.mark.parametrize("repo", ["models--org--name/snapshots/..", "models--..--..", "models--org--name"])
def test_a_cache_that_points_elsewhere_is_not_followed(tmp_path: Path, models: Models, repo: str) -> None:
    diffusers(tmp_path / "elsewhere")
    put(tmp_path / "hub" / repo / "refs" / "main", b"../../../elsewhere")
    with pytest.raises((BadInput, MissingModel)):
        models.find("org/name")


@pytest.mark.parametrize(
    "name",
    [
        *("../secret", "/etc/passwd", "a/../../b", "C:\\x", "c:/x", "a\\b", "a\0b", "", "~/x", "a//b", "./a"),
        *("checkpoints/..", "a/", "x" * 201, "a\nb"),
    ],
)
def test_a_name_is_never_a_path(models: Models, name: str) -> None:
    with pytest.raises(BadInput, match="not a path"):
        models.find(name)


def test_a_link_out_of_the_folder_is_followed_only_into_a_configured_one(top: Path, tmp_path: Path) -> None:
    outside = put(tmp_path / "outside" / "secret.safetensors")
    (top / "checkpoints").mkdir(parents=True)
    (top / "checkpoints" / "linked.safetensors").symlink_to(outside)
    with pytest.raises(MissingModel):
        Models([top], hub=tmp_path / "hub").find("linked")
    assert Models([top, outside.parent], hub=tmp_path / "hub").find("linked").bytes == len(EMPTY)


def test_a_link_out_of_a_diffusers_folder_is_not_followed(top: Path, tmp_path: Path, models: Models) -> None:
    folder = diffusers(top / "diffusers" / "mine")
    (folder / "vae.json").symlink_to(put(tmp_path / "outside" / "secret.json"))
    with pytest.raises(MissingModel):
        models.find("mine")


@pytest.mark.parametrize("ending", [".ckpt", ".pt", ".pth", ".bin"])
def test_a_pickle_is_refused_with_the_reason_and_the_remedy(top: Path, models: Models, ending: str) -> None:
    put(top / "checkpoints" / f"old{ending}")
    for name in (f"old{ending}", "old"):
        with pytest.raises(UnsafeModel, match=r"any code.*old\.safetensors"):
            models.find(name)
    assert models.list() == []


def test_a_gguf_file_is_refused_by_its_name_with_the_way_to_a_small_model(top: Path, models: Models) -> None:
    put(top / "diffusion_models" / "flux-q4.gguf")
    for name in ("flux-q4.gguf", "flux-q4"):
        with pytest.raises(Unsupported, match=r"flux-q4\.gguf is quantised.*float8"):
            models.find(name, "denoiser")
    assert models.list() == []


def test_a_folder_with_pickled_weights_alone_is_refused(top: Path, models: Models) -> None:
    put(top / "diffusers" / "old" / "model_index.json", b"{}")
    put(top / "diffusers" / "old" / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises(UnsafeModel):
        models.find("old")
    assert models.list() == []


def test_a_well_known_model_that_is_missing_is_described(models: Models) -> None:
    with pytest.raises(MissingModel) as caught:
        models.find("sd15")
    text = str(caught.value)
    assert "`python server.py models fetch sd15`" in text
    assert all(part in text for part in ("stable-diffusion-v1-5", "4.3 GB", "OpenRAIL"))


def test_a_missing_model_names_those_that_are_nearest(top: Path, models: Models) -> None:
    put(top / "checkpoints" / "dreamy.safetensors")
    with pytest.raises(MissingModel, match=r"Put dreamly\.safetensors into models/checkpoints.*dreamy"):
        models.find("dreamly")
    with pytest.raises(MissingModel, match=r"`python server.py models fetch org/thing`"):
        models.find("org/thing")
    with pytest.raises(MissingModel, match=r"`python server.py models fetch org/thing --kind lora`"):
        models.find("org/thing", "lora")
    with pytest.raises(MissingModel, match=r"models/loras"):
        models.find("style", "lora")


@pytest.mark.parametrize(
    ("name", "kind", "target"),
    [("starter-controlnet-canny", "controlnet", "controlnet-canny"), ("starter-lora-neon", "lora", "loras")],
)
def test_a_starter_model_that_is_not_trained_yet_names_what_trains_it(
    name: str, kind: Kind, target: str, models: Models
) -> None:
    with pytest.raises(MissingModel) as caught:
        models.find(name, kind)
    part = name.removeprefix("starter-")
    text = str(caught.value)
    assert f"`make -C models/starter {target}`" in text
    assert f"`make -C models/starter ship NAMES={part}`" in text
    assert "`python server.py models fetch" in text


def test_a_name_of_something_else_is_told_what_it_is(top: Path, models: Models) -> None:
    put(top / "loras" / "ink.safetensors")
    put(top / "checkpoints" / "real.safetensors")
    with pytest.raises(MissingModel, match="no model named 'ink'") as error:
        models.find("ink")
    assert "is of kind 'lora'" in error.value.problems[0].remedy
    assert "Here are: real" in error.value.problems[0].remedy


def test_a_missing_model_is_called_by_what_it_is(models: Models) -> None:
    with pytest.raises(MissingModel, match=r"no face finder named 'starter-faces'.*starter faces.*yunet"):
        models.find("starter-faces", "detector")
    with pytest.raises(MissingModel, match=r"no upscaler named 'mine'.*mine\.safetensors into models/up"):
        models.find("mine", "upscale")


def test_errors_never_show_a_path(top: Path, tmp_path: Path, models: Models) -> None:
    put(top / "checkpoints" / "old.ckpt")
    for name in ("old", "nothing", "../x"):
        with pytest.raises((BadInput, MissingModel, UnsafeModel)) as caught:
            models.find(name)
        assert str(tmp_path) not in str(caught.value)


def test_a_folder_is_known_by_its_weights_and_configurations_alone(top: Path, models: Models) -> None:
    folder = diffusers(top / "diffusers" / "mine")
    first = models.sha256(models.find("mine"))
    put(folder / "README.md", b"hello")
    assert models.sha256(models.find("mine")) == first
    put(folder / "unet" / "config.json", b"{}")
    second = models.sha256(models.find("mine"))
    (folder / "unet").rename(folder / "unet2")
    assert len({first, second, models.sha256(models.find("mine"))}) == 3


def test_a_hash_is_remembered_and_renewed_when_the_file_changes(top: Path, tmp_path: Path) -> None:
    file, memo = put(top / "checkpoints" / "a.safetensors"), tmp_path / "data" / "hashes.json"
    first = Models([top], memo=memo, hub=tmp_path / "hub")
    found = first.find("a")
    true = first.sha256(found)
    known = json.loads(memo.read_text())
    [place] = known
    known[place][3] = "remembered"
    memo.write_text(json.dumps(known))
    assert Models([top], memo=memo, hub=tmp_path / "hub").sha256(found) == "remembered"
    os.utime(file, ns=(1, 1))
    assert Models([top], memo=memo, hub=tmp_path / "hub").sha256(found) == true


def test_another_file_of_the_same_size_and_time_is_read_anew(top: Path, tmp_path: Path) -> None:
    file = put(top / "checkpoints" / "a.safetensors", EMPTY + b"1")
    models = Models([top], hub=tmp_path / "hub")
    first, stat = models.sha256(models.find("a")), file.stat()
    other = put(tmp_path / "other", EMPTY + b"2")
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    other.replace(file)
    assert file.stat().st_mtime_ns == stat.st_mtime_ns
    assert models.sha256(models.find("a")) != first


def test_a_memo_of_an_earlier_form_only_costs_a_second_reading(top: Path, tmp_path: Path) -> None:
    file = put(top / "checkpoints" / "a.safetensors")
    memo = put(tmp_path / "hashes.json", json.dumps({str(file): [10, 1, "0" * 64]}).encode())
    models = Models([top], memo=memo, hub=tmp_path / "hub")
    assert models.sha256(models.find("a")) != "0" * 64


def test_a_broken_memo_only_costs_a_second_reading(top: Path, tmp_path: Path) -> None:
    put(top / "checkpoints" / "a.safetensors")
    memo = put(tmp_path / "hashes.json", b"[1, ")
    models = Models([top], memo=memo, hub=tmp_path / "hub")
    assert len(models.sha256(models.find("a"))) == 64


def test_a_model_that_moved_is_found_by_its_content(top: Path, models: Models) -> None:
    file = put(top / "checkpoints" / "a.safetensors", EMPTY + b"1")
    put(top / "checkpoints" / "b.safetensors", EMPTY + b"2")
    sha256 = models.sha256(models.find("a"))
    file.rename(top / "checkpoints" / "c.safetensors")
    assert models.locate("a", sha256).name == "c"
    with pytest.raises(MissingModel):
        models.locate("a", "0" * 64)
    with pytest.raises(MissingModel, match="changed"):
        models.locate("b", "0" * 64)


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04zip", b"\xff" * 16, b"\x02\0\0\0\0\0\0\0[}", b"\x02\0\0\0\0\0\0\0[]"]
)
def test_a_file_that_is_no_safetensors_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(UnsafeModel, match="not a safetensors file"):
        header(put(tmp_path / "x.safetensors", data))


def test_the_settings_add_folders_after_our_own(tmp_path: Path) -> None:
    models = Models.of(Settings(data=tmp_path, models=[tmp_path / "mine"]))
    assert models.folders == [ROOT / "models", tmp_path / "mine"]
