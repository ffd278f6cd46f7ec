"""Nodes found; those that failed to load, with the reason."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cached_property
from types import MappingProxyType, ModuleType
from typing import Any

import msgspec
from msgspec import Struct, field

from engine import ports, types
from engine.annotations import type_name
from engine.digest import hashed
from engine.errors import BadDeclaration
from engine.node import NAME, RESERVED, Declared, InputPort, NodeSpec, OutputPort, input_schema
from engine.ports import Class, ListOf, Piece, PortType
from engine.types import Value
from engine.wires import fit


class Entry(Struct, frozen=True):
    """A node as the registry knows it."""

    spec: NodeSpec
    pack: str = ""
    epoch: str = ""
    """Digest of the pack's source; empty for the nodes that come with Tessera."""
    declared: Declared | None = None
    """The function; None where only the pack's description is known."""


class Pack(Struct, frozen=True):
    """A custom pack: described (entries without functions) or imported."""

    name: str
    epoch: str
    entries: tuple[Entry, ...]
    classes: dict[str, type[Value]] = field(default_factory=dict)
    loaders: tuple[Callable[..., Any], ...] = ()


class Failed(Struct, frozen=True):
    """A pack that is not available, and why."""

    pack: str
    reason: str


class Registry:
    """All known nodes. Never changed after it is built, passed in, never global."""

    def __init__(
        self,
        entries: Iterable[Entry] = (),
        *,
        failed: Iterable[Failed] = (),
        classes: Mapping[str, type[Value]] | None = None,
        loaders: Iterable[Callable[..., Any]] = (),
    ) -> None:
        self.nodes: Mapping[str, Entry] = MappingProxyType(by_id(entries))
        self.failed = tuple(failed)
        self.classes: Mapping[str, type[Value]] = MappingProxyType(dict(classes or classes_in(types)))
        self.loaders = tuple(loaders)
        self._conversions = tuple(e for e in self.nodes.values() if e.spec.converts)

    @classmethod
    def core(cls) -> Registry:
        """The nodes that come with Tessera; a module of theirs that does not import raises."""
        import nodes

        names = [m.name for m in pkgutil.iter_modules(nodes.__path__) if not m.name.startswith("_")]
        return cls.of([importlib.import_module(f"nodes.{name}") for name in sorted(names)])

    @classmethod
    def of(cls, modules: Iterable[ModuleType]) -> Registry:
        """The nodes declared in these modules, without a pack."""
        modules = list(modules)
        classes = merged([classes_in(types), *map(classes_of, modules)])
        entries = [Entry(d.spec, declared=d) for d in declared_in(modules)]
        return cls(entries, classes=classes, loaders=loaders_in(modules))

    def with_packs(self, packs: Iterable[Pack | Failed]) -> Registry:
        """These nodes and those of the packs; a pack that clashes is listed as failed, with the reason."""
        entries, failed = list(self.nodes.values()), list(self.failed)
        classes, loaders = dict(self.classes), list(self.loaders)
        for pack in packs:
            if isinstance(pack, Failed):
                failed.append(pack)
                continue
            try:
                both = by_id([*entries, *pack.entries]), merged([classes, pack.classes])
            except BadDeclaration as error:
                failed.append(Failed(pack.name, str(error)))
                continue
            entries, classes = list(both[0].values()), both[1]
            loaders += pack.loaders
        return Registry(entries, failed=failed, classes=classes, loaders=loaders)

    def get(self, id: str) -> Entry | None:
        """The node of this id, if there is one."""
        return self.nodes.get(id)

    def nearest(self, id: str, n: int = 3) -> list[str]:
        """Ids that somebody who wrote `id` may have meant, best first."""
        word = id.lower()
        close = difflib.get_close_matches(word, self.nodes, n)
        return list(dict.fromkeys([*close, *(known for known in sorted(self.nodes) if word in known)]))[:n]

    def conversion(
        self, source: PortType, target: PortType, packs: Collection[str] | None = None
    ) -> Entry | None:
        """The closest conversion that makes an output of `source` fit an input of `target` in one hop.

        For a list it runs once per item. With `packs` only those of these packs and our own are taken.
        """
        found = [
            (rank, entry.spec.id, entry)
            for entry in self._conversions
            if (packs is None or not entry.pack or entry.pack in packs)
            and (rank := detour(entry.spec, source, target)) is not None
        ]
        return min(found, key=lambda f: f[:2])[2] if found else None

    @cached_property
    def digest(self) -> str:
        """Changes when any node or pack source does: plans made for another digest are stale."""
        known = [(self.nodes[id].spec, self.nodes[id].epoch) for id in sorted(self.nodes)]
        return hashed(msgspec.msgpack.encode(known)).hex()


def palette(registry: Registry) -> dict[str, Any]:
    """All nodes, and the packs that failed to load, as an editor shows them."""
    return {
        "nodes": [palette_entry(registry.nodes[id]) for id in sorted(registry.nodes)],
        "failed": [{"pack": failed.pack, "reason": failed.reason} for failed in registry.failed],
    }


def palette_entry(entry: Entry) -> dict[str, Any]:
    """A node as the editor's palette shows it."""
    spec = entry.spec
    return {
        "id": spec.id,
        "version": spec.version,
        "title": spec.title,
        "help": spec.help,
        "category": spec.category,
        "kind": spec.kind,
        "lane": spec.lane,
        **({"pack": entry.pack} if entry.pack else {}),
        "inputs": [palette_input(port) for port in spec.inputs],
        "outputs": [palette_output(port) for port in spec.outputs],
    }


