"""What is wrong with this machine, and the one fix for each."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from engine import safety
from engine.config import ROOT, Settings
from engine.credentials import Credentials
from engine.errors import TesseraError
from engine.machine import cores
from engine.vault import Vault

State = Literal["ok", "note", "bad"]
GIB = 1024**3
LOOPBACK = ("127.", "localhost", "::1")
DRIVERS = {11: 450, 12: 525, 13: 580}
"""The oldest NVIDIA driver for each major version of CUDA, by NVIDIA's compatibility table."""
WATCHED = ("torch", "torchvision", "diffusers", "transformers", "aiohttp", "msgspec", "opencv-python")
NETWORK = ("nfs", "cifs", "smb", "9p", "fuse.sshfs", "afs")
"""File systems whose locks SQLite cannot trust."""


class Finding(Struct, frozen=True, omit_defaults=True):
    """One thing looked at: how it stands and, if it is not well, what to do."""

    name: str
    state: State
    found: str
    remedy: str = ""


class Torch(Struct, frozen=True):
    """What the installed torch says about itself, asked in a process of its own."""

    version: str = ""
    cuda: str = ""
    """The CUDA version that this build is made for."""
    hip: str = ""
    devices: list[str] = msgspec.field(default_factory=list)
    """Devices on which a small multiplication gave the right result."""
    problems: dict[str, str] = msgspec.field(default_factory=dict)
    """Device or library to what it said when it did not work."""


