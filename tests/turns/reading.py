"""Everything that can be asked about the entries of a ledger, and what the answers must hold."""

import dataclasses
import json
import typing
import urllib.parse

from ledger import parsed
from writing import NAMESPACES, cleaned


@dataclasses.dataclass(frozen=True, eq=False)
class Call:
    path: str
    # What is asked for: the known differences are said of these.
    about: str
    # What is wrong with an answer, as far as the ledger knows.
    problem: typing.Callable = lambda answer: None
    entry: object = None
    # Whether the answer goes through a content file that holds a bare JSON string.
    bare: bool = False
    # Whether the content itself, or the list of its versions, is asked for.
    content: bool = False


def calls(ledger):
    for entry in ledger.entries.values():
        yield from of_entry(ledger, entry)
    for (namespace, cache_hash), ids in ledger.hashes.items():
        yield from of_hash(ledger, namespace, cache_hash, ids)
    for namespace in NAMESPACES:
        yield from of_namespace(ledger, namespace)
    yield Call("/namespaces/list", "listing", equals(first_segments(ledger)))
    yield Call("/server/storage/info", "info", status(200))


def of_entry(ledger, entry):
    base = f"/{entry.namespace}/retrieve/{entry.id}"
    content = ledger.content(entry)
    yield Call(f"/{entry.namespace}/exists/id/{entry.id}", "record",
               holds({"exists": not entry.deleted}))
    # After a delete by another id at the same place: both must say the same, whatever it is.
    open_end = not entry.deleted and content is None
    gone = status(404)
    bare = content is not None and content.is_bare()
    yield from of_content(base, entry, content, gone, open_end, bare)
    # The last has the side files as well.
    for suffix in ["config", "metadata", "refs", "refs/all"]:
        expected = gone if entry.deleted else None if open_end else status(200)
        yield Call(f"{base}/{suffix}", "record", expected or Call.problem, entry)
    for copy, path in enumerate(entry.content_files):
        yield raw(path, entry, first=copy == 0)
    if entry.id in ledger.archives:
        archive = f"/{entry.namespace}/zip/{entry.id}"
        yield Call(f"{archive}/retrieve", "archive", body(content.value))
        yield Call(f"{archive}/files/list", "archive", holds({"success": True}))
        for member, expected in ledger.archives[entry.id].items():
            yield Call(f"{archive}/file/retrieve/{member}", "archive", body(expected))
    children = ledger.children.get(entry.id, {})
    data = f"/{entry.namespace}/cache/{entry.id}/data"
    if entry.deleted:
        yield Call(f"{data}/string/text", "child", status(404))
    for child in children.values():
        known = body(child.plain()) if child.type != "json" else document(child.value)
        yield Call(f"{data}/{child.type}/{child.path()}", "child", known, content=True)
        yield Call(f"{data}/exists/{child.type}/{child.path()}", "child", holds({"exists": True}))
    yield Call(f"{data}/exists/string/absent", "child", holds({"exists": False}))
    if not entry.deleted and not open_end:
        copies = len(entry.content_files)
        count = None if shares(ledger, entry) else len(children) * copies
        yield Call(f"{data}/list", "children", status(200) if count is None else
                   holds({"file_count": count}), entry)


def of_content(base, entry, content, gone, open_end, bare):
    if entry is not None and entry.deleted or content is None:
        problem = Call.problem if open_end else gone
        for suffix in ["", "/string", "/json", "/binary"]:
            yield Call(base + suffix, "content", problem, entry)
        return
    kind = "json" if content.coding and parsed(content.plain()) is not None else content.kind
    yield Call(base, "entry", holds({"data_type": kind}), entry, bare)
    yield Call(f"{base}/binary", "content", body(content.plain()), entry, bare, not bare)
    text = Call.problem if kind == "binary" else body(content.plain())
    yield Call(f"{base}/string", "content", text, entry, bare)
    value = document(parsed(content.plain())) if kind == "json" else Call.problem
    yield Call(f"{base}/json", "content", value, entry, bare)


def of_hash(ledger, namespace, cache_hash, ids):
    base = f"/{namespace}/retrieve/hash/{cache_hash}"
    yield Call(f"/{namespace}/exists/hash/{cache_hash}", "record", holds({"exists": bool(ids)}))
    if not ids:
        for suffix in ["", "/string", "/json", "/binary", "/metadata", "/refs-hash", "/cache-id"]:
            yield Call(base + suffix, "record", status(404))
        return
    latest = ledger.entries[ids[-1]]
    content = ledger.content(latest)
    bare = content is not None and content.is_bare()
    yield from of_content(base, latest, content, status(404), content is None, bare)
    yield Call(f"{base}/metadata", "metadata of hash", Call.problem, latest, bare)
    yield Call(f"{base}/refs-hash", "record", versions(ids), content=True)
    yield Call(f"{base}/cache-id", "record", holds({"cache_id": ids[-1]}))


def of_namespace(ledger, namespace):
    ids = sorted(entry.id for entry in ledger.living() if entry.namespace == namespace)
    hashes = sorted(h for (space, h), found in ledger.hashes.items() if space == namespace and found)
    yield Call(f"/{namespace}/file-ids", "listing", equals(ids))
    yield Call(f"/{namespace}/file-hashes", "listing", equals(hashes))
    yield Call(f"/{namespace}/stats", "stats", holds({"namespace": cleaned(namespace)}))


def raw(path, entry, first):
    """The file itself, each copy. (`/admin/storage/file/bytes` is 200 and empty without a file.)"""
    path = f"/admin/storage/file/bytes/{urllib.parse.quote(path)}"
    return Call(path, "raw", status(200), entry, content=first)


def shares(ledger, entry):
    """Whether others have, or had, the same data folder."""
    stem = entry.place.rsplit(".", 1)[0]
    same = [e for e in ledger.entries.values() if e.place.rsplit(".", 1)[0] == stem]
    return len(same) > 1


def first_segments(ledger):
    names = {cleaned(entry.namespace) for entry in ledger.entries.values()}
    root = {"data", "refs"} if "" in names else set()
    return sorted((names - {""}) | root)


# What must hold of an answer.


def status(expected):
    def problem(answer):
        return None if answer.status == expected else f"not {expected}: {answer}"
    return problem


def body(expected):
    def problem(answer):
        if answer.status == 200 and answer.body == expected:
            return None
        return f"not the {len(expected)} bytes {expected[:120]!r}: {answer}"
    return problem


def answered_json(check):
    def problem(answer):
        if answer.status != 200:
            return f"not 200: {answer}"
        return check(answer.json(), answer)
    return problem


def document(expected):
    # As text: numbers of other kinds are equal in Python, and the order of keys counts.
    def check(found, answer):
        same = json.dumps(found) == json.dumps(expected)
        return None if same else f"not {json.dumps(expected)[:300]}: {answer}"
    return answered_json(check)


def equals(expected):
    def check(found, answer):
        return None if found == expected else f"not {str(expected)[:300]}: {answer}"
    return answered_json(check)


def holds(members):
    def check(found, answer):
        same = all(found.get(name) == value for name, value in members.items())
        return None if same else f"does not have {members}: {answer}"
    return answered_json(check)


def versions(ids):
    def check(found, answer):
        listed = [version["cache_id"] for version in found["cache_ids"]]
        good = listed == ids and found["latest_id"] == ids[-1]
        good = good and found["total_versions"] == len(ids)
        return None if good else f"does not have the versions {ids}: {answer}"
    return answered_json(check)
