"""What a whole store must hold, whoever wrote it: kept beside the two services, from what was sent."""

import dataclasses
import gzip
import json


def python_text(document):
    """JSON as the services turn it into text and bytes."""
    return json.dumps(document)


@dataclasses.dataclass
class Content:
    """What was sent last to a place, and whether it was bytes."""

    kind: str  # string, json or binary
    value: object
    coding: str = ""

    def plain(self):
        """The bytes that `/binary` gives."""
        if self.kind == "string":
            return self.value.encode()
        if self.kind == "json":
            return python_text(self.value).encode()
        if self.coding != "gzip":
            return self.value
        plain = gzip.decompress(self.value)
        document = parsed(plain)
        return plain if document is None else python_text(document).encode()

    def is_bare(self):
        """Whether its file holds JSON that is no object, which the Python service cannot read back
        from disk, SQLite and ZIP."""
        return self.kind == "string"


def parsed(content):
    try:
        return json.loads(content)
    except ValueError:
        return None


@dataclasses.dataclass
class Entry:
    id: str
    namespace: str  # as it stands in paths
    hash: str
    content_files: list
    # The content file that reads use: entries that were stored over each other share it.
    place: str
    deleted: bool = False


@dataclasses.dataclass
class Child:
    type: str
    key: str
    file: str
    value: object

    def path(self):
        return "/".join(part for part in (self.key, self.file) if part)

    def plain(self):
        if self.type == "string":
            return self.value.encode()
        return self.value


class Ledger:
    def __init__(self):
        self.entries = {}
        self.places = {}
        self.hashes = {}  # (namespace, hash) -> ids, oldest first
        self.children = {}  # id -> {(type, path) -> Child}
        self.archives = {}  # id -> {member -> bytes}

    def stored(self, namespace, answer, content):
        data = answer["paths"]["data"]
        files = [path for path in data if not path.endswith((".config", ".metadata"))]
        entry = Entry(
            id=answer["cache_id"],
            namespace=namespace,
            hash=answer["cache_hash"],
            content_files=files,
            place=files[0],
        )
        self.entries[entry.id] = entry
        for path in files:
            self.places[path] = content
        self.hashes.setdefault((namespace, entry.hash), []).append(entry.id)
        return entry

    def updated(self, entry, content):
        for path in entry.content_files:
            self.places[path] = content

    def content(self, entry):
        """None when another entry of the same place was deleted, and the files with it."""
        return self.places.get(entry.place)

    def deleted(self, entry):
        entry.deleted = True
        self.children.pop(entry.id, None)
        self.archives.pop(entry.id, None)
        for path in entry.content_files:
            self.places.pop(path, None)
        ids = self.hashes[entry.namespace, entry.hash]
        ids.remove(entry.id)

    def child(self, entry, child):
        self.children.setdefault(entry.id, {})[child.type, child.path()] = child

    def child_gone(self, entry, child):
        del self.children[entry.id][child.type, child.path()]

    def living(self):
        return [entry for entry in self.entries.values() if not entry.deleted]
