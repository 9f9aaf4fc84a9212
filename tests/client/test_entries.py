"""Store, retrieve, exists, update and delete."""

import json

from case import (
    DIRECT,
    KEY_BASED,
    STRATEGIES,
    UNKNOWN_HASH,
    UNKNOWN_ID,
    Case,
    json_hash,
    text_hash,
)


class Store(Case):
    def assert_stored(self, stored, cache_hash, size):
        stored = stored.json()
        self.assert_uuid(stored["cache_id"])
        self.assertEqual(stored["cache_hash"], cache_hash)
        self.assertEqual(stored["namespace"], self.namespace)
        self.assertEqual(stored["size"], size)
        cache_id = stored["cache_id"]
        by_id = f"{self.namespace}/refs/by-id/{cache_id[:2]}/{cache_id[2:4]}/{cache_id}.json"
        self.assertEqual(stored["paths"]["by_id"], [by_id])
        by_hash = f"{self.namespace}/refs/by-hash/{cache_hash[:2]}/{cache_hash[2:4]}/{cache_hash}.json"
        self.assertEqual(stored["paths"]["by_hash"], [by_hash])
        self.assertEqual(stored["paths"]["data"], sorted(stored["paths"]["data"]))
        return stored["paths"]["data"]

    def test_string_with_every_strategy(self):
        for strategy in STRATEGIES:
            with self.subTest(strategy):
                stored = self.stored_string("héllo", strategy)
                # The content file holds JSON text, in ASCII.
                paths = self.assert_stored(stored, text_hash("héllo"), len('"h\\u00e9llo"'))
                self.assertTrue(paths)
                text = self.client.retrieve().retrieve__cache_id__string(
                    stored.cache_id, self.namespace
                )
                self.assertEqual(text, "héllo")

    def test_json_with_every_strategy(self):
        document = {"z": 1, "a": {"deep": [1, 2.5, None, True, "é"]}}
        for strategy in STRATEGIES:
            with self.subTest(strategy):
                stored = self.stored_json(document, strategy)
                self.assertEqual(stored.cache_hash, json_hash(document))
                found = self.client.retrieve().retrieve__cache_id__json(
                    stored.cache_id, self.namespace
                )
                self.assertEqual(found, document)
                self.assertEqual(list(found), ["z", "a"])

    def test_binary_with_every_strategy(self):
        content = bytes(range(256))
        for strategy in STRATEGIES:
            with self.subTest(strategy):
                stored = self.stored_binary(content, strategy)
                self.assert_stored(stored, text_hash(content), 256)
                found = self.client.retrieve().retrieve__cache_id__binary(
                    stored.cache_id, self.namespace
                )
                self.assertEqual(found, content)

    def test_string_by_key(self):
        stored = self.client.store().store__string__cache_key(
            namespace=self.namespace, strategy=KEY_BASED, cache_key="a/b c", body="x", file_id="f-1"
        )
        paths = self.assert_stored(stored, text_hash("x"), 3)
        base = f"{self.namespace}/data/key-based/a/b c/f-1.json"
        self.assertEqual(paths, [base, f"{base}.config", f"{base}.metadata"])

    def test_json_by_key_and_field(self):
        stored = self.client.store().store__json__cache_key(
            namespace=self.namespace,
            strategy=KEY_BASED,
            cache_key="a/b",
            body={"who": {"id": "user-1"}, "n": 1},
            file_id="f",
            json_field_path="who.id",
        )
        base = f"{self.namespace}/data/key-based/a/b/f.json"
        stored = stored.json()
        self.assertEqual(stored["paths"]["data"], [base, f"{base}.config", f"{base}.metadata"])
        self.assertEqual(stored["cache_hash"], text_hash("user-1"))

    def test_json_by_key_without_field(self):
        stored = self.client.store().store__json__cache_key(
            namespace=self.namespace, strategy=KEY_BASED, cache_key="k", body={"n": 1}, file_id=""
        )
        cache_id = str(stored.cache_id)
        self.assertEqual(stored.cache_hash, json_hash({"n": 1}))
        self.assertIn(
            f"{self.namespace}/data/key-based/k/{cache_id}.json", stored.json()["paths"]["data"]
        )

    def test_binary_by_key(self):
        stored = self.client.store().store__binary__cache_key(
            namespace=self.namespace, strategy=KEY_BASED, cache_key="k", body=b"\x00", file_id="f"
        )
        paths = self.assert_stored(stored, text_hash(b"\x00"), 1)
        base = f"{self.namespace}/data/key-based/k/f.bin"
        self.assertEqual(paths, [base, f"{base}.config", f"{base}.metadata"])

    def test_nothing_to_store_gives_none(self):
        # The client sends no body at all for these.
        self.assertIsNone(self.stored_string(""))
        store = self.client.store()
        self.assertIsNone(store.store__json(strategy=DIRECT, namespace=self.namespace, body={}))
        self.assertIsNone(store.store__binary(strategy=DIRECT, namespace=self.namespace, body=b""))
        self.assertEqual(self.client.namespace().cache_ids(self.namespace), [])


