"""What the client builds on its own methods: entities, the caching decorator, the test helpers."""

from case import DIRECT, JSON, KEY_BASED, STRATEGIES, STRING, UNKNOWN_HASH, UNKNOWN_ID, Case, text_hash
from mgraph_ai_service_cache_client.client.client_entities.Cache__Entity import Cache__Entity
from mgraph_ai_service_cache_client.client.client_entities.Cache__Entity__Json_File import (
    Cache__Entity__Json_File,
)
from mgraph_ai_service_cache_client.client.decorator.Cache__Decorator import cache_response
from mgraph_ai_service_cache_client.client.decorator.cache_operations.Cache__Decorator__Operations import (
    Cache__Decorator__Operations,
)
from mgraph_ai_service_cache_client.client.decorator.cache_operations.Cache__Key__Builder import (
    Cache__Key__Builder,
)
from mgraph_ai_service_cache_client.client.decorator.Decorator__Cache import Decorator__Cache
from mgraph_ai_service_cache_client.client.decorator.schemas.Schema__Cache__Decorator__Config import (
    Schema__Cache__Decorator__Config,
)
from mgraph_ai_service_cache_client.client.testing.Cache_Client_Test_Helpers import (
    Cache_Client_Test_Helpers,
)


class Entity(Case):
    def setUp(self):
        super().setUp()
        self.stored = self.stored_json({"a": 1})
        self.entity = Cache__Entity(
            cache_client=self.client, cache_id=self.stored.cache_id, namespace=self.namespace
        )
        self.nobody = Cache__Entity(
            cache_client=self.client, cache_id=UNKNOWN_ID, namespace=self.namespace
        )

    def test_the_entry(self):
        self.assertEqual(self.entity.entry__json(), {"a": 1})
        self.assertEqual(self.entity.entry__json__obj().a, 1)
        entry = self.entity.entry__with_metadata().json()
        self.assertEqual((entry["data"], entry["data_type"]), ({"a": 1}, "json"))
        self.assertEqual(self.entity.metadata().data.cache_id, self.stored.cache_id)
        self.assertEqual(self.entity.refs().json()["all_paths"], self.stored.json()["paths"])
        self.assertTrue(self.entity.exists())
        self.assertFalse(self.nobody.exists())

    def test_its_hash(self):
        self.assertEqual(self.entity.cache__hash(), self.stored.cache_hash)
        self.assertIsNone(self.nobody.cache__hash())
        versions = self.entity.cache__file__hash()
        self.assertEqual(versions["latest_id"], self.stored.cache_id)
        self.assertEqual(versions["total_versions"], 1)
        self.assertEqual(self.entity.cache__file__hash__obj().latest_id, self.stored.cache_id)

    def test_delete(self):
        self.assertTrue(self.entity.delete())
        self.assertFalse(self.entity.exists())
        self.assertFalse(self.entity.delete())

    def test_data_strings(self):
        entity = self.entity
        self.assertIsNone(entity.data__string("k", "s"))
        self.assertFalse(entity.data__update_string("k", "s", "too early"))
        self.assertEqual(entity.data__store_string("k", "s", "one").file_size, 3)
        self.assertEqual(entity.data__string("k", "s"), "one")
        self.assertTrue(entity.data__exists("k", "s"))
        self.assertFalse(entity.data__exists("k", "s", JSON))
        self.assertTrue(entity.data__update_string("k", "s", "two"))
        self.assertEqual(entity.data__string("k", "s"), "two")
        self.assertTrue(entity.data__delete("k", "s"))
        self.assertFalse(entity.data__exists("k", "s"))
        self.assertFalse(entity.data__delete("k", "s"))

    def test_data_json(self):
        entity = self.entity
        self.assertIsNone(entity.data__json("k", "j"))
        self.assertFalse(entity.data__update_json("k", "j", {"too": "early"}))
        entity.data__store_json("k", "j", {"v": 1})
        self.assertEqual(entity.data__json("k", "j"), {"v": 1})
        self.assertTrue(entity.data__update_json("k", "j", {"v": 2}))
        self.assertEqual(entity.data__json("k", "j"), {"v": 2})
        self.assertTrue(entity.data__delete("k", "j", JSON))

    def test_data_files(self):
        self.entity.data__store_string("k", "s", "one")
        self.entity.data__store_json("k/l", "j", {"v": 1})
        self.assertEqual(self.entity.data__files().file_count, 2)
        self.assertEqual(self.entity.data__files("k/l").file_count, 1)
        self.assertEqual(self.entity.data__files("k", recursive=False).file_count, 1)
        folder = str(self.entity.refs().file_paths.data_folders[0]).rstrip("/")
        paths = sorted(str(path) for path in self.entity.data__files__paths())
        self.assertEqual(paths, [f"{folder}/k/l/j.json", f"{folder}/k/s.txt"])

    def test_a_data_file(self):
        file = self.entity.data_file("k", "f")
        self.assertIsNone(file.string())
        self.assertIsNone(file.json())
        self.assertFalse(file.exists__string())
        self.assertEqual(file.store__string("one").extension, "txt")
        self.assertTrue(file.exists__string())
        self.assertFalse(file.exists__json())
        self.assertTrue(file.exists__data_type(STRING))
        self.assertEqual(file.string(), "one")
        self.assertTrue(file.update__string("two"))
        self.assertEqual(file.string(), "two")
        self.assertEqual(file.store__json({"v": 1}).extension, "json")
        self.assertTrue(file.exists__json())
        self.assertTrue(file.update__json({"v": 2}))
        self.assertEqual(file.json(), {"v": 2})
        self.assertTrue(file.delete__data_type(STRING))
        self.assertFalse(file.exists__string())
        self.assertTrue(file.exists__json())

    def test_a_json_file(self):
        file = Cache__Entity__Json_File(
            cache_client=self.client,
            cache_id=self.stored.cache_id,
            namespace=self.namespace,
            data_key="k",
            data_file_id="f",
        )
        self.assertFalse(file.exists())
        self.assertEqual(file.store({"v": 1}).file_id, "f")
        self.assertTrue(file.exists())
        self.assertTrue(file.update({"v": 2}))
        self.assertEqual(file.retrieve(), {"v": 2})
        self.assertTrue(file.delete())
        self.assertFalse(file.exists())