ASK_TORCH = """
import json, sys
said = {"problems": {}, "devices": []}
for name in ("cv2", "diffusers", "torchvision", "torch"):
    try:
        __import__(name)
    except BaseException as error:
        said["problems"][name] = str(error).strip().splitlines()[-1] if str(error).strip() else repr(error)
if torch := sys.modules.get("torch"):
    said |= {"version": torch.__version__, "cuda": torch.version.cuda or "", "hip": torch.version.hip or ""}
    backends = {"cuda": torch.cuda, "mps": torch.backends.mps, "xpu": getattr(torch, "xpu", None)}
    for device in ["cpu", *(name for name, b in backends.items() if b is not None and b.is_available())]:
        try:
            assert (torch.ones(8, 8, device=device) @ torch.ones(8, 8, device=device)).sum().item() == 512
            said["devices"].append(device)
        except BaseException as error:
            said["problems"][device] = str(error).strip().splitlines()[0]
print("\\n" + json.dumps(said))
"""


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at everything in turn; nothing is changed."""
    yield python_version()
    yield from packages()
    torch = ask_torch()
    yield from libraries(torch)
    yield graphics(torch, settings.device)
    yield memory()
    yield from data_folder(settings)
    yield secrets(settings)
    yield certificate(settings)
    yield address(settings)
    yield port(settings)
    yield from weights(settings)
    yield from checkers(settings)
    yield clock()


def secrets(settings: Settings) -> Finding:
    """Whether secrets can be read, and by nobody else."""
    try:
        names = Vault.of(settings).names()
    except TesseraError as error:
        return Finding("secrets", "bad", error.problems[0].sentence(), error.problems[0].remedy)
    if settings.secrets is not None and os.name == "posix" and settings.secrets.stat().st_mode & 0o077:
        remedy = f"Keep it to yourself: chmod go-rwx {settings.secrets}"
        return Finding("secrets", "bad", "other users of this machine may read the file", remedy)
    return Finding("secrets", "ok", ", ".join(names) or "none")


def certificate(settings: Settings) -> Finding:
    """Whether saved files can be signed, and by whom."""
    try:
        found = Credentials.of(settings)
        found.prove()
    except TesseraError as error:
        return Finding("certificate", "bad", error.problems[0].sentence(), error.problems[0].remedy)
    if found.own is None:
        return Finding("certificate", "ok", "none: saved files are not signed")
    return Finding("certificate", "ok", f"{found.own.subject}, until {found.own.until:%Y-%m-%d}")


def python_version() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    if (3, 11) <= sys.version_info[:2] < (3, 13):
        return Finding("python", "ok", found)
    remedy = "Use Python 3.11 or 3.12: make clean, then make setup PYTHON=python3.12."
    return Finding("python", "bad", found, remedy)


def packages() -> Iterator[Finding]:
    """Whether the installed versions are the locked ones; a build for another device counts as the same."""
    locked = dict(re.findall(r"(?m)^([\w-]+)==([\w.]+)", (ROOT / "requirements.lock").read_text("utf-8")))
    wrong = []
    for name in WATCHED:
        try:
            version = metadata.version(name).partition("+")[0]
        except metadata.PackageNotFoundError:
            version = "missing"
        if version != locked.get(name, version):
            wrong.append(f"{name} {version} instead of {locked[name]}")
    if wrong:
        yield Finding("packages", "bad", ", ".join(wrong), "Install the locked versions: make install.")
    else:
        yield Finding("packages", "ok", f"{len(WATCHED)} looked at, as locked")


def ask_torch() -> Torch:
    command = [sys.executable, "-c", ASK_TORCH]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
        return msgspec.json.decode(done.stdout.splitlines()[-1], type=Torch)
    except subprocess.TimeoutExpired:
        return Torch(problems={"torch": "importing it took more than three minutes"})
    except (IndexError, msgspec.DecodeError):
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return Torch(problems={"torch": f"its process ended with {done.returncode}: {last}"})


def libraries(torch: Torch) -> Iterator[Finding]:
    """Libraries that do not import."""
    for name in ("torch", "torchvision", "diffusers", "cv2"):
        said = torch.problems.get(name)
        if said is None:
            continue
        if ".so" in said and name == "cv2":
            remedy = "Install the system libraries that OpenCV needs: apt-get install libgl1 libglib2.0-0."
        else:
            remedy = "Install the locked versions again: make clean, then make setup."
        yield Finding(name, "bad", said, remedy)


def graphics(torch: Torch, wanted: str) -> Finding:
    """The device that will do the work, and why it is not a graphics card where there is one."""
    driver, cards = nvidia()
    build = f"torch {torch.version or 'missing'}" + (f" for CUDA {torch.cuda}" if torch.cuda else "")
    working = [device for device in torch.devices if device != "cpu"]
    if working and wanted in ("auto", "cpu", *working):
        return Finding("device", "ok", f"{', '.join(cards or working)}, {build}")
    for device in ("cuda", "mps", "xpu"):
        if said := torch.problems.get(device):
            remedy = f"This torch cannot use the {device} device; install a build for it: docs/install.md."
            return Finding("device", "bad", f"{said} ({build})", remedy)
    if cards and torch.cuda:
        least = DRIVERS.get(int(torch.cuda.partition(".")[0]), 0)
        if driver < least:
            remedy = f"Update the NVIDIA driver to {least} or newer, or see docs/install.md, NVIDIA."
            return Finding("device", "bad", f"{cards[0]} with driver {driver}, {build}", remedy)
        remedy = "Restart the machine: the driver does not answer torch."
        return Finding("device", "bad", f"{cards[0]} with driver {driver}, unusable; {build}", remedy)
    if cards:
        remedy = "Install the CUDA build of torch: docs/install.md, NVIDIA."
        return Finding("device", "bad", f"{cards[0]}, but {build} is a CPU build", remedy)
    if shutil.which("nvidia-smi") and not cards:
        remedy = "Reinstall the NVIDIA driver: nvidia-smi is there and finds no card."
        return Finding("device", "bad", f"nvidia-smi without a card, {build}", remedy)
    if Path("/dev/kfd").exists() and not torch.hip:
        remedy = "Install the ROCm build of torch: docs/install.md, AMD."
        return Finding("device", "bad", f"an AMD card, but {build} is no ROCm build", remedy)
    if wanted not in ("auto", "cpu"):
        remedy = "Set TESSERA_DEVICE=auto, or install a torch build for that device: docs/install.md."
        return Finding("device", "bad", f"{wanted} is configured and not there, {build}", remedy)
    return Finding("device", "ok", f"no graphics card, so the CPU with {cores()} cores, {build}")


def nvidia() -> tuple[int, list[str]]:
    """The driver's major version and the names of the cards, as the driver's own tool tells them."""
    query = ["nvidia-smi", "--query-gpu=driver_version,name", "--format=csv,noheader"]
    try:
        said = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return 0, []
    rows = [line.split(", ", 1) for line in said.splitlines() if ", " in line]
    return (int(rows[0][0].partition(".")[0]), [name for _, name in rows]) if rows else (0, [])


def memory() -> Finding:
    import psutil

    state = psutil.virtual_memory()
    found = f"{state.available / GIB:.1f} of {state.total / GIB:.1f} GB free"
    if state.available < 1.5 * GIB:
        return Finding("memory", "bad", found, "Close other programs: the starter model needs 1.5 GB free.")
    if state.available < 8 * GIB:
        remedy = "Enough for the starter model and SD 1.5; larger models want 16 GB or more."
        return Finding("memory", "note", found, remedy)
    return Finding("memory", "ok", found)


def data_folder(settings: Settings) -> Iterator[Finding]:
    """Whether the data folder can be written, has room, and lies on a disk whose locks hold."""
    folder = settings.data.absolute()
    there = next(parent for parent in (folder, *folder.parents) if parent.is_dir())
    if not os.access(there, os.W_OK | os.X_OK):
        remedy = "Make it writable for this user, or name another folder: --data DIR."
        yield Finding("data folder", "bad", f"{settings.data} cannot be written", remedy)
        return
    free = shutil.disk_usage(there).free
    found = f"{settings.data}, {free / GIB:.1f} GB free"
    if free < settings.disk_reserve:
        remedy = "Free some space, or name a folder on another disk: --data DIR. Until then the queue pauses."
        yield Finding("data folder", "bad", found, remedy)
    elif free < 2 * GIB:
        yield Finding("data folder", "note", found, "Free some space soon: cached results want a few GB.")
    else:
        yield Finding("data folder", "ok", found)
    if (kind := file_system(there)).startswith(NETWORK):
        remedy = "Name a folder on a local disk: --data DIR. File locks over a network lose jobs."
        yield Finding("data folder", "bad", f"{settings.data} lies on {kind}", remedy)


def file_system(folder: Path) -> str:
    import psutil

    mounts = [m for m in psutil.disk_partitions(all=True) if folder.is_relative_to(m.mountpoint)]
    return max(mounts, key=lambda m: len(m.mountpoint)).fstype if mounts else ""


def address(settings: Settings) -> Finding:
    if settings.host.startswith(LOOPBACK):
        return Finding("address", "ok", f"{settings.host}: only this machine can connect")
    if settings.token:
        return Finding("address", "ok", f"{settings.host}: other machines need the token")
    remedy = "Set TESSERA_TOKEN to a long random text, or TESSERA_HOST=127.0.0.1."
    return Finding("address", "bad", f"{settings.host} without a token", remedy)


def port(settings: Settings) -> Finding:
    from engine.owner import owner_of

    found = f"{settings.port} is free"
    try:
        socket.create_server((settings.host, settings.port)).close()
    except OSError as error:
        owner = owner_of(settings.data)
        if owner is not None and owner.url.endswith(f":{settings.port}"):
            return Finding("port", "ok", f"{settings.port} is the running server's, {owner.url}")
        remedy = f"Stop the other program, or choose another port: --port {settings.port + 1}."
        return Finding("port", "bad", f"{settings.port} cannot be used: {error.strerror}", remedy)
    return Finding("port", "ok", found)


def weights(settings: Settings) -> Iterator[Finding]:
    """Whether the starter model is whole, and which others are here."""
    from engine.models import Models

    models = Models.of(settings)
    for folder in models.folders:
        if not folder.is_dir() and folder != settings.fetch_to:
            remedy = "Correct TESSERA_MODELS or `models` in tessera.toml, or make the folder."
            yield Finding("weights", "bad", f"model folder {folder.name} is not there", remedy)
    try:
        starter = models.find("starter")
    except TesseraError:
        remedy = "Get models/starter back from the repository: git checkout models/starter."
        yield Finding("weights", "bad", "the starter model is missing", remedy)
        return
    if broken := [p.name for p in starter.path.rglob("*.safetensors") if not whole(p)]:
        remedy = "Get models/starter back: git checkout models/starter."
        yield Finding("weights", "bad", f"the starter model is damaged: {', '.join(broken)}", remedy)
        return
    names = [file.name for file in models.list("model")]
    yield Finding("weights", "ok", ", ".join(names[:8]) + (" …" if len(names) > 8 else ""))


def checkers(settings: Settings) -> Iterator[Finding]:
    """Whether the checkers are here, and whether they are real."""
    from engine.models import Models

    models, mode = Models.of(settings), safety.MODES[settings.mode]
    for checker in safety.rules_of(settings).checkers:
        if checker.name in (safety.WORDS, safety.ONLINE):
            continue
        try:
            models.find(checker.name, "safety")
        except TesseraError as error:
            yield Finding("safety", "bad", str(error.args[0]), error.remedy or "Correct `checkers`.")
    names = ", ".join(settings.checkers) or "no checker: in Safe mode nothing leaves"
    if warning := safety.warning(settings):
        yield Finding("safety", "note", f"mode {mode}; {names}", warning)
    else:
        yield Finding("safety", "ok", f"mode {mode}; {names}")


def whole(path: Path) -> bool:
    """Whether a safetensors file is as long as its own header says."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        try:
            header: dict[str, Any] = json.loads(file.read(size)) if size < path.stat().st_size else {}
        except ValueError:
            return False
    ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    return bool(ends) and path.stat().st_size == 8 + size + max(ends)


def clock(now: Callable[[], float] = time.time) -> Finding:
    """A clock behind this program's own files sorts jobs wrongly and makes tokens fail."""
    made = (ROOT / "pyproject.toml").stat().st_mtime
    found = time.strftime("%Y-%m-%d %H:%M", time.localtime(now()))
    if now() < made - 86_400:
        remedy = "Set the clock: it is behind the dates of the program's own files."
        return Finding("clock", "bad", found, remedy)
    return Finding("clock", "ok", found)
