"""Starts a server as a child process, waits until it answers, and stops it again.

Standard library only: the suites run this under interpreters of their own choice.
"""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

KEY_NAME = "X-API-Key"
KEY_VALUE = "black-box-key"

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
RELEASE_BINARY = TARGET / "release" / "larder"

# Settings of the machine that would change what is tested.
FOREIGN_SETTINGS = ("CACHE__SERVICE__", "FAST_API__", "AWS_", "URL__TARGET_", "AUTH__TARGET_")

START_SECONDS = 60
STOP_SECONDS = 30


class ServerFailed(Exception):
    """The server did not start, died, or did not stop as it should."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def clean_environment():
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(FOREIGN_SETTINGS)
    }


@contextlib.contextmanager
def larder(binary, settings=None):
    """Runs the binary in memory mode with a key; yields its base URL.

    It must drain and exit with 0 on SIGTERM, or the run has failed.
    """
    binary = pathlib.Path(binary).resolve()
    if not binary.is_file():
        raise ServerFailed(f"there is no binary at {binary}: build it, or name one with --binary")
    port = free_port()
    environment = clean_environment() | {
        "CACHE__SERVICE__STORAGE_MODE": "memory",
        "CACHE__SERVICE__LISTEN": f"127.0.0.1:{port}",
        "CACHE__SERVICE__LOG_LEVEL": "warn",
        "FAST_API__AUTH__API_KEY__NAME": KEY_NAME,
        "FAST_API__AUTH__API_KEY__VALUE": KEY_VALUE,
    } | (settings or {})
    base_url = f"http://127.0.0.1:{port}"
    with running([str(binary)], environment, f"{base_url}/livez") as process:
        yield base_url
        stop(process)
        if process.returncode != 0:
            raise ServerFailed(f"the server exited with {process.returncode} after SIGTERM, not 0")


@contextlib.contextmanager
def running(command, environment, ready_url):
    """Runs a command until the block ends, from an empty folder (so that no `.env` is found)."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command, env=environment, cwd=folder, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            wait_until_ready(process, ready_url)
            yield process
        except Exception:
            log.seek(0)
            print("--- end of the server's output ---")
            print(log.read().decode(errors="replace")[-4000:])
            raise
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def wait_until_ready(process, url):
    deadline = time.monotonic() + START_SECONDS
    request = urllib.request.Request(url, headers={KEY_NAME: KEY_VALUE})
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServerFailed(f"the server exited with {process.returncode} while starting")
        try:
            with urllib.request.urlopen(request, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise ServerFailed(f"{url} did not answer within {START_SECONDS} s")


def stop(process):
    if process.poll() is not None:
        raise ServerFailed(f"the server died with {process.returncode} during the tests")
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        raise ServerFailed(f"the server was still running {STOP_SECONDS} s after SIGTERM") from None
