"""One turn: a service adds entries of every kind, and changes what earlier turns left."""

import gzip
import io
import json
import urllib.parse
import zipfile

from ledger import Child, Content

STRATEGIES = ["direct", "temporal", "temporal_latest", "temporal_versioned", "key_based"]
JSON = {"content-type": "application/json"}
BYTES = {"content-type": "application/octet-stream"}

# As they stand in paths. The third is cleaned to a name with underscores; the last is the namespace
# without a name, whose keys have no prefix.
NAMELESS = "%20"
NAMESPACES = ["turns", "Turns", "a.b~c", "n" * 128, NAMELESS]

# Cache keys that are unusual and possible on every store of both services.
KEYS = [
    "a/b/c",
    "with%20space/and.dots/v1.2",
    "back%5Cslash",
    "caf%C3%A9/%F0%9F%98%80x",
    "Case",
    "case",
    "-/--/a-b",
    "a-b/c",
    "trailing/",
    ".hidden/..double",
    "data/refs/by-id",
    "k" * 200 + "/" + "l" * 200,
    "%20padded%20",
    "tail.json.metadata",
]
FILE_IDS = ["plain", "Plain", "dots.become_lines", "-", "f" * 128, "caf%C3%A9"]

DOCUMENT = {
    "text": "é \u2028 \U0001f600 \x7f \"quoted\" \\ /",
    "numbers": [0, -1, 2**70, 1.0, -0.0, 1e16, 1e-7, 5e-324, 123456789.125],
    "empty": {"object": {}, "list": [], "text": "", "none": None, "yes": True},
    "key with space": {"z": 1, "a": 2, "é": 3},
}


def written(text):
    return json.dumps(text).encode()


