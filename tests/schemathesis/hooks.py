"""Gives the generated requests something to hit, and counts them.

Random ids find nothing, so left to itself the fuzzer would test little beyond 404. Before a case is
sent, its path parameters are therefore exchanged, in two of three cases, for those of things that
exist; query, body and the rest stay as generated. What exists is made here, again whenever a
request may have destroyed it. The choice depends only on the order of the cases.
"""

import atexit
import collections
import gzip
import io
import itertools
import json
import os
import zipfile

import requests
import schemathesis

URL = os.environ["LARDER_URL"]
SESSION = requests.Session()
SESSION.headers[os.environ["LARDER_KEY_NAME"]] = os.environ["LARDER_KEY_VALUE"]

NAMESPACE = "fuzzed"
CHILD = "child"
CHILD_KEY = "some/key"
MEMBER = "docs/member.txt"


def post(path, content, **headers):
    answer = SESSION.post(
        URL + path, data=content, headers={name.replace("_", "-"): v for name, v in headers.items()}
    )
    answer.raise_for_status()
    return answer.json()


def archive():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        # A fixed date, so that runs are alike.
        file.writestr(zipfile.ZipInfo(MEMBER), b"text")
    return buffer.getvalue()


# One maker for each kind of entry; the body of each is a little different from the others'.
OCTETS = {"content_type": "application/octet-stream"}
KINDS = {
    "json": lambda base: post(f"{base}/store/json", b'{"html":"<p>x</p>","n":1.0}', content_type="application/json"),
    "string": lambda base: post(f"{base}/store/string", "tëxt".encode(), content_type="text/plain"),
    "json string": lambda base: post(f"{base}/store/string", b"[1,2.50,null]", content_type="text/plain"),
    "binary": lambda base: post(f"{base}/store/binary", b"\x00\xff", **OCTETS),
    "gzip": lambda base: post(f"{base}/store/binary", gzip.compress(b"[1]", mtime=0), content_encoding="gzip", **OCTETS),
    "archive": lambda base: post(f"{base}/zip/store/archives/a", archive(), **OCTETS),
}
STRATEGIES = ["direct", "temporal", "temporal_latest", "temporal_versioned", "key_based"]


class World:
    """What exists, by kind."""

    def __init__(self):
        self.entries = {}
        self.turns = itertools.count()

    def parameters(self, path, turn):
        """Parameters of an entry that exists, and of what hangs under it."""
        kinds = ["archive"] if "/zip/" in path and turn % 5 else list(KINDS)
        # Of coprime lengths, so that all combinations come up.
        kind = kinds[turn % len(kinds)]
        strategy = STRATEGIES[turn % len(STRATEGIES)]
        entry = self.entries.get(kind) or self.make(kind, strategy)
        return {
            "namespace": NAMESPACE,
            "cache_id": entry["cache_id"],
            "cache_hash": entry["cache_hash"],
            "data_key": CHILD_KEY,
            "data_file_id": CHILD,
            "file_path": MEMBER,
            "path": self.storage_path(entry, path, turn),
        }

    def make(self, kind, strategy):
        entry = KINDS[kind](f"/{NAMESPACE}/{strategy}")
        data = f"/{NAMESPACE}/cache/{entry['cache_id']}/data/store"
        for key in ["", f"{CHILD_KEY}/"]:
            post(f"{data}/string/{key}{CHILD}", b"x", content_type="text/plain")
            post(f"{data}/json/{key}{CHILD}", b'{"x":1}', content_type="application/json")
            post(f"{data}/binary/{key}{CHILD}", b"\xff", **OCTETS)
        self.entries[kind] = entry
        return entry

    @staticmethod
    def storage_path(entry, path, turn):
        files = [file for files in entry["paths"].values() for file in files]
        if "/files/" in path or "/folders/" in path:
            files = [NAMESPACE, f"{NAMESPACE}/data", *(file.rsplit("/", 1)[0] for file in files)]
        return files[turn % len(files)]

    def forget(self):
        self.entries.clear()


WORLD = World()


@schemathesis.hook
def before_call(context, case, kwargs):
    # What is judged is the answer itself, not what it leads to.
    kwargs["allow_redirects"] = False
    turn = next(WORLD.turns)
    if not case.path_parameters or turn % 3 == 0:
        return
    known = WORLD.parameters(case.path, turn)
    # Every other time only what says which entry it is, so that odd names meet real entries.
    names = ["namespace", "cache_id"] if turn % 3 == 1 and turn % 2 else list(known)
    for name in names:
        if name in case.path_parameters:
            case.path_parameters[name] = known[name]
    if case.method == "DELETE":
        WORLD.forget()


class Tally:
    """How many requests were sent, and how they were answered."""

    by_status = collections.Counter()
    operations = set()

    @classmethod
    def write(cls):
        with open(os.environ["LARDER_TALLY"], "w", encoding="utf-8") as file:
            by_status = dict(sorted(cls.by_status.items()))
            json.dump({"by_status": by_status, "operations": len(cls.operations)}, file)


@schemathesis.hook
def after_call(context, case, response):
    Tally.by_status[response.status_code] += 1
    Tally.operations.add(case.operation.label)


atexit.register(Tally.write)