class Decorator(Case):
    def setUp(self):
        super().setUp()
        self.config = Schema__Cache__Decorator__Config(namespace=self.namespace)
        self.operations = Cache__Decorator__Operations(cache_service_client=self.client)

    def test_operations(self):
        for kind, data in [("json", {"v": 1}), ("string", "text")]:
            with self.subTest(kind):
                key = f"methods/{kind}"
                cache_hash = text_hash(key)
                self.assertIsNone(self.operations.retrieve(self.namespace, cache_hash))
                self.assertFalse(self.operations.exists(self.namespace, cache_hash))
                self.assertTrue(self.operations.store(self.namespace, key, data, self.config))
                self.assertTrue(self.operations.exists(self.namespace, cache_hash))
                self.assertEqual(self.operations.retrieve(self.namespace, cache_hash), data)
                self.assertTrue(self.operations.invalidate(self.namespace, cache_hash))
                self.assertFalse(self.operations.exists(self.namespace, cache_hash))
                self.assertFalse(self.operations.invalidate(self.namespace, cache_hash))

    def test_status(self):
        for status in [
            self.operations.get_client_status(),
            Decorator__Cache(cache_service_client=self.client).get_status(),
        ]:
            self.assertEqual((status["available"], status["mode"]), (True, "remote"))
            self.assertEqual(status["info"]["status"], "operational")

    def test_keys(self):
        builder = Cache__Key__Builder()
        key = builder.build_cache_key(
            config=self.config, class_name="Owner", method_name="method", params={"a": 1}
        )
        self.assertRegex(str(key), "^Owner/method/[0-9a-f]{10}$")
        # The client reckons hashes as the server does.
        document = {"b": [1, 2.5, None], "a": "é"}
        for data, stored in [
            ("héllo", self.stored_string("héllo")),
            (b"\xff", self.stored_binary(b"\xff")),
            (document, self.stored_json(document)),
        ]:
            self.assertEqual(str(builder.build_cache_hash(data)), str(stored.cache_hash))
        self.assertEqual(builder.get_nested_value({"a": {"b": 1}}, "a.b"), 1)
        self.assertEqual(builder.build_namespace_key("ns", "k/l"), "ns/k/l")

    def test_a_decorated_method_runs_once(self):
        config = self.config

        class Owner:
            runs = 0

            def __init__(self, cache):
                self.decorator__cache = cache

            @cache_response(config)
            def method(self, number: int) -> dict:
                Owner.runs += 1
                return {"number": number}

        cache = Decorator__Cache(cache_service_client=self.client)
        self.assertTrue(cache.is_available())
        self.assertIsInstance(cache.operations(), Cache__Decorator__Operations)
        self.assertIsInstance(cache.key_builder(), Cache__Key__Builder)
        owner = Owner(cache)
        self.assertEqual([owner.method(1), owner.method(1)], [{"number": 1}] * 2)
        self.assertEqual(Owner.runs, 1)
        self.assertEqual(owner.method(2), {"number": 2})
        self.assertEqual(Owner.runs, 2)
        self.assertEqual(len(self.client.namespace().cache_ids(self.namespace)), 2)

    def test_execute_cached(self):
        def method(self, number):
            calls.append(number)
            return {"number": number}

        calls = []
        cache = Decorator__Cache(cache_service_client=self.client)
        for _ in range(2):
            result = cache.execute_cached(
                func=method, args=(self, 7), kwargs={}, config=self.config
            )
            self.assertEqual(result, {"number": 7})
        self.assertEqual(calls, [7])


