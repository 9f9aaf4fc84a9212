"""What the tests share: the client in remote mode, plain HTTP beside it, and a fresh namespace."""

import hashlib
import json
import unittest
import uuid

import requests
from mgraph_ai_service_cache_client.client.cache_client.Cache__Service__Client import (
    Cache__Service__Client,
)
from mgraph_ai_service_cache_client.client.cache_service.register_cache_service import (
    register_cache_service__remote,
)
from mgraph_ai_service_cache_client.schemas.cache.enums.Enum__Cache__Data_Type import (
    Enum__Cache__Data_Type,
)
from mgraph_ai_service_cache_client.schemas.cache.enums.Enum__Cache__Store__Strategy import (
    Enum__Cache__Store__Strategy,
)

JSON = Enum__Cache__Data_Type.JSON
STRING = Enum__Cache__Data_Type.STRING
BINARY = Enum__Cache__Data_Type.BINARY
DIRECT = Enum__Cache__Store__Strategy.DIRECT
KEY_BASED = Enum__Cache__Store__Strategy.KEY_BASED
STRATEGIES = list(Enum__Cache__Store__Strategy)

UNKNOWN_ID = "11111111-2222-4333-8444-555555555555"
UNKNOWN_HASH = "0123456789abcdef"


class Target:
    """The server under test."""

    base_url = None
    key_name = None
    key_value = None
    is_upstream = False
    quirks_seen = set()

    @classmethod
    def set(cls, base_url, key_name, key_value, is_upstream):
        cls.base_url = base_url
        cls.key_name = key_name
        cls.key_value = key_value
        cls.is_upstream = is_upstream
        register_cache_service__remote(
            base_url=base_url, api_key_name=key_name, api_key_value=key_value
        )


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.client = Cache__Service__Client()
        self.namespace = f"client-{uuid.uuid4().hex[:12]}"

    def http(self, method, path, **options):
        """A request as the client would send it, if it could."""
        headers = {Target.key_name: Target.key_value} | options.pop("headers", {})
        return requests.request(method, Target.base_url + path, headers=headers, timeout=30, **options)

    def fixed(self, quirk, larder, upstream):
        """What is expected where Larder deliberately does not do what the reference server does."""
        if Target.is_upstream:
            Target.quirks_seen.add(quirk)
            return upstream
        return larder

    # Short forms of what most tests begin with.

    def stored_string(self, text="a string", strategy=DIRECT):
        return self.client.store().store__string(
            strategy=strategy, namespace=self.namespace, body=text
        )

    def stored_json(self, document=None, strategy=DIRECT):
        return self.client.store().store__json(
            strategy=strategy, namespace=self.namespace, body=document or {"b": [1, 2.5], "a": "é"}
        )

    def stored_binary(self, content=b"\x00\xff\xfe bytes", strategy=DIRECT):
        return self.client.store().store__binary(
            strategy=strategy, namespace=self.namespace, body=content
        )

    def assert_uuid(self, text):
        self.assertEqual(str(uuid.UUID(str(text))), str(text))


def text_hash(content):
    content = content.encode() if isinstance(content, str) else content
    return hashlib.sha256(content).hexdigest()[:16]


def json_hash(document):
    return text_hash(json.dumps(document, sort_keys=True))
