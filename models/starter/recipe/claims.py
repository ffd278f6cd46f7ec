"""What a plain caption claims, and what may truly be said of a scene."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from .faces import EXPRESSIONS, HEADS
from .land import TERRAINS
from .objects import NAMES as OBJECTS
from .palette import COLOURS
from .people import HAIR
from .pose import NAMES as POSES
from .scene import Kind, Scene, Thing
from .shapes import PLACES, SHAPES
from .wording import plural

Claims = dict[str, str]  # what is said of each matter
Truth = dict[str, frozenset[str]]  # what may be said of each matter; "" where it may be left out
Aspect = Literal["colour", "object", "place", "manner"]

ASPECTS: dict[Aspect, tuple[str, ...]] = {
    "colour": (
        "colour", "colours", "background", "shirt", "pants", "hair", "hat", "eyes", "body colour",
        "land colour",
        "colour on the left", "colour on the right",
    ),
    "object": (
        "shapes", "head", "glasses", "who", "name", "terrain", "body", "thing on the left",
        "thing on the right",
    ),
    "place": ("place", "arrangement", "where", "body place"),
    "manner": ("pose", "expression", "time", "size", "count", "facing"),
}  # fmt: skip
SIDES = ("on the left", "on the right")
SETTINGS: dict[str, tuple[str, ...]] = {
    "park": ("in a park", "on a green field", "outdoors on the grass"),
    "beach": ("on a beach", "at the beach", "on the sand by the sea"),
    "snow": ("in the snow", "outdoors in winter"),
    "night": ("outdoors at night", "under a night sky"),
}
HOMES = (
    "on the grass", "in the snow", "on a road", "on a table", "on the water", "in the sky",
    "in the night sky",
    "on a beach", "in the water",
)  # fmt: skip
TIMES: dict[str, tuple[str, ...]] = {
    "day": ("during the day", "by day"),
    "sunset": ("at sunset", "in the evening"),
    "night": ("at night", "by night"),
}
_RELATIONS: dict[str, tuple[str, ...]] = {
    "{0} beside {1}": ("{} and {}", "{} next to {}", "{} beside {}"),
    "{0} left of {1}": ("{} to the left of {}", "{} on the left and {} on the right"),
    "{1} left of {0}": ("{} to the right of {}", "{} on the right and {} on the left"),
    "{0} above {1}": ("{} above {}", "{} on top and {} below", "{} over {}"),
    "{1} above {0}": ("{} below {}", "{} under {}"),
    "{0} inside {1}": ("{} inside {}", "{} in {}"),
}


def claims(caption: str) -> Claims | None:
    """What a caption says, if it is grammatical."""
    for read in _READERS.values():
        found = read(caption)
        if found is not None:
            return found
    return None


def truth(scene: Scene) -> Truth:
    """What may be said of a scene."""
    told = _READERS[scene.kind](scene.captions[0])
    assert told is not None, scene.captions[0]
    return {matter: frozenset(values) for matter, values in _TRUTHS[scene.kind](scene, told).items()}


def fits(said: Claims, true: Truth) -> bool:
    """Whether nothing that is said is false; leaving things out is no lie."""
    return all(matter in true and value in true[matter] for matter, value in said.items())


def marks(said: Claims | None, true: Truth) -> dict[Aspect, bool]:
    """For each aspect that a scene has, whether all of it is said that must be, and nothing false."""
    found: dict[Aspect, bool] = {}
    for aspect, matters in ASPECTS.items():
        asked = [matter for matter in matters if matter in true]
        if any(true[matter] != {""} for matter in asked):
            wrong = said is None or any(said.get(matter, "") not in true[matter] for matter in asked)
            extra = said is not None and any(matter in said for matter in matters if matter not in true)
            found[aspect] = not wrong and not extra
    return found


def _any(words: Mapping[str, object] | tuple[str, ...]) -> str:
    return "(?:" + "|".join(sorted(words, key=len, reverse=True)) + ")"


_COLOUR = _any(COLOURS)
_WALL = f" on an? (?P<background>{_COLOUR}) background"
_SIDE = f"(?: (?P<place>{_any(SIDES)}))?"
_SINGLE = re.compile(
    f"an? (?:(?P<size>small|large) )?(?P<colours>{_COLOUR}) (?P<shapes>{_any(SHAPES)})"
    f"(?: (?P<place>{_any(PLACES)}))?{_WALL}"
)
_SEVERAL = re.compile(
    f"(?P<count>two|three|four) (?P<colours>{_COLOUR}) (?P<shapes>{_any(tuple(map(plural, SHAPES)))}){_WALL}"
)
_PAIRS = [
    (relation, re.compile(said.format(*(f"an? (?P<{one}>{_COLOUR} {_any(SHAPES)})" for one in "ab")) + _WALL))
    for relation, many in _RELATIONS.items()
    for said in many
]
_BEAST, _HUMAN = _any(tuple(head for head in HEADS if head not in ("man", "woman"))), "(?:man|woman)"
_MOOD = _any(EXPRESSIONS)
_FACE = re.compile(
    f"(?:a portrait of )?an? (?:(?P<m1>{_MOOD}) (?P<h1>{_HUMAN})"
    f"|(?P<m2>{_MOOD}) (?P<c2>{_COLOUR}) (?P<h2>{_BEAST})|(?P<c3>{_COLOUR}) (?P<m3>{_MOOD}) (?P<h3>{_BEAST}))"
    f"(?: with (?P<worn>.+?))?{_WALL}"
)
_WORN = re.compile(
    f"(?P<hair>{_any(HAIR)}) hair|an? (?P<hat>{_COLOUR}) hat|(?P<glasses>glasses)|(?P<eyes>{_COLOUR}) eyes"
)
_CLOTHES = f"(?:in|wearing) an? (?P<shirt>{_COLOUR}) shirt(?: and (?P<pants>{_COLOUR}) pants)?"
_HAIR = f"(?:with (?P<hair>{_any(HAIR)}) hair )?"
_OUTDOORS = _any(tuple(said for many in SETTINGS.values() for said in many))
_PERSON = [
    re.compile(f"a (?P<who>person|man|woman|child) {order}{_SIDE}(?:{_WALL}| (?P<setting>{_OUTDOORS}))")
    for order in (
        f"(?P<pose>{_any(POSES)}) {_CLOTHES}(?: with (?P<hair>{_any(HAIR)}) hair)?",
        f"{_HAIR}{_CLOTHES} (?P<pose>{_any(POSES)})",
    )
]
_MANY = {("fish" if name == "fish" else plural(name)): name for name in OBJECTS}
_OBJECT = re.compile(
    f"(?:(?P<count>two) (?P<c1>{_COLOUR}) (?P<many>{_any(_MANY)})"
    f"|an? (?P<c2>{_COLOUR}) (?P<name>{_any(OBJECTS)}))"
    f"(?: looking (?P<facing>left|right))?{_SIDE}(?:{_WALL}| (?P<where>{_any(HOMES)}))"
)
_LAND = re.compile(
    f"(?:an? (?P<bc>{_COLOUR}) (?P<body>sun|moon)(?: (?P<bp>{_any(SIDES)}))? (?:over|above) )?"
    f"(?P<snowy>snowy )?(?:an? )?(?:(?P<lc>{_COLOUR}) )?(?P<terrain>{_any(TERRAINS)})"
    "(?: and (?P<ground>green grass|snow|yellow sand))?"
    f"(?: (?P<when>{_any(tuple(said for many in TIMES.values() for said in many))}))?"
)
_STANDING = re.compile(
    f"an? (?:(?P<colour>{_COLOUR}) )?(?P<name>house|tree|rock|car|boat) (?P<side>{_any(SIDES)})"
)


def _groups(found: re.Match[str]) -> Claims:
    return {name: value for name, value in found.groupdict().items() if value}


def _shapes(caption: str) -> Claims | None:
    if found := _SINGLE.fullmatch(caption):
        return _groups(found)
    if found := _SEVERAL.fullmatch(caption):
        said = _groups(found)
        return said | {"shapes": next(shape for shape in SHAPES if plural(shape) == said["shapes"])}
    for relation, pattern in _PAIRS:
        if found := pattern.fullmatch(caption):
            pair = found["a"], found["b"]
            return _both(pair) | {
                "background": found["background"],
                "arrangement": relation.format(*(sorted(pair) if "beside" in relation else pair)),
            }
    return None


def _both(pair: tuple[str, str]) -> Claims:
    """The colours and the shapes of two things, whichever is first."""
    colours, shapes = zip(*(thing.split(" ") for thing in pair), strict=True)
    return {"colours": " ".join(sorted(colours)), "shapes": " ".join(sorted(shapes))}


def _face(caption: str) -> Claims | None:
    found = _FACE.fullmatch(caption)
    if not found:
        return None
    given = _groups(found)
    names = {"m": "expression", "h": "head", "c": "colour"}
    said = {names[key[0]]: value for key, value in given.items() if key[-1].isdigit()}
    said["background"] = given["background"]
    for part in given.get("worn", "").split(" and "):
        worn = _WORN.fullmatch(part)
        if part and not worn:
            return None
        said |= _groups(worn) if worn else {}
    return said


def _person(caption: str) -> Claims | None:
    for pattern in _PERSON:
        if found := pattern.fullmatch(caption):
            said = _groups(found)
            if setting := said.pop("setting", ""):
                said["where"] = next(name for name, many in SETTINGS.items() if setting in many)
            return said
    return None


def _object(caption: str) -> Claims | None:
    found = _OBJECT.fullmatch(caption)
    if not found:
        return None
    said = _groups(found)
    if many := said.pop("many", ""):
        said["name"] = _MANY[many]
    return {("colour" if matter in ("c1", "c2") else matter): value for matter, value in said.items()}


def _land(caption: str) -> Claims | None:
    first, *rest = caption.split(", ")
    found = _LAND.fullmatch(first)
    if not found:
        return None
    names = {"bc": "body colour", "bp": "body place", "lc": "land colour", "when": "time"}
    said = {names.get(key, key): value.strip() for key, value in _groups(found).items()}
    if "time" in said:
        said["time"] = next(time for time, many in TIMES.items() if said["time"] in many)
    for extra in rest:
        thing = _STANDING.fullmatch(extra)
        if thing:
            said[f"thing {thing['side']}"] = thing["name"]
            said |= {f"colour {thing['side']}": thing["colour"]} if thing["colour"] else {}
        elif extra == "white clouds":
            said["clouds"] = "white"
        else:
            return None
    return said


_READERS: dict[Kind, Callable[[str], Claims | None]] = {
    "shapes": _shapes,
    "face": _face,
    "person": _person,
    "object": _object,
    "land": _land,
}


def _of_shapes(scene: Scene, told: Claims) -> dict[str, set[str]]:
    true = {matter: {value} for matter, value in told.items()}
    if scene.facts["group"] == "single":
        middle, place = {"", "in the center"}, scene.facts["place"]
        true |= {"size": {scene.facts["size"]}, "place": middle if place in middle else {place}}
    if scene.facts["group"] == "pair":
        true["arrangement"] = set(_arrangements(scene.facts["relation"], scene.things))
    return true


def _arrangements(relation: str, things: tuple[Thing, ...]) -> Iterator[str]:
    one, two = (f"{thing.colour} {thing.name}" for thing in things)
    if relation == "inside":
        yield f"{two} inside {one}"  # what lies outside is drawn first
    elif relation in ("above", "below"):
        yield f"{one} above {two}" if relation == "above" else f"{two} above {one}"
    else:
        yield f"{two} left of {one}" if relation == "right" else f"{one} left of {two}"
        yield "{} beside {}".format(*sorted((one, two)))


def _of_face(scene: Scene, told: Claims) -> dict[str, set[str]]:
    facts = scene.facts
    human = facts["head"] in ("man", "woman")
    return {
        "background": {facts["background"]},
        "expression": {facts["expression"]},
        "head": {facts["head"]},
        "hair" if human else "colour": {facts["colour"], ""} if human else {facts["colour"]},
        "hat": {facts["hat"]},
        "glasses": {"glasses" if facts["glasses"] else ""},
        "eyes": {"", facts["eyes"]} if facts["expression"] != "sleepy" else {""},
    }


def _of_person(scene: Scene, told: Claims) -> dict[str, set[str]]:
    facts = scene.facts
    return {
        "who": {facts["who"], "person"},
        "pose": {facts["pose"]},
        "shirt": {facts["shirt"]},
        "pants": {"", facts["pants"]},
        "hair": {"", facts["hair"]},
        "place": {facts["place"]},
        "background": {told.get("background", "")},
        "where": {told.get("where", "")},
    }


def _of_object(scene: Scene, told: Claims) -> dict[str, set[str]]:
    facts = scene.facts
    return {
        "name": {facts["name"]},
        "colour": {facts["colour"]},
        "count": {"two" if facts["count"] == "2" else ""},
        "facing": {"", facts["facing"].removeprefix("looking ")},
        "place": {facts["place"]},
        "background": {told.get("background", "")},
        "where": {told.get("where", "")},
    }


def _of_land(scene: Scene, told: Claims) -> dict[str, set[str]]:
    facts = scene.facts
    true = {
        "terrain": {facts["terrain"]},
        "land colour": {told.get("land colour", "")},
        "snowy": {told.get("snowy", "")},
        "time": {facts["time"], ""} if facts["time"] == "day" else {facts["time"]},
        "body": {facts["body"]},
        "body colour": {facts["body colour"] if facts["body"] else ""},
        "body place": {facts["body place"] if facts["body"] else ""},
        "ground": {"", told["ground"]} if "ground" in told else {"", "green grass", "snow", "yellow sand"},
        "clouds": {"", "white"},
    }
    for side in SIDES:
        standing = [one for one in scene.things if one.place == side and one.name not in ("sun", "moon")]
        thing = standing[0] if standing else Thing("", "")
        true[f"thing {side}"] = {thing.name}
        true[f"colour {side}"] = {thing.colour, ""} if thing.name in ("tree", "rock") else {thing.colour}
    return true


_TRUTHS: dict[Kind, Callable[[Scene, Claims], dict[str, set[str]]]] = {
    "shapes": _of_shapes,
    "face": _of_face,
    "person": _of_person,
    "object": _of_object,
    "land": _of_land,
}
