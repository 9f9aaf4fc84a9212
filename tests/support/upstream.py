"""The reference server as a child process: in memory mode, unless settings say otherwise."""

import contextlib
import sys

import server

PROGRAM = """
import sys
import uvicorn
from mgraph_ai_service_cache.fast_api.Cache_Service__Fast_API import Cache_Service__Fast_API
app = Cache_Service__Fast_API().setup().app()
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
"""


@contextlib.contextmanager
def running(settings=None):
    port = server.free_port()
    environment = server.clean_environment() | {
        "CACHE__SERVICE__STORAGE_MODE": "memory",
        "FAST_API__AUTH__API_KEY__NAME": server.KEY_NAME,
        "FAST_API__AUTH__API_KEY__VALUE": server.KEY_VALUE,
    } | (settings or {})
    base_url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, str(port)]
    with server.running(command, environment, f"{base_url}/info/health") as process:
        yield base_url
        server.stop(process)