class RetrieveById(Case):
    def test_string(self):
        stored = self.stored_string("text")
        found = self.client.retrieve().retrieve__cache_id(stored.cache_id, self.namespace).json()
        self.assertEqual(found["data"], "text")
        self.assertEqual(found["data_type"], "string")
        self.assert_metadata(found["metadata"], stored, "json", size=len('"text"'))

    def test_json(self):
        stored = self.stored_json({"b": 1, "a": 2})
        found = self.client.retrieve().retrieve__cache_id(stored.cache_id, self.namespace).json()
        self.assertEqual(found["data"], {"b": 1, "a": 2})
        self.assertEqual(found["data_type"], "json")
        self.assert_metadata(found["metadata"], stored, "json", size=stored.size)

    def test_binary_is_a_reference(self):
        stored = self.stored_binary(b"\xff\x00")
        found = self.client.retrieve().retrieve__cache_id(stored.cache_id, self.namespace).json()
        self.assertEqual(found["data_type"], "binary")
        self.assertEqual(found["size"], self.fixed(10, 2, 0))
        url = f"/{self.namespace}/retrieve/{stored.cache_id}/binary"
        self.assertEqual(found["binary_url"], url)
        self.assertEqual(self.http("GET", url).content, b"\xff\x00")
        self.assert_metadata(found["metadata"], stored, "binary", size=2)

    def assert_metadata(self, metadata, stored, file_type, size):
        self.assertEqual(metadata["cache_id"], stored.cache_id)
        self.assertEqual(metadata["cache_hash"], stored.cache_hash)
        self.assertEqual(metadata["file_id"], stored.cache_id)
        self.assertEqual(metadata["namespace"], self.namespace)
        self.assertEqual(metadata["strategy"], "direct")
        self.assertEqual(metadata["file_type"], file_type)
        self.assertEqual(metadata["content_size"], self.fixed(10, size, 0))
        self.assertIsNone(metadata["content_encoding"])
        self.assertGreater(metadata["stored_at"], 1_500_000_000_000)

    def test_conversions(self):
        retrieve = self.client.retrieve()
        string = self.stored_string('{"a":1}').cache_id
        self.assertEqual(retrieve.retrieve__cache_id__json(string, self.namespace), {"a": 1})
        self.assertEqual(retrieve.retrieve__cache_id__binary(string, self.namespace), b'{"a":1}')
        document = self.stored_json({"a": "é"}).cache_id
        text = '{"a": "\\u00e9"}'
        self.assertEqual(retrieve.retrieve__cache_id__string(document, self.namespace), text)
        binary = self.stored_binary(b"\xff").cache_id
        self.assertEqual(retrieve.retrieve__cache_id__string(binary, self.namespace), "/w==")
        wrapped = {"data_type": "binary", "encoding": "base64", "data": "/w=="}
        self.assertEqual(retrieve.retrieve__cache_id__json(binary, self.namespace), wrapped)
        prose = self.stored_string("no json").cache_id
        self.assertIsNone(retrieve.retrieve__cache_id__json(prose, self.namespace))

    def test_config(self):
        stored = self.stored_json()
        config = self.client.retrieve().retrieve__cache_id__config(stored.cache_id, self.namespace)
        self.assertEqual(config["file_id"], stored.cache_id)
        self.assertEqual(
            config["file_type"],
            {
                "name": "json",
                "content_type": "application/json; charset=utf-8",
                "file_extension": "json",
                "encoding": "utf-8",
                "serialization": "json",
            },
        )

    def test_metadata(self):
        stored = self.stored_json()
        metadata = self.client.retrieve().retrieve__cache_id__metadata(
            stored.cache_id, self.namespace
        )
        metadata = metadata.json()
        self.assertEqual(metadata["content__size"], stored.size)
        self.assertRegex(metadata["content__hash"], "^[0-9a-f]{10}$")
        self.assertEqual(metadata["data"]["cache_id"], stored.cache_id)
        self.assertEqual(metadata["data"]["cache_hash"], stored.cache_hash)
        self.assertEqual(metadata["data"]["file_type"], "json")
        self.assertEqual(metadata["data"]["strategy"], "direct")

    def test_refs(self):
        stored = self.stored_json()
        refs = self.client.retrieve().retrieve__cache_id__refs(stored.cache_id, self.namespace)
        refs = refs.json()
        self.assertEqual(refs["all_paths"], stored.json()["paths"])
        self.assertEqual(refs["cache_id"], stored.cache_id)
        self.assertEqual(refs["cache_hash"], stored.cache_hash)
        content = [p for p in refs["all_paths"]["data"] if p.endswith(".json")]
        self.assertEqual(refs["file_paths"]["content_files"], content)
        folders = [path.removesuffix(".json") for path in content]
        self.assertEqual(
            [path.rstrip("/") for path in refs["file_paths"]["data_folders"]],
            [f"{folder}/data" for folder in folders],
        )

    def test_refs_all(self):
        stored = self.stored_json()
        retrieve = self.client.retrieve()
        everything = retrieve.retrieve__cache_id__refs__all(stored.cache_id, self.namespace)
        refs = retrieve.retrieve__cache_id__refs(stored.cache_id, self.namespace).json()
        self.assertEqual(everything["by_id"], refs)
        paths = refs["all_paths"]
        expected = set(paths["data"] + paths["by_hash"] + paths["by_id"])
        expected -= set(refs["file_paths"]["content_files"])
        self.assertEqual(set(everything["details"]), expected)
        self.assertEqual(everything["details"][paths["by_id"][0]], refs)

    def test_unknown_gives_none(self):
        retrieve = self.client.retrieve()
        for suffix in ["", "__config", "__metadata", "__refs", "__refs__all",
                       "__string", "__json", "__binary"]:
            with self.subTest(suffix):
                method = getattr(retrieve, f"retrieve__cache_id{suffix}")
                self.assertIsNone(method(cache_id=UNKNOWN_ID, namespace=self.namespace))
                self.assertIsNone(method(cache_id="not-a-guid", namespace=self.namespace))


