"""What is typed at a terminal becomes what the ports want."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine.errors import NotFound
from tests.web.served import Site, png
from web.client import connect
from web.terminal import as_asked, beside, chosen, files_in, input_schemas, sent_all, typed

TEXT = {"type": "string"}
NUMBER = {"type": "number"}
PICTURE = {"id": "a1", "url": "/api/artifacts/a1", "mime": "image/png", "bytes": 9}


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        ("a red circle", TEXT, "a red circle"),
        ("42", TEXT, "42"),
        ("true", {"anyOf": [TEXT, {"type": "null"}]}, "true"),
        ("42", NUMBER, 42),
        ("1.5", NUMBER, 1.5),
        ("random", {"type": "integer"}, "random"),
        ("2", {"enum": ["1", "2"]}, "2"),
        ("[1, 2]", {"type": "array"}, [1, 2]),
        ('{"a": null}', {}, {"a": None}),
        ("plain words", {}, "plain words"),
    ],
)
def test_a_value_is_read_as_its_port_takes_it(text: str, schema: dict[str, Any], value: object) -> None:
    assert typed(text, schema) == value
    assert type(typed(text, schema)) is type(value)


def test_a_named_input_takes_what_its_first_port_takes() -> None:
    palette = [{"id": "encode_text", "inputs": [{"name": "text", "schema": TEXT}]}]
    document = {
        "steps": {"words": {"node": "encode_text"}},
        "inputs": {"prompt": {"to": ["words.text"]}, "lost": {"to": ["nowhere.x"]}, "empty": {}},
    }
    assert input_schemas(document, palette) == {"prompt": TEXT, "lost": {}, "empty": {}}


@pytest.mark.parametrize(
    ("schema", "wanted"),
    [({"type": "array"}, [1, 2]), ({"anyOf": [{"type": "array"}, {"type": "null"}]}, [1, 2]), (TEXT, None)],
)
async def test_several_files_go_where_a_list_is_taken(
    schema: dict[str, Any], wanted: list[int] | None, site: Site, tmp_path: Path
) -> None:
    files = [tmp_path / name for name in ("one, two.png", "three.png")]
    for place, file in enumerate(files, 1):
        file.write_bytes(png(place, 8))
    async with connect(site.url) as client:
        if wanted is None:
            with pytest.raises(NotFound):
                await sent_all(client, f"@{files[0]},@{files[1]}", schema)
        else:
            ids = await sent_all(client, f"@{files[0]},@{files[1]}", schema)
            assert [(await site.engine.artifact(id)).width for id in ids] == wanted


def test_files_are_found_in_single_outputs_and_in_lists() -> None:
    assert files_in(PICTURE) == [PICTURE]
    assert files_in([PICTURE, PICTURE]) == [PICTURE, PICTURE]
    assert files_in({"id": 1}) == files_in(3) == files_in([1, 2]) == []


def test_a_further_file_has_an_ending_of_its_kind() -> None:
    out = Path("a/cat.jpg")
    names = [beside(out, 2, mime).as_posix() for mime in ("image/png", "application/json")]
    assert names == ["a/cat-2.jpg", "a/cat-2.json"]


def test_a_picture_is_written_in_the_format_its_name_asks_for() -> None:
    buffer = io.BytesIO()
    Image.new("RGBA", (3, 2), (255, 0, 0, 255)).save(buffer, "PNG")
    png = buffer.getvalue()
    assert as_asked(png, "image/png", Path("a.png")) is png
    assert as_asked(png, "image/png", Path("no-ending")) is png
    with Image.open(io.BytesIO(as_asked(png, "image/png", Path("a.jpg")))) as picture:
        assert (picture.format, picture.size) == ("JPEG", (3, 2))


def test_a_misspelt_node_gets_a_suggestion() -> None:
    with pytest.raises(NotFound, match="Did you mean sample"):
        chosen([{"id": "sample"}, {"id": "add"}], "sampel")
