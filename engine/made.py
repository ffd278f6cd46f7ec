"""What was made, as it is looked for: for every file its words, models and tags, kept with its receipt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from engine.db import Migration, Reading, Writing
from engine.receipt import Paper, Receipt
from engine.rows import ASKED, Asked

MOST_WORDS = 8000
"""Characters of a file that can be looked for."""
TEXTS = ("prompt", "text", "positive")
"""Inputs of steps that most likely say what is to be seen."""
EXPLAINED = "save_explanation"
"""The node whose pictures explain another one and are shown with that."""
KINDS = {"image": "picture", "video": "clip", "audio": "sound"}


def insert(db: Writing, paper: Paper, ids: Mapping[str, str], asked: Asked) -> None:
    """Let the files of a receipt be found; one that is made again comes back out of the trash."""
    for sha256 in paper.files:
        if sha256 in ids:
            enter(db, ids[sha256], paper.receipt, asked)


def enter(db: Reading, asset: str, receipt: Receipt, asked: Asked) -> None:
    """Write the row of one artifact, if it is something to be seen or heard."""
    found = db.execute("SELECT seq, owner, mime, name, created FROM assets WHERE id = ?", (asset,)).fetchone()
    if found is None or explains(receipt):
        return
    seq, owner, mime, name, created = found
    if (kind := KINDS.get(mime.partition("/")[0])) is None:
        return
    words = "\n".join(dict.fromkeys(words_of(receipt, asked, name)))[:MOST_WORDS]
    row = (seq, asset, owner, created, receipt.mode, kind, asked.workflow, asked.title)
    db.execute(INSERT, (*row, prompt_of(receipt, asked), words))
    for model in receipt.models:
        db.execute(MODELLED, (owner, model, seq))


def explains(receipt: Receipt) -> bool:
    step = receipt.steps.get(receipt.step)
    return step is not None and step.node == EXPLAINED


def words_of(receipt: Receipt, asked: Asked, name: str) -> Iterator[str]:
    """Everything about a file that somebody may remember."""
    yield from filter(None, (asked.title, asked.workflow, name))
    yield from (text for text in asked.inputs.values() if isinstance(text, str) and text not in asked.files)
    yield from receipt.models
    for made in receipt.steps.values():
        yield from (text for text in made.values.values() if is_text(text))


def is_text(value: Any) -> bool:
    return isinstance(value, str) and value != "" and not value.startswith("digest:")


def prompt_of(receipt: Receipt, asked: Asked) -> str:
    """The words that say what is to be seen, as far as one can tell; else how the run was called."""
    given = asked.inputs.get("prompt")
    if isinstance(given, str) and given:
        return given
    said = [made.values.get(name) for made in receipt.steps.values() for name in TEXTS]
    return max(
        (text for text in said if isinstance(text, str) and is_text(text)), key=len, default=asked.title
    )


def create(db: Reading) -> None:
    for statement in SCHEMA:
        db.execute(statement)
    for asset, data, inputs, asked in db.execute(KNOWN):  # many, and large: one at a time
        told = msgspec.msgpack.decode(data, type=Receipt)
        given = ASKED.decode(asked) if asked else Asked(title=told.title, inputs=msgspec.json.decode(inputs))
        enter(db, asset, told, given)


def index_reports(db: Reading) -> None:
    """So that a picture knows whether something explains it."""
    db.execute("CREATE INDEX assets_reports ON assets (job) WHERE mime = 'application/json'")


def count_quickly(db: Reading) -> None:
    """Keep beside models and tags from which mode on files are shown: counting reads nothing else."""
    for table, name in (("made_models", "model"), ("made_tags", "tag")):
        db.execute(f"ALTER TABLE {table} ADD COLUMN shown INTEGER")  # NULL while it is in the trash
        db.execute(f"UPDATE {table} SET shown = {shown_of(f'{table}.seq')}")
        db.execute(f"""CREATE TRIGGER {table}_come AFTER INSERT ON {table} BEGIN
            UPDATE {table} SET shown = {shown_of("NEW.seq")}
            WHERE owner = NEW.owner AND {name} = NEW.{name} AND seq = NEW.seq; END""")
        db.execute(f"""CREATE TRIGGER {table}_change AFTER UPDATE OF mode, trashed ON made BEGIN
            UPDATE {table} SET shown = iif(NEW.trashed > 0, NULL, NEW.mode) WHERE seq = NEW.seq; END""")


def shown_of(seq: str) -> str:
    return f"(SELECT iif(trashed > 0, NULL, mode) FROM made WHERE made.seq = {seq})"


INSERT = """INSERT INTO made (seq, asset, owner, created, mode, kind, workflow, title, prompt, words)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (seq) DO UPDATE SET
    mode = min(mode, excluded.mode), title = excluded.title, prompt = excluded.prompt, words = excluded.words,
    workflow = CASE excluded.workflow WHEN '' THEN workflow ELSE excluded.workflow END, trashed = 0"""
MODELLED = "INSERT OR IGNORE INTO made_models (owner, model, seq) VALUES (?, ?, ?)"
KNOWN = """SELECT asset, data, inputs, asked FROM papers JOIN receipts ON receipts.digest = receipt
    LEFT JOIN jobs ON jobs.id = papers.job"""
FORGET = (
    "INSERT INTO made_words (made_words, rowid, words, tags) VALUES ('delete', OLD.seq, OLD.words, OLD.tags);"
)
LEARN = "INSERT INTO made_words (rowid, words, tags) VALUES (NEW.seq, NEW.words, NEW.tags);"
SCHEMA = (
    """CREATE TABLE made (
        seq INTEGER PRIMARY KEY, asset TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, created REAL NOT NULL,
        mode INTEGER NOT NULL, kind TEXT NOT NULL, workflow TEXT NOT NULL, title TEXT NOT NULL,
        prompt TEXT NOT NULL, words TEXT NOT NULL, tags TEXT NOT NULL DEFAULT '[]',
        starred INTEGER NOT NULL DEFAULT 0, trashed REAL NOT NULL DEFAULT 0)""",
    # Newest first, with all that is filtered by: a search reads nothing but this and the rows it shows.
    "CREATE INDEX made_shelf ON made (owner, trashed, seq, mode, starred, kind, created, workflow)",
    "CREATE INDEX made_workflow ON made (owner, trashed, workflow, mode)",
    "CREATE INDEX made_starred ON made (seq) WHERE starred",
    "CREATE INDEX made_trashed ON made (trashed) WHERE trashed > 0",
    """CREATE TABLE made_models (
        owner TEXT NOT NULL, model TEXT NOT NULL, seq INTEGER NOT NULL,
        PRIMARY KEY (owner, model, seq)) WITHOUT ROWID""",
    "CREATE INDEX made_models_seq ON made_models (seq)",
    """CREATE TABLE made_tags (
        owner TEXT NOT NULL, tag TEXT NOT NULL, seq INTEGER NOT NULL,
        PRIMARY KEY (owner, tag, seq)) WITHOUT ROWID""",
    "CREATE INDEX made_tags_seq ON made_tags (seq)",
    """CREATE VIRTUAL TABLE made_words USING fts5 (words, tags, content = 'made', content_rowid = 'seq',
        tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3')""",
    f"CREATE TRIGGER made_comes AFTER INSERT ON made BEGIN {LEARN} END",
    f"CREATE TRIGGER made_changes AFTER UPDATE OF words, tags ON made BEGIN {FORGET} {LEARN} END",
    f"""CREATE TRIGGER made_goes AFTER DELETE ON made BEGIN {FORGET}
        DELETE FROM made_models WHERE seq = OLD.seq; DELETE FROM made_tags WHERE seq = OLD.seq; END""",
    """CREATE TRIGGER made_gone AFTER DELETE ON assets BEGIN DELETE FROM made WHERE asset = OLD.id; END""",
)
MIGRATIONS: tuple[Migration, ...] = (("made 1", create), ("made 2", index_reports), ("made 3", count_quickly))