class RetrieveByHash(Case):
    def test_the_latest_version(self):
        old = self.stored_json({"a": 1})
        new = self.stored_json({"a": 1})
        self.assertNotEqual(old.cache_id, new.cache_id)
        retrieve = self.client.retrieve()
        found = retrieve.retrieve__hash__cache_hash(str(new.cache_hash), self.namespace).json()
        self.assertEqual(found["data"], {"a": 1})
        self.assertEqual(found["metadata"]["cache_id"], new.cache_id)
        versions = retrieve.retrieve__hash__cache_hash__refs_hash(
            str(new.cache_hash), self.namespace
        )
        self.assertEqual(versions["total_versions"], 2)
        self.assertEqual(versions["latest_id"], new.cache_id)
        ids = [version["cache_id"] for version in versions["cache_ids"]]
        self.assertEqual(ids, [old.cache_id, new.cache_id])
        latest = retrieve.retrieve__hash__cache_hash__cache_id(
            cache_hash=str(new.cache_hash), namespace=self.namespace
        )
        self.assertEqual(
            latest,
            {
                "namespace": self.namespace,
                "cache_hash": new.cache_hash,
                "cache_id": new.cache_id,
            },
        )

    def test_conversions(self):
        retrieve = self.client.retrieve()
        document = str(self.stored_json({"a": "é"}).cache_hash)
        text = retrieve.retrieve__hash__cache_hash__string(document, self.namespace)
        self.assertEqual(text, '{"a": "\\u00e9"}')
        found = retrieve.retrieve__hash__cache_hash__json(document, self.namespace)
        self.assertEqual(found, {"a": "é"})
        content = retrieve.retrieve__hash__cache_hash__binary(document, self.namespace)
        self.assertEqual(content, text.encode())
        # Unlike by id, bytes that are text come as text.
        binary = str(self.stored_binary("é".encode()).cache_hash)
        text = retrieve.retrieve__hash__cache_hash__string(binary, self.namespace)
        self.assertEqual(text, "é")

    def test_binary_is_a_reference(self):
        stored = self.stored_binary(b"\xff\x00")
        found = self.client.retrieve().retrieve__hash__cache_hash(
            str(stored.cache_hash), self.namespace
        )
        url = f"/{self.namespace}/retrieve/hash/{stored.cache_hash}/binary"
        self.assertEqual(found.json()["binary_url"], url)
        self.assertEqual(self.http("GET", url).content, b"\xff\x00")

    def test_metadata(self):
        stored = self.stored_string("text")
        metadata = self.client.retrieve().retrieve__hash__cache_hash__metadata(
            str(stored.cache_hash), self.namespace
        )
        metadata = metadata.json()
        self.assertEqual(metadata["cache_id"], stored.cache_id)
        self.assertEqual(metadata["cache_hash"], stored.cache_hash)
        self.assertEqual(metadata["file_type"], "json")

    def test_unknown_gives_none(self):
        retrieve = self.client.retrieve()
        for suffix in ["", "__string", "__json", "__binary", "__metadata", "__refs_hash",
                       "__cache_id"]:
            with self.subTest(suffix):
                method = getattr(retrieve, f"retrieve__hash__cache_hash{suffix}")
                self.assertIsNone(method(cache_hash=UNKNOWN_HASH, namespace=self.namespace))


