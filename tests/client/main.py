"""Starts a server, runs the tests against it, and fails if a method of the client was left out."""

import argparse
import pathlib
import signal
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

import server  # noqa: E402
from broken import BROKEN  # noqa: E402
from case import Target  # noqa: E402
from record import Recorder, client_classes  # noqa: E402


def main():
    arguments = parse_arguments()
    started = time.monotonic()
    recorder = Recorder(client_classes())
    with running_server(arguments) as base_url:
        Target.set(base_url, server.KEY_NAME, server.KEY_VALUE, arguments.upstream)
        result = run_tests(arguments)
    problems = [] if arguments.only else recorder.missed(BROKEN)
    report(recorder, problems, time.monotonic() - started)
    return 0 if result.wasSuccessful() and not problems else 1


def parse_arguments():
    parser = argparse.ArgumentParser(prog="tests/client/run")
    parser.add_argument("--binary", default=server.RELEASE_BINARY, help="the server")
    parser.add_argument(
        "--upstream",
        action="store_true",
        help="test the reference server instead, to see that the tests expect what it does",
    )
    parser.add_argument("-k", dest="only", action="append", help="only tests with this name")
    parser.add_argument("-v", dest="verbose", action="store_true")
    return parser.parse_args()


def running_server(arguments):
    if arguments.upstream:
        import upstream

        return upstream.running()
    return server.larder(arguments.binary)


def run_tests(arguments):
    loader = unittest.TestLoader()
    loader.testNamePatterns = arguments.only and [f"*{name}*" for name in arguments.only]
    tests = loader.discover(str(HERE), pattern="test_*.py", top_level_dir=str(HERE))
    return unittest.TextTestRunner(verbosity=2 if arguments.verbose else 1).run(tests)


def report(recorder, problems, seconds):
    exercised = sum(outcome is not None for outcome in recorder.methods.values())
    print(f"{exercised} of {len(recorder.methods)} client methods exercised", end="")
    print(f", {len(BROKEN)} of them broken in the client itself, {seconds:.1f} s")
    if Target.quirks_seen:
        quirks = ", ".join(map(str, sorted(Target.quirks_seen)))
        print(f"the reference server was allowed its own answer for quirks {quirks}")
    for problem in problems:
        print(f"FAILED: {problem}")


if __name__ == "__main__":
    # So that a run that is told to stop stops its server too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main())
    except server.ServerFailed as error:
        sys.exit(f"tests/client: {error}")
