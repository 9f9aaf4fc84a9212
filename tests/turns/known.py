"""The differences between the two services that there are on purpose: each with its reason, and each
checked, so that nothing hides behind it. What Larder answers is held to the ledger in any case."""

import dataclasses
import json
import typing

EMBEDDED = {"local_disk", "sqlite", "zip"}
S3 = {"s3"}


@dataclasses.dataclass(frozen=True)
class Difference:
    reason: str
    stores: frozenset
    is_it: typing.Callable  # (call, python, larder) -> bool


def plain(answer):
    """An answer without what is new in each: the time and the id of an error."""
    if not answer.content_type.startswith("application/json"):
        return answer.body
    try:
        document = answer.json()
    except ValueError:
        return answer.body
    detail = document.get("detail") if isinstance(document, dict) else None
    if isinstance(detail, dict):
        for name in ["timestamp", "request_id"]:
            if name in detail:
                detail[name] = None
        return json.dumps(document)
    return answer.body


def same(python, larder):
    return (python.status, python.content_type, plain(python)) == (
        larder.status, larder.content_type, plain(larder))


def bare_string(call, python, larder):
    return call.bare and python.status == 500 and larder.status in (200, 415)


def no_listing(call, python, larder):
    asked = call.about in ("listing", "children")
    return asked and python.status == 500 and larder.status == 200


def statistics(call, python, larder):
    if call.about != "stats" or larder.status != 200:
        return False
    counts = larder.json()
    if python.status == 500:
        return counts["total_files"] > 0
    theirs = python.json()
    whole_server = {value for name, value in theirs.items() if name.endswith("_files")}
    return list(theirs) == list(counts) and len(whole_server) == 2


def sizes(call, python, larder):
    """Zero in the one, the length of the content file in the other, all else equal."""
    if python.status != 200 or larder.status != 200 or call.entry is None:
        return False
    try:
        theirs, ours = python.json(), larder.json()
    except ValueError:
        return False
    found = set()
    for one, other in [(theirs, ours), (theirs.get("metadata"), ours.get("metadata"))]:
        for name in ["size", "content_size"]:
            if isinstance(one, dict) and name in one and one[name] == 0:
                one[name] = other[name]
                found.add(other[name])
    return json.dumps(theirs) == json.dumps(ours) and len(found) == 1 and found != {0}


def nameless_namespace(call, python, larder):
    """It looks for hashes, and converts to JSON, in `default`, where nothing is."""
    if not call.path.startswith("/%20/") or larder.status not in (200, 415):
        return False
    if call.about == "listing":
        return python.status == 200 and python.json() == []
    by_hash = call.path.startswith("/%20/retrieve/hash/")
    return python.status == 404 and (by_hash or call.path.endswith("/json"))


def order_of_children(call, python, larder):
    if call.about != "children" or python.status != 200 or larder.status != 200:
        return False
    theirs, ours = python.json(), larder.json()
    for document in (theirs, ours):
        document["files"].sort(key=lambda file: file["file_path"])
    return theirs == ours


DIFFERENCES = [
    Difference(
        "strings are stored, but cannot be read back by the Python service here: 500",
        frozenset(EMBEDDED), bare_string),
    Difference(
        "the Python service has no listings here: 500", frozenset(EMBEDDED), no_listing),
    Difference(
        "the Python service counts the whole server as each namespace, or fails",
        frozenset(EMBEDDED | S3), statistics),
    Difference(
        "sizes in metadata are 0 in the Python service's answers", frozenset(EMBEDDED | S3), sizes),
    Difference(
        "some reads of the namespace without a name look in `default` in the Python service",
        frozenset(EMBEDDED | S3), nameless_namespace),
    Difference(
        "children are listed in another order", frozenset(S3), order_of_children),
]


def explain(store, call, python, larder):
    """The known difference that two unequal answers are, if any."""
    for difference in DIFFERENCES:
        if store in difference.stores and difference.is_it(call, python, larder):
            return difference
    return None