class Exists(Case):
    def test_by_id(self):
        stored = self.stored_string()
        found = self.client.exists().exists__cache_id(stored.cache_id, self.namespace)
        self.assertEqual(
            found.json(),
            {
                "exists": True,
                "cache_id": stored.cache_id,
                "cache_hash": None,
                "namespace": self.namespace,
            },
        )
        missing = self.client.exists().exists__cache_id(UNKNOWN_ID, self.namespace)
        self.assertFalse(missing.exists)
        elsewhere = self.client.exists().exists__cache_id(stored.cache_id, "elsewhere")
        self.assertFalse(elsewhere.exists)

    def test_by_hash(self):
        stored = self.stored_string()
        found = self.client.exists().exists__hash__cache_hash(
            cache_hash=stored.json()["cache_hash"], namespace=self.namespace
        )
        self.assertTrue(found.exists)
        self.assertEqual(found.cache_hash, stored.cache_hash)
        missing = self.client.exists().exists__hash__cache_hash(
            cache_hash=UNKNOWN_HASH, namespace=self.namespace
        )
        self.assertFalse(missing.exists)


class Update(Case):
    def assert_updated(self, updated, stored, size):
        refs = self.client.retrieve().retrieve__cache_id__refs(stored.cache_id, self.namespace)
        updated = updated.json()
        self.assertEqual(updated["cache_id"], stored.cache_id)
        # The hash stays that of what was stored first.
        self.assertEqual(updated["cache_hash"], stored.cache_hash)
        self.assertEqual(updated["paths"], refs.json()["file_paths"]["content_files"])
        self.assertEqual(updated["size"], size)
        self.assertTrue(updated["updated_content"])
        for flag in ["updated_hash", "updated_metadata", "updated_id_ref"]:
            self.assertFalse(updated[flag])

    def test_string(self):
        stored = self.stored_string("before")
        updated = self.client.update().update__string(stored.cache_id, self.namespace, "äfter")
        self.assert_updated(updated, stored, size=5)
        text = self.client.retrieve().retrieve__cache_id__string(stored.cache_id, self.namespace)
        self.assertEqual(text, "äfter")

    def test_json(self):
        stored = self.stored_json({"v": 1})
        updated = self.client.update().update__json(
            stored.cache_id, self.namespace, {"v": 2, "w": 3}
        )
        self.assert_updated(updated, stored, size=2)
        found = self.client.retrieve().retrieve__cache_id__json(stored.cache_id, self.namespace)
        self.assertEqual(found, {"v": 2, "w": 3})

    def test_binary(self):
        stored = self.stored_binary(b"before")
        updated = self.client.update().update__binary(stored.cache_id, self.namespace, b"\x00\xff")
        self.assert_updated(updated, stored, size=2)
        found = self.client.retrieve().retrieve__cache_id__binary(stored.cache_id, self.namespace)
        self.assertEqual(found, b"\x00\xff")

    def test_refusals_give_none(self):
        update = self.client.update()
        # Upstream answers an unknown id with 500, Larder with 404 (quirk 14): None for both.
        self.assertIsNone(update.update__string(UNKNOWN_ID, self.namespace, "x"))
        self.assertIsNone(update.update__json(UNKNOWN_ID, self.namespace, {"x": 1}))
        self.assertIsNone(update.update__binary(UNKNOWN_ID, self.namespace, b"x"))
        stored = self.stored_string("kept")
        self.assertIsNone(update.update__string(stored.cache_id, self.namespace, ""))
        text = self.client.retrieve().retrieve__cache_id__string(stored.cache_id, self.namespace)
        self.assertEqual(text, "kept")


