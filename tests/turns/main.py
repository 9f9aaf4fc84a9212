"""Lets the Python service and the binary take turns on one store, and compares what they find."""

import argparse
import collections
import contextlib
import os
import pathlib
import signal
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

import known  # noqa: E402
import reading  # noqa: E402
import server  # noqa: E402
import upstream  # noqa: E402
from api import Api, Refused  # noqa: E402
from ledger import Ledger  # noqa: E402
from stores import ENDPOINT, STORES, Damaged  # noqa: E402
from writing import Turn  # noqa: E402

# In the short form each service still changes what the other left: the second turn and the third.
WRITERS = ["python", "larder", "python"]
ALL_WRITERS = [*WRITERS, "larder"]
SHOWN = 20
# Of what need not be asked each time, one in so many is.
SHARE = 11
# The most the Python service is asked after one turn, in the short form: it takes ten milliseconds for
# each, and more than a hundred where it reads the whole archive for it.
QUESTIONS = {True: 60, False: 250}
# So that nothing rests on the two having one clock: hours in paths are those of the writer.
ELSEWHERE = {"TZ": "Asia/Tokyo"}


def main():
    arguments = parse_arguments()
    chosen = arguments.store or [name for name in STORES if name != "s3" or os.environ.get(ENDPOINT)]
    failed = [name for name in chosen if not try_store(name, arguments)]
    if "s3" not in chosen and not arguments.store:
        print(
            "NOT TRIED: s3, a bucket that both services share. To try it, name an S3 server:\n"
            f"    {ENDPOINT}=http://127.0.0.1:4566 AWS_ACCESS_KEY_ID=... "
            "AWS_SECRET_ACCESS_KEY=... AWS_REGION=us-east-1 tests/turns/run --store s3"
        )
    return 1 if failed else 0


def parse_arguments():
    parser = argparse.ArgumentParser(prog="tests/turns/run")
    parser.add_argument("--binary", default=server.RELEASE_BINARY, help="the server")
    parser.add_argument(
        "--store", action="append", choices=list(STORES), help="only this store; can be repeated"
    )
    parser.add_argument(
        "--everything", action="store_true",
        help="every kind of entry from each service, in one turn more, and more questions: minutes",
    )
    parser.add_argument("-v", dest="verbose", action="store_true", help="show every difference")
    arguments = parser.parse_args()
    if "s3" in (arguments.store or []) and not os.environ.get(ENDPOINT):
        print(f"tests/turns: s3 needs a server: set {ENDPOINT} to its URL, with the ordinary AWS "
              "variables for credentials and region", file=sys.stderr)
        sys.exit(2)
    return arguments


def try_store(name, arguments):
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        game = Game(STORES[name](folder), arguments.binary, arguments.everything)
        try:
            problems = game.play()
        except (Refused, Damaged, AssertionError) as error:
            problems = [f"{game.where}: {error}"]
        finally:
            game.store.close()
    seconds = time.monotonic() - started
    verdict = "FAILED" if problems else "whole in every turn"
    print(f"{name}: {verdict}. {game.summary()}, {seconds:.1f} s")
    for difference, count in game.differences.items():
        print(f"    {count:5} times known: {difference.reason}")
    for problem in problems if arguments.verbose else problems[:SHOWN]:
        print(f"    {problem}")
    if len(problems) > SHOWN and not arguments.verbose:
        print(f"    … and {len(problems) - SHOWN} more; -v shows all")
    return not problems


def other(service):
    return "larder" if service == "python" else "python"


class Game:
    """The turns on one store."""

    def __init__(self, store, binary, everything):
        self.store = store
        self.binary = binary
        self.everything = everything
        self.writers = ALL_WRITERS if everything else WRITERS
        self.ledger = Ledger()
        self.where = "start"
        self.asked = 0
        self.compared = 0
        self.passes = 0
        self.differences = collections.Counter()

    def play(self):
        """What went wrong, once the turn in which it did is over."""
        calls, answers = [], {}
        # Each first reads what the other left, and the last only does that.
        for number, reader in enumerate([*self.writers, other(self.writers[-1])], start=1):
            writes = number <= len(self.writers)
            with self.serving(reader) as api:
                if calls:
                    self.where = f"after turn {number - 1}, {reader} reads"
                    answers[reader] = self.read(api, calls, reader, other(reader))
                    problems = self.compare(answers["python"], answers["larder"])
                    if problems:
                        return [f"{self.where}: {problem}" for problem in problems]
                if writes:
                    self.where = f"turn {number}, {reader} writes"
                    lists = reader == "larder" or self.store.lists
                    Turn(api, self.ledger, number, lists, self.one_in(number)).take()
                    calls = list(reading.calls(self.ledger))
                    answers = {reader: self.read(api, calls, reader, reader)}
            self.store.check()
        return self.unseen() if self.everything else []

    def one_in(self, number):
        """Of everything there is to write, one in so many is written in this turn."""
        if not self.everything:
            return 4
        # Later turns are for what the two find of each other.
        if number > 2:
            return 4
        return 2 if self.store.slow else 1

    @contextlib.contextmanager
    def serving(self, who):
        settings = self.store.settings()
        if who == "python":
            service = upstream.running(settings | ELSEWHERE)
        else:
            service = server.larder(self.binary, settings)
        with service as base_url:
            yield Api(base_url)

    def read(self, api, calls, reader, writer):
        """The answers. Larder is asked everything each time. The Python service is asked for all that
        Larder may have left for it to find, and a share of the rest, another one each time; in the
        short form, for as much of that as there is time for."""
        self.passes += 1
        asked = calls
        if reader == "python":
            asked = [
                call
                for index, call in enumerate(calls)
                if (index + self.passes) % SHARE == 0
                or call.about in ("listing", "stats")
                or (call.content and writer == "larder")
            ]
            if not self.everything:
                step = -(-len(asked) // QUESTIONS[self.store.slow])
                asked = asked[self.passes % step :: step]
        return {call: api.get(call.path) for call in asked}

    def compare(self, python, larder):
        problems = []
        for call, ours in larder.items():
            self.asked += 1
            problem = call.problem(ours)
            if problem:
                problems.append(f"GET {call.path} of larder: {problem}")
            theirs = python.get(call)
            if theirs is None:
                continue
            self.compared += 1
            if known.same(theirs, ours):
                continue
            difference = known.explain(self.store.name, call, theirs, ours)
            if difference:
                self.differences[difference] += 1
            else:
                problems.append(f"GET {call.path}: python {theirs}; larder {ours}")
        return problems

    def unseen(self):
        """A difference that is listed and is none any more should be taken off the list."""
        return [
            f"listed as a known difference, but not seen: {difference.reason}"
            for difference in known.DIFFERENCES
            if self.store.name in difference.stores and difference not in self.differences
        ]

    def summary(self):
        children = sum(map(len, self.ledger.children.values()))
        return (
            f"{len(self.writers)} turns, {len(self.ledger.entries)} entries "
            f"({len(self.ledger.living())} not deleted), {children} children, "
            f"{self.asked} answers held to what was written, {self.compared} of them compared"
        )


if __name__ == "__main__":
    # So that a run that is told to stop stops its server too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main())
    except server.ServerFailed as error:
        sys.exit(f"tests/turns: {error}")
