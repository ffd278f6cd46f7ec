"""A person at a terminal: what they type, what they see, what they are asked."""

from __future__ import annotations

import asyncio
import io
import json
import mimetypes
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from engine.errors import NotFound, Problem, TesseraError
from web.client import Client, Json


async def read_inputs(client: Client, workflow: str | Json, typed_in: list[tuple[str, str]]) -> Json:
    """The named inputs as typed on the command line, each as its port wants it; files are sent first."""
    if not typed_in:
        return {}
    if isinstance(workflow, str):
        workflow = await client.get(f"/api/workflows/{quote(workflow, safe='')}")
    schemas = input_schemas(workflow, (await client.get("/api/nodes"))["nodes"])
    inputs: Json = {}
    for name, text in typed_in:
        schema = schemas.get(name, {})
        inputs[name] = await sent_all(client, text, schema) if text[:1] == "@" else typed(text, schema)
    return inputs


async def sent_all(client: Client, text: str, schema: Json) -> str | list[str]:
    """The id of `@FILE`; where the port takes a list, those of `@FILE,@FILE`."""
    if not any(kind.get("type") == "array" for kind in (schema, *schema.get("anyOf", ()))):
        return await sent(client, text[1:])
    return [await sent(client, name) for name in text[1:].split(",@")]


READ: Json = {
    "tessera": 1,
    "title": "How was it made",
    "steps": {"read": {"node": "read_metadata"}},
    "inputs": {"file": {"to": ["read.file"]}},
    "outputs": {"workflow": "read.workflow", "settings": "read.settings"},
}


def is_picture(path: Path) -> bool:
    return path.is_file() and str(mimetypes.guess_type(path.name)[0]).startswith(("image/", "video/"))


async def restored(client: Client, path: Path) -> tuple[Json, Json]:
    """The workflow that a saved picture tells of, and the inputs that it was made with."""
    asked = {"workflow": READ, "inputs": {"file": await client.upload(path)}}
    [run] = await follow(client, asked, quiet=True)
    if run["state"] != "done":
        raise TesseraError(f"{path.name} cannot be read as a picture.", remedy="Give another file.")
    found = run["outputs"]
    if not found["workflow"]:
        remedy = 'Only pictures saved with the metadata "full" hold it; others at most its inputs.'
        raise NotFound(f"{path.name} does not say by which workflow it was made.", remedy=remedy)
    workflow: Json = json.loads(found["workflow"])
    given = {name: value for name, value in found["settings"].items() if name in workflow.get("inputs", {})}
    return workflow, given


async def sent(client: Client, name: str) -> str:
    if not Path(name).is_file():
        raise NotFound(f"There is no file {name}.")
    return await client.upload(Path(name))


def input_schemas(workflow: Json, palette: list[Json]) -> dict[str, Json]:
    """What each named input takes, by the first port that it goes to."""
    ports = {node["id"]: {port["name"]: port["schema"] for port in node["inputs"]} for node in palette}
    steps, found = workflow.get("steps", {}), {}
    for name, declared in workflow.get("inputs", {}).items():
        step, _, port = next(iter(declared.get("to", ())), "").partition(".")
        found[name] = ports.get(steps.get(step, {}).get("node", ""), {}).get(port, {})
    return found


def typed(text: str, schema: Json) -> Any:
    """Text stays text where the port takes text; elsewhere it is JSON if it can be."""
    kinds = [schema, *schema.get("anyOf", ())]
    if any(kind.get("type") == "string" or text in kind.get("enum", ()) for kind in kinds):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


async def follow(client: Client, asked: Json, *, quiet: bool) -> list[Json]:
    """Start runs and watch them until they are over; interrupted, cancel what is not."""
    ids: list[str] = (await client.post("/api/runs", asked))["runs"]
    over: list[Json] = []
    try:
        with Bar(quiet=quiet) as bar:
            for id in ids:
                over.append(await watch(client, id, bar, lambda done: (len(over) + done) / len(ids)))
    except asyncio.CancelledError:
        for id in ids[len(over) :]:
            await client.cancel(id)
        raise
    return over


async def watch(client: Client, id: str, bar: Bar, share: Callable[[float], float]) -> Json:
    """One run until it is over; what it asks is asked here."""
    run: Json = {}
    async for run in client.watch(id, every=0.3 if bar.live else 20):
        bar.show(share(run["progress"]))
        if run["state"] == "waiting":
            bar.hide()
            for question in run["questions"]:
                await client.post(question["url"], {"choice": await ask(id, question)})
    return run


async def ask(id: str, question: Json) -> str:
    """Let the person choose one of the options, by its number or by itself."""
    options: list[str] = question["options"]
    text = question["question"] + "".join(f"\n  {n} {option}" for n, option in enumerate(options, 1))
    if not sys.stdin.isatty():
        remedy = f"It waits until the choice is sent to {question['url']}."
        raise TesseraError(f"Run {id} asks a person: {text}\n", remedy=remedy)
    while True:
        print(text, file=sys.stderr, flush=True)
        answer = (await line()).strip()
        if answer in options:
            return answer
        if answer.isdigit() and 1 <= int(answer) <= len(options):
            return options[int(answer) - 1]