class Delete(Case):
    def test_an_entry(self):
        stored = self.stored_json()
        deleted = self.client.delete().delete__cache_id(stored.cache_id, self.namespace)
        paths = stored.json()["paths"]
        expected = paths["data"] + paths["by_hash"] + paths["by_id"]
        self.assertEqual(deleted["status"], "success")
        self.assertEqual(deleted["cache_id"], stored.cache_id)
        self.assertEqual(sorted(deleted["deleted_paths"]), sorted(expected))
        self.assertEqual(deleted["deleted_count"], len(expected))
        self.assertEqual((deleted["failed_count"], deleted["failed_paths"]), (0, []))
        self.assertIsNone(
            self.client.retrieve().retrieve__cache_id(stored.cache_id, self.namespace)
        )
        self.assertFalse(self.client.exists().exists__cache_id(stored.cache_id, self.namespace).exists)
        self.assertEqual(self.client.namespace().cache_hashes(self.namespace), [])

    def test_one_of_two_versions(self):
        old, new = self.stored_string("same"), self.stored_string("same")
        self.client.delete().delete__cache_id(new.cache_id, self.namespace)
        versions = self.client.retrieve().retrieve__hash__cache_hash__refs_hash(
            str(old.cache_hash), self.namespace
        )
        self.assertEqual(versions["latest_id"], old.cache_id)
        self.assertEqual(versions["total_versions"], 1)

    def test_unknown(self):
        deleted = self.client.delete().delete__cache_id(UNKNOWN_ID, self.namespace)
        message = f"Cache ID {UNKNOWN_ID} not found"
        self.assertEqual(deleted, {"status": "not_found", "message": message})
        self.assertIsNone(self.client.delete().delete__cache_id("not-a-guid", self.namespace))


class Wire(Case):
    def test_answers_are_compact_json(self):
        stored = self.stored_json({"a": ["é", 1.0]})
        answer = self.http("GET", f"/{self.namespace}/retrieve/{stored.cache_id}/json")
        self.assertEqual(answer.headers["content-type"], "application/json")
        self.assertEqual(answer.text, json.dumps({"a": ["é", 1.0]}, ensure_ascii=False, separators=(",", ":")))