def palette_input(port: InputPort) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "name": port.name,
        "schema": input_schema(port),
        "type": ports.words(port.type),
        "port": plain(port.type),
        "required": port.required,
    }
    if not port.required:
        shown["default"] = port.default
    if isinstance(port.type, Piece):
        shown["piece"] = True
    return shown


def palette_output(port: OutputPort) -> dict[str, Any]:
    return {"name": port.name, "type": ports.words(port.type), "port": plain(port.type)}


def plain(kind: PortType) -> Any:
    """A type of port as JSON has it."""
    return msgspec.json.decode(msgspec.json.encode(kind))


def declared_in(modules: Iterable[ModuleType]) -> list[Declared]:
    """What these modules declare themselves; a node that a module only imports belongs to its own module."""
    found: dict[int, Declared] = {}
    for module in modules:
        for value in list(vars(module).values()):
            declared = own(value, module).get("__node__")
            if isinstance(declared, Declared):
                found[id(declared)] = declared
    return list(found.values())


def loaders_in(modules: Iterable[ModuleType]) -> tuple[Callable[..., Any], ...]:
    """The functions of these modules that load weights."""
    values = [(value, module) for module in modules for value in list(vars(module).values())]
    return tuple(v for v, module in values if callable(v) and "__loader__" in own(v, module))


def own(value: object, module: ModuleType) -> Mapping[str, Any]:
    """A function's attributes, if it was made in this module. Never triggers a lazy attribute."""
    attributes = getattr(value, "__dict__", {}) if callable(value) and not isinstance(value, type) else {}
    return attributes if getattr(value, "__module__", None) == module.__name__ else {}


def classes_in(module: ModuleType) -> dict[str, type[Value]]:
    """Every class of values that the module makes, by port type name."""
    found = [v for v in vars(module).values() if isinstance(v, type) and issubclass(v, Value)]
    return {type_name(c): c for c in found if c.__module__ == module.__name__}


def classes_of(module: ModuleType) -> dict[str, type[Value]]:
    """Every class of values that the module makes or has on a port."""
    return merged([classes_in(module), *(d.classes for d in declared_in([module]))])


def merged(tables: Iterable[Mapping[str, type[Value]]]) -> dict[str, type[Value]]:
    """One table of classes; two classes of one name would be one port type, so they are refused."""
    found: dict[str, type[Value]] = {}
    for table in tables:
        for name, cls in table.items():
            other = found.setdefault(name, cls)
            if other is not cls:
                places = f"in {other.__module__} and in {cls.__module__}"
                raise BadDeclaration(f"Two classes are named {name!r}: {places}.", remedy="Rename one.")
    return found


def by_id(entries: Iterable[Entry]) -> dict[str, Entry]:
    """Entries by id; two of one id are refused."""
    found: dict[str, Entry] = {}
    for entry in entries:
        other = found.setdefault(entry.spec.id, entry)
        if other is not entry:
            places = f"{place(other)} and {place(entry)}"
            raise BadDeclaration(f"Two nodes are named {entry.spec.id!r}: {places}.", remedy="Rename one.")
    return found


def place(entry: Entry) -> str:
    """Where a node is declared, for an error."""
    if entry.declared is None:
        return f"pack {entry.pack!r}"
    run = entry.declared.run
    return f"{run.__module__}:{run.__code__.co_firstlineno} ({run.__name__})"


def bad_name(pack: str) -> str:
    """Why a pack cannot have this name, or nothing."""
    if not NAME.fullmatch(pack) or not pack.isidentifier():
        return f"{pack!r} is no pack name: use letters, digits and _, at most 64"
    if pack in RESERVED:
        return f"the pack name {pack!r} is reserved: rename the folder"
    return ""


def in_pack(pack: str, modules: Iterable[ModuleType], epoch: str) -> Pack:
    """What the modules of a pack declare, under ids `pack/name`."""
    modules = list(modules)
    entries = tuple(Entry(d.spec, pack, epoch, d) for d in (renamed(d, pack) for d in declared_in(modules)))
    by_id(entries)
    return Pack(pack, epoch, entries, merged(map(classes_of, modules)), loaders_in(modules))


def renamed(declared: Declared, pack: str) -> Declared:
    spec = msgspec.structs.replace(declared.spec, id=f"{pack}/{declared.spec.id}")
    return msgspec.structs.replace(declared, spec=spec)


def modules_of(pack: str) -> list[ModuleType]:
    """The imported modules of a pack, its own first."""
    root = f"custom_nodes.{pack}"
    return [m for name, m in sorted(sys.modules.items()) if name == root or name.startswith(root + ".")]


def detour(spec: NodeSpec, source: PortType, target: PortType) -> tuple[int, int] | None:
    """How far a conversion is from both ends of a wire (0 is the very class), or None if it does not help."""
    taken, given = spec.inputs[0].type, spec.outputs[0].type
    how = fit(source, taken)
    if how not in ("as is", "map"):
        return None
    result = ListOf(given) if how == "map" else given
    return (distance(source, taken), distance(given, target)) if fit(result, target) else None


def distance(source: PortType, target: PortType) -> int:
    source, target = single(source), single(target)
    if isinstance(source, Class) and isinstance(target, Class) and target.name in source.ancestry:
        return source.ancestry.index(target.name)
    return 0 if source == target else len(getattr(source, "ancestry", "x"))


def single(t: PortType) -> PortType:
    return t.item if isinstance(t, ListOf) else t