async def line() -> str:
    """A line from the keyboard, read in a daemon thread: another kind would keep Ctrl+C from ending us."""
    loop = asyncio.get_running_loop()
    read: asyncio.Future[str] = loop.create_future()

    def wait() -> None:
        text = sys.stdin.readline()
        loop.call_soon_threadsafe(read.set_result, text)

    threading.Thread(target=wait, daemon=True).start()
    return await read


class Bar:
    """Progress on a terminal; elsewhere nothing."""

    def __init__(self, *, quiet: bool, title: str = "Running") -> None:
        self.title = title
        self.live = sys.stderr.isatty() and not quiet

    def __enter__(self) -> Bar:
        if self.live:
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task(self.title, total=1.0)
        return self

    def __exit__(self, *_: object) -> None:
        self.hide()

    def show(self, done: float) -> None:
        if self.live:
            self._bar.start()
            self._bar.update(self._task, completed=done)

    def hide(self) -> None:
        """Give the line to somebody who types; the next `show` takes it back."""
        if self.live:
            self._bar.stop()


async def write(client: Client, runs: list[Json], out: Path) -> list[str]:
    """Write every file that came out: into a folder under its id, else as `out`, further ones numbered."""
    files = [file for run in runs for output in run["outputs"].values() for file in files_in(output)]
    written = []
    for number, file in enumerate(files, 1):
        if out.is_dir():
            path = out / (file["id"] + (mimetypes.guess_extension(file["mime"]) or ""))
        else:
            path = out if number == 1 else beside(out, number, file["mime"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(as_asked(await client.download(file["url"]), file["mime"], path))
        written.append(str(path))
    return written


def beside(out: Path, number: int, mime: str) -> Path:
    """The name of a further file: that of the first with a number, and an ending of its own kind."""
    path = out.with_stem(f"{out.stem}-{number}")
    kind = (mimetypes.guess_type(path.name)[0] or mime).partition("/")[0]
    return path if mime.startswith(kind) else path.with_suffix(mimetypes.guess_extension(mime) or "")


def files_in(output: Any) -> list[Json]:
    """The files of an output: a list port gives several."""
    items = output if isinstance(output, list) else [output]
    return [item for item in items if isinstance(item, dict) and {"id", "url", "mime"} <= item.keys()]


def as_asked(data: bytes, mime: str, path: Path) -> bytes:
    """The file as it is, or the picture in the format that the name asks for."""
    wanted = mimetypes.guess_type(path.name)[0] or mime
    if wanted == mime or not (mime.startswith("image/") and wanted.startswith("image/")):
        return data
    from PIL import Image

    picture, buffer = Image.open(io.BytesIO(data)), io.BytesIO()
    kind = wanted.removeprefix("image/").upper()
    (picture.convert("RGB") if kind == "JPEG" else picture).save(buffer, kind)
    return buffer.getvalue()


def show(runs: list[Json], written: list[str]) -> None:
    """Say how the runs ended; what came out goes to stdout, the rest to stderr."""
    for path in written:
        print(path)
    for run in runs:
        if run["state"] == "done":
            for name, output in run["outputs"].items():
                if not (written and files_in(output)):
                    print(f"{name}: {shown(output)}")
            said = f"{run['finished'] - run['created']:.1f} s."
        else:
            said = Problem(**run["error"]).sentence() if run["error"] else ""
        print(f"Run {run['id']} is {run['state']}. {said}", file=sys.stderr)


def shown(output: Any) -> str:
    """A value on one line; a file by what it is."""
    if files := files_in(output):
        return ", ".join(f"{file['mime']}, {file['bytes']:,} bytes, {file['id']}" for file in files)
    return json.dumps(output, ensure_ascii=False)


def chosen(nodes: list[Json], name: str | None) -> list[Json]:
    """All nodes, or the one of this name."""
    if name is None:
        return nodes
    if found := [node for node in nodes if node["id"] == name]:
        return found
    from engine.workflow import nearest

    raise NotFound(f"There is no node {name}.", remedy=nearest(name, [node["id"] for node in nodes]))


def listed(nodes: list[Json]) -> str:
    """A line for each node: its name and the first line of its help."""
    widest = max((len(node["id"]) for node in nodes), default=0)
    return "\n".join(f"{node['id']:<{widest}}  {node['help'].partition(chr(10))[0]}" for node in nodes)


def described(node: Json) -> str:
    """One node with everything it says of itself."""
    inputs = []
    for port in node["inputs"]:
        default = f", default {json.dumps(port['default'], ensure_ascii=False)}" if "default" in port else ""
        help = port["schema"].get("description", "")
        inputs.append(f"  {port['name']:<16} {port['type']}{default}" + (f"\n{'':<19}{help}" if help else ""))
    outputs = [f"  {port['name']:<16} {port['type']}" for port in node["outputs"]]
    head = f"{node['title']}: {node['id']}, version {node['version']}, {node['kind']}, {node['lane']} lane"
    return "\n".join([head, "", node["help"], "", "Inputs", *inputs, "Outputs", *outputs])
