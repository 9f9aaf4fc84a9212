"""Plain HTTP to one service: paths go out as they are given, which a client library would tidy."""

import dataclasses
import http.client
import json
import urllib.parse

import server

TIMEOUT_SECONDS = 60


@dataclasses.dataclass(frozen=True)
class Answer:
    status: int
    content_type: str
    body: bytes

    def json(self):
        return json.loads(self.body)

    def __str__(self):
        return f"{self.status} {self.content_type} {self.body[:300]!r}"


class Refused(Exception):
    """A write that had to succeed was answered otherwise, or a call not at all."""


class Api:
    def __init__(self, base_url):
        self.address = urllib.parse.urlsplit(base_url).netloc
        self.connection = http.client.HTTPConnection(self.address, timeout=TIMEOUT_SECONDS)

    def call(self, method, path, body=None, headers=None):
        headers = {server.KEY_NAME: server.KEY_VALUE} | (headers or {})
        try:
            self.connection.request(method, path, body, headers)
            response = self.connection.getresponse()
            content = response.read()
        except (http.client.HTTPException, OSError) as error:
            self.connection.close()
            raise Refused(f"{method} {path}: {error!r}") from error
        if response.status == 500:
            # The Python service ends the connection after some of them, without saying so.
            self.connection.close()
        return Answer(response.status, response.getheader("content-type", ""), content)

    def get(self, path):
        return self.call("GET", path)

    def change(self, method, path, body=None, headers=None):
        """A write, which must be answered with 200; its answer's JSON."""
        answer = self.call(method, path, body, headers)
        if answer.status != 200:
            raise Refused(f"{method} {path}: {answer}")
        return answer.json()
