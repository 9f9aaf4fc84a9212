"""Finds the client's classes by introspection, and records which of their methods the tests call.

A method counts as exercised when a test called it *directly* and it gave a result. Calls that the
client makes to itself do not count, so no method is covered by accident.
"""

import functools
import importlib
import inspect
import pkgutil
import threading

import mgraph_ai_service_cache_client.client as client_package

# Modules of the package that are not part of what is driven, with the reason.
NOT_DRIVEN = {
    "mgraph_ai_service_cache_client.client.cache_service.register_cache_service":
        "functions only; `register_cache_service__remote` sets up every run",
    "mgraph_ai_service_cache_client.client.requests.Cache__Service__Fast_API__Client__Requests":
        "commented out from the first line to the last",
    "mgraph_ai_service_cache_client.client.decorator._previous.Cache__Decorator":
        "superseded, and it imports a module that the package does not have any more",
    "mgraph_ai_service_cache_client.client.decorator._previous.Cache__Decorator__Key__Generator":
        "superseded with it",
}


def client_classes():
    """Every class with public methods of its own in the client package."""
    classes = []
    prefix = client_package.__name__ + "."
    for found in pkgutil.walk_packages(client_package.__path__, prefix):
        if found.name in NOT_DRIVEN:
            continue
        module = importlib.import_module(found.name)
        for value in vars(module).values():
            if inspect.isclass(value) and value.__module__ == found.name and public_methods(value):
                classes.append(value)
    return classes


def public_methods(cls):
    return [
        name
        for name, value in vars(cls).items()
        if not name.startswith("_") and inspect.isfunction(value)
    ]


class Recorder:
    """Wraps every public method of the classes; `seen` says what came back, by method."""

    def __init__(self, classes):
        self.methods = {}
        self._depth = threading.local()
        for cls in classes:
            for name in public_methods(cls):
                self.methods[f"{cls.__name__}.{name}"] = None
                type.__setattr__(cls, name, self._wrapped(cls, name))

    def _wrapped(self, cls, name):
        method = vars(cls)[name]
        key = f"{cls.__name__}.{name}"

        @functools.wraps(method)
        def wrapper(*args, **kwargs):
            depth = getattr(self._depth, "value", 0)
            self._depth.value = depth + 1
            outcome = "error"
            try:
                result = method(*args, **kwargs)
                outcome = "nothing" if result is None else "result"
                return result
            finally:
                self._depth.value = depth
                if depth == 0 and self.methods[key] != "result":
                    self.methods[key] = outcome

        return wrapper

    def missed(self, broken):
        """What is not exercised, and what is wrongly listed as broken."""
        problems = []
        for method, outcome in self.methods.items():
            if outcome is None:
                problems.append(f"{method}: no test calls it")
            elif method in broken and outcome == "result":
                problems.append(f"{method}: listed as broken, but it gave a result")
            elif method not in broken and outcome != "result":
                problems.append(f"{method}: no call of it gave a result")
        problems += [f"{method}: listed as broken, but it is not there"
                     for method in broken if method not in self.methods]
        return problems