class Helpers(Case):
    """The helpers that the client ships for tests of programs that use it."""

    def setUp(self):
        super().setUp()
        self.helpers = Cache_Client_Test_Helpers(cache_service_client=self.client)

    def files_in_namespace(self):
        """What `get_namespace_file_count` would say, were it not broken (see broken.py)."""
        answer = self.http("GET", f"/admin/storage/files/all/{self.namespace}").json()
        self.assertEqual(answer["file_count"], len(answer["files"]))
        return answer["file_count"]

    def test_entries(self):
        helpers = self.helpers
        entries = [
            helpers.create_string_entry(self.namespace, "text"),
            helpers.create_json_entry(self.namespace, {"a": 1}),
            helpers.create_binary_entry(self.namespace, b"\xff"),
        ]
        for entry in entries:
            cache_id, cache_hash = str(entry.cache_id), str(entry.cache_hash)
            self.assertTrue(helpers.verify_entry_exists(cache_id, self.namespace))
            self.assertTrue(helpers.verify_entry_exists_by_hash(cache_hash, self.namespace))
            deleted = helpers.delete_entry(cache_id, self.namespace)
            self.assertEqual(deleted["status"], "success")
            self.assertFalse(helpers.verify_entry_exists(cache_id, self.namespace))
        self.assertFalse(helpers.verify_entry_exists_by_hash(UNKNOWN_HASH, self.namespace))
        self.assertEqual(self.files_in_namespace(), 0)

    def test_data_files(self):
        helpers = self.helpers
        parent = str(self.stored_string().cache_id)
        helpers.add_data_string(parent, self.namespace, "x", "s", "k")
        helpers.add_data_json(parent, self.namespace, {"x": 1}, "j")
        helpers.add_data_binary(parent, self.namespace, b"\xff", "b", "k")
        self.assertTrue(helpers.verify_data_file_exists(parent, "s", self.namespace, "k"))
        self.assertFalse(helpers.verify_data_file_exists(parent, "s", self.namespace))
        names = helpers.admin__get_files_in_folder__by_cache_id__direct(self.namespace, parent)
        for name in ["data/k/s.txt", "data/j.json", "data/k/b.bin"]:
            self.assertIn(f"{parent}/{name}", names)
        deleted = helpers.delete_all_data_files(parent, self.namespace)
        self.assertEqual(deleted["deleted_count"], 3)

    def test_an_entry_with_data_files(self):
        cache_id, stored, files = self.helpers.create_entry_with_data_files(self.namespace)
        self.assertEqual(cache_id, stored.cache_id)
        # Content, config, metadata, and five children.
        self.assertEqual(len(files), 8)
        # And the two references.
        self.assertEqual(self.files_in_namespace(), 10)

    def test_file_count_promises_another_type(self):
        with self.assertRaises(TypeError):
            self.helpers.get_namespace_file_count(self.namespace)

    def test_many(self):
        helpers = self.helpers
        by_strategy = helpers.create_multi_strategy_entries(self.namespace)
        self.assertEqual(list(by_strategy), [strategy.value for strategy in STRATEGIES])
        for name, entry in by_strategy.items():
            expected = helpers.build_expected_paths(
                cache_id=str(entry.cache_id),
                cache_hash=str(entry.cache_hash),
                namespace=self.namespace,
                strategy=next(s for s in STRATEGIES if s.value == name),
            )
            if name in ("direct", "key_based"):
                # The others have the hour in their paths, in the time zone of whoever reckons.
                self.assertEqual(entry.json()["paths"], expected)
            self.assertEqual(len(entry.json()["paths"]["data"]), len(expected["data"]))
        versions = helpers.create_versioned_entries(self.namespace, "some/key", 3)
        self.assertEqual(len({str(version.cache_id) for version in versions}), 3)
        hierarchy = helpers.create_namespace_hierarchy(self.namespace, depth=2, entries_per_ns=1)
        self.assertEqual(len(hierarchy), 2)
        self.assertLessEqual(set(hierarchy), set(helpers.get_all_namespaces()))
        keyed = helpers.create_json_entry(
            self.namespace, {"a": 1}, KEY_BASED, cache_key="k", file_id="f"
        )
        self.assertIn(f"{self.namespace}/data/key-based/k/f.json", keyed.json()["paths"]["data"])
        direct = helpers.create_string_entry(self.namespace, "x", DIRECT, cache_key="k", file_id="abcd")
        self.assertIn(
            f"{self.namespace}/data/direct/ab/cd/abcd.json", direct.json()["paths"]["data"]
        )
