"""Starts the binary, lets schemathesis loose on it, and counts.

It fails if schemathesis finds something, if fewer than MIN_CASES requests were judged, or if the
server does not drain with exit status 0 afterwards.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import signal
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

import server  # noqa: E402

# Of an operation, beside the fixed cases of the coverage phase.
EXAMPLES = 50
MIN_CASES = 5_000
SEED = 2014
TIME_LIMIT_SECONDS = 900

CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
]


def main():
    arguments = parse_arguments()
    report = server.TARGET / "schemathesis"
    # Empty, so that nothing is remembered from one run to the next.
    shutil.rmtree(report, ignore_errors=True)
    report.mkdir(parents=True)
    started = time.monotonic()
    with server.larder(arguments.binary) as base_url:
        found_nothing = fuzz(arguments, base_url, report)
    tally = json.loads((report / "tally.json").read_text())
    cases = sum(tally["by_status"].values())
    print(f"seed {arguments.seed}: {cases} cases, {tally['operations']} operations, ", end="")
    print(f"{time.monotonic() - started:.0f} s; by status: {tally['by_status']}")
    if not found_nothing:
        print("FAILED: see above; every finding becomes a regression test")
    elif cases < MIN_CASES and not arguments.operation:
        print(f"FAILED: fewer than {MIN_CASES} cases ran")
        found_nothing = False
    return 0 if found_nothing else 1


def parse_arguments():
    parser = argparse.ArgumentParser(prog="tests/schemathesis/run")
    parser.add_argument("--binary", default=server.RELEASE_BINARY, help="the server")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--examples", type=int, default=EXAMPLES, help="of an operation")
    parser.add_argument("--operation", help="only operations whose path contains this")
    return parser.parse_args()


def fuzz(arguments, base_url, report):
    """Runs schemathesis; its own output says what it found, with a curl command for each."""
    environment = server.clean_environment() | {
        "SCHEMATHESIS_HOOKS": "hooks",
        "PYTHONPATH": str(HERE),
        "LARDER_URL": base_url,
        "LARDER_KEY_NAME": server.KEY_NAME,
        "LARDER_KEY_VALUE": server.KEY_VALUE,
        "LARDER_TALLY": str(report / "tally.json"),
    }
    command = [
        sys.executable, "-m", "schemathesis.cli",
        "--config-file", str(HERE / "schemathesis.toml"),
        "run", f"{base_url}/openapi.json",
        "--header", f"{server.KEY_NAME}: {server.KEY_VALUE}",
        "--checks", ",".join(CHECKS),
        "--seed", str(arguments.seed),
        "--max-examples", str(arguments.examples),
        # Cases follow each other in one order only if one worker sends them.
        "--workers", "1",
    ]  # fmt: skip
    if arguments.operation:
        command += ["--include-path-regex", arguments.operation]
    return subprocess.run(command, env=environment, cwd=report, timeout=TIME_LIMIT_SECONDS).returncode == 0


if __name__ == "__main__":
    # So that a run that is told to stop stops its server too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main())
    except server.ServerFailed as error:
        sys.exit(f"tests/schemathesis: {error}")
    except subprocess.TimeoutExpired:
        sys.exit(f"tests/schemathesis: not finished after {TIME_LIMIT_SECONDS} s")