class Turn:
    def __init__(self, api, ledger, number, lists, one_in):
        self.api = api
        self.ledger = ledger
        self.number = number
        # Whether this service can list children, and so delete all of them, on this store.
        self.lists = lists
        # Of everything, one in so many, and others than in the turns before and after.
        self.share = slice(number % one_in, None, one_in)

    def take(self):
        earlier = self.ledger.living()
        self.new_content()
        self.odd_names()
        self.versions()
        self.overwrites()
        self.archives()
        if earlier:
            self.change(earlier)
        self.change([entry for entry in self.ledger.living() if entry not in earlier])

    # What one request does, and what the ledger says of it.

    def store(self, content, namespace="turns", strategy="direct", key="", query=""):
        body, headers = sent(content)
        path = f"/{namespace}/{strategy}/store/{content.kind}"
        path = "/".join(part for part in (path, key) if part) + query
        answer = self.api.change("POST", path, body, headers)
        return self.ledger.stored(namespace, answer, content)

    def update(self, entry, content):
        body, headers = sent(content)
        path = f"/{entry.namespace}/update/{entry.id}/{content.kind}"
        self.api.change("POST", path, body, headers)
        # An entry of bytes is read as bytes: a string written to it has its quotes there.
        was_binary = self.ledger.content(entry).kind == "binary"
        if was_binary and content.kind == "string":
            content = Content("binary", written(content.value))
        self.ledger.updated(entry, content)

    def delete(self, entry):
        answer = self.api.change("DELETE", f"/{entry.namespace}/delete/{entry.id}")
        if answer["status"] != "success":
            raise AssertionError(f"deleting {entry.id}: {answer}")
        self.ledger.deleted(entry)

    def child(self, entry, child, verb="store"):
        body, headers = sent(Content(child.type, child.value))
        path = f"/{entry.namespace}/cache/{entry.id}/data/{verb}/{child.type}/{child.path()}"
        self.api.change("POST", path, body, headers)
        self.ledger.child(entry, child)

    def delete_child(self, entry, child):
        path = f"/{entry.namespace}/cache/{entry.id}/data/delete/{child.type}/{child.path()}"
        self.api.change("DELETE", path)
        self.ledger.child_gone(entry, child)

    # What a turn is made of.

    def new_content(self):
        for strategy in STRATEGIES[self.share]:
            mark = f"{strategy} {self.number}"
            for content in [
                Content("string", f"text of {mark}: é \U0001f600 \n \t \"\\"),
                Content("json", DOCUMENT | {"mark": mark}),
                Content("binary", bytes(range(256)) + mark.encode()),
                Content("binary", gzip.compress(f'{{"packed": "{mark}"}}'.encode()), "gzip"),
                Content("binary", gzip.compress(b"\xff\x00" * 500 + mark.encode()), "gzip"),
            ]:
                entry = self.store(content, strategy=strategy)
                if content.kind == "json":
                    self.children(entry)
            keyed = Content("json", {"id": f"field of {mark}", "rest": [1, 2.5]})
            self.store(keyed, strategy=strategy, key="by/field", query="?json_field_path=id")
            self.store(Content("string", f"keyed {mark}"), strategy=strategy, key="some/key")
        self.store(Content("string", "1"))
        self.store(Content("json", {}))
        self.store(Content("binary", b"\xff" * 300_000))

    def children(self, entry):
        for key in ["", "some/key"]:
            self.child(entry, Child("string", key, "text", f"child {self.number} é"))
            self.child(entry, Child("json", key, "same", DOCUMENT))
            self.child(entry, Child("binary", key, "same", b"\x00\xff"))
        self.child(entry, Child("string", "", "goes", "deleted below"))
        self.delete_child(entry, Child("string", "", "goes", ""))

    def odd_names(self):
        for namespace in NAMESPACES[self.share]:
            for content in [Content("string", namespace), Content("binary", b"\xfe")]:
                entry = self.store(content, namespace)
                self.child(entry, Child("json", "k", "j", {"in": namespace}))
        for key in KEYS[self.share]:
            content = Content("json", {"key": key, "turn": self.number})
            entry = self.store(content, "turns", "key_based", key)
            self.child(entry, Child("string", "k.1/-", "f-1", key))
        for file_id in FILE_IDS[self.share]:
            for strategy in ["direct", "key_based"]:
                content = Content("string", f"{file_id} {self.number}")
                name = f"{file_id}-{self.number}"
                if file_id == "f" * 128:
                    name = f"{self.number}{file_id[1:]}"
                self.store(content, strategy=strategy, key="ids", query=f"?file_id={name}")

    def versions(self):
        """One content under one hash: as a string and as bytes, in every strategy, in every turn."""
        for strategy in STRATEGIES[self.share]:
            self.store(Content("string", "the same each time"), strategy=strategy)
            self.store(Content("binary", b"the same each time"), strategy=strategy)
        for _ in range(3):
            self.store(Content("json", {"b": 1, "a": [1.0]}), strategy="temporal_versioned")

    def overwrites(self):
        """New content at the place of old: of this turn, and of all before."""
        for strategy in ["direct", "key_based"]:
            for count in range(2):
                content = Content("json", {"over": [strategy, self.number, count]})
                self.store(content, strategy=strategy, key="over/and/over", query="?file_id=over")
        first = Content("binary", f"one of two {self.number}".encode())
        name = f"?file_id=two-{self.number}"
        self.store(first, strategy="key_based", key="shared", query=name)
        second = Content("binary", f"two of two {self.number}".encode())
        entry = self.store(second, strategy="key_based", key="shared", query=name)
        # The files go for both; what is left of the first must look the same to both services.
        self.delete(entry)

    def archives(self):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.txt", f"archive {self.number}")
            archive.writestr("folder/é.bin", b"\x00" * 1000)
        path = f"/turns/direct/zip/store/archives/archive-{self.number}"
        answer = self.api.change("POST", path, packed.getvalue(), BYTES)
        members = {"a.txt": f"archive {self.number}".encode()}
        entry = self.ledger.stored("turns", answer, Content("binary", packed.getvalue()))
        self.ledger.archives[entry.id] = members

    def change(self, entries):
        """Updates, child data and deletes on entries of one or more turns."""
        alone = [entry for entry in entries if self.is_alone(entry)]
        of_kind = {"string": [], "json": [], "binary": []}
        for entry in alone:
            of_kind[self.ledger.content(entry).kind].append(entry)
        tag = f"{self.number} of {len(entries)}"
        for kind, fresh in [
            ("string", lambda i: Content("string", f"updated {tag} {i} é")),
            ("json", lambda i: Content("json", DOCUMENT | {"updated": [tag, i]})),
            ("binary", lambda i: Content("binary", f"\0updated {tag} {i}".encode())),
        ]:
            for index, entry in enumerate(of_kind[kind][::4]):
                if not self.packed(entry):
                    self.update(entry, fresh(index))
        bytes_entries = [entry for entry in of_kind["binary"][1::6] if not self.packed(entry)]
        for entry in bytes_entries[:1]:
            self.update(entry, Content("string", f"a string over bytes {tag}"))
        with_children = [entry for entry in alone if self.ledger.children.get(entry.id)]
        for entry in with_children[::3]:
            child = next(iter(self.ledger.children[entry.id].values()))
            value = {"string": f"child update {tag}", "json": {"u": tag}, "binary": b"\xff"}
            changed = Child(child.type, child.key, child.file, value[child.type])
            self.child(entry, changed, "update")
            self.child(entry, Child("string", "late", f"t{self.number}", tag))
        for entry in with_children[1::5]:
            last = list(self.ledger.children[entry.id].values())[-1]
            self.delete_child(entry, last)
        if self.lists:
            for entry in with_children[2::7]:
                key = "some/key"
                path = f"/{entry.namespace}/cache/{entry.id}/data/delete/all/{key}"
                self.api.change("DELETE", path)
                for child in list(self.ledger.children[entry.id].values()):
                    if child.key == key:
                        self.ledger.child_gone(entry, child)
        for entry in alone[5::9]:
            # The Python service looks for those without a namespace in `default`, and finds nothing.
            if entry.namespace != NAMELESS:
                self.delete(entry)

    def is_alone(self, entry):
        """Whether no other entry was ever stored over the same files, and it is no archive."""
        same = [e for e in self.ledger.entries.values() if e.place == entry.place]
        return len(same) == 1 and entry.id not in self.ledger.archives

    def packed(self, entry):
        return self.ledger.content(entry).coding == "gzip"


def sent(content):
    """The body and headers that carry a content."""
    if content.kind == "binary":
        coding = {"content-encoding": content.coding} if content.coding else {}
        return content.value, BYTES | coding
    return written(content.value), JSON


def cleaned(namespace):
    """A namespace as both services store it."""
    text = urllib.parse.unquote(namespace).strip()
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in text)
