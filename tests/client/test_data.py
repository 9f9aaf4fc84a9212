"""Child data: store, retrieve, exists, list, update and delete."""

from case import BINARY, JSON, STRING, STRATEGIES, UNKNOWN_ID, Case


class DataCase(Case):
    def setUp(self):
        super().setUp()
        self.parent = str(self.stored_json({"parent": True}).cache_id)
        self.data = self.client.data()
        self.store = self.client.data_store()

    @property
    def folder(self):
        cache_id = self.parent
        return f"{self.namespace}/data/direct/{cache_id[:2]}/{cache_id[2:4]}/{cache_id}/data"

    def assert_stored(self, stored, extension, size, file_id=None, key=""):
        stored = stored.json()
        if file_id is None:
            file_id = stored["file_id"]
            self.assert_uuid(file_id)
        path = "/".join(part for part in [self.folder, key, f"{file_id}.{extension}"] if part)
        data_type = {"txt": "string", "json": "json", "bin": "binary"}[extension]
        timestamp = stored.pop("timestamp")
        self.assertGreater(timestamp, 1_500_000_000_000)
        self.assertEqual(
            stored,
            {
                "cache_id": self.parent,
                "data_files_created": [path],
                "data_key": key,
                "data_type": data_type,
                "extension": extension,
                "file_id": file_id,
                "file_size": size,
                "namespace": self.namespace,
            },
        )
        return file_id


class StoreAndRetrieve(DataCase):
    def test_string(self):
        stored = self.store.data__store_string(self.parent, self.namespace, "tëxt")
        file_id = self.assert_stored(stored, "txt", 5)
        text = self.data.retrieve().data__string__with__id(self.parent, self.namespace, file_id)
        self.assertEqual(text, "tëxt")

    def test_string_with_id(self):
        stored = self.store.data__store_string__with__id(self.parent, self.namespace, "s-1", "one")
        self.assert_stored(stored, "txt", 3, "s-1")
        # The second replaces the first.
        stored = self.store.data__store_string__with__id(self.parent, self.namespace, "s-1", "two!")
        self.assert_stored(stored, "txt", 4, "s-1")
        text = self.data.retrieve().data__string__with__id(self.parent, self.namespace, "s-1")
        self.assertEqual(text, "two!")

    def test_string_with_id_and_key(self):
        stored = self.store.data__store_string__with__id_and_key(
            self.parent, self.namespace, "k/l", "s", "text"
        )
        self.assert_stored(stored, "txt", 4, "s", "k/l")
        text = self.data.retrieve().data__string__with__id_and_key(
            self.parent, self.namespace, "k/l", "s"
        )
        self.assertEqual(text, "text")
        without_key = self.data.retrieve().data__string__with__id(self.parent, self.namespace, "s")
        self.assertIsNone(without_key)

    def test_json(self):
        stored = self.store.data__store_json(self.parent, self.namespace, {"a": 1})
        # Four spaces of indent: {\n    "a": 1\n}
        file_id = self.assert_stored(stored, "json", 14)
        found = self.data.retrieve().data__json__with__id(self.parent, self.namespace, file_id)
        self.assertEqual(found, {"a": 1})

    def test_json_with_id(self):
        document = {"z": [1, 2.5, None], "a": "é"}
        self.store.data__store_json__with__id(self.parent, self.namespace, "j", document)
        found = self.data.retrieve().data__json__with__id(self.parent, self.namespace, "j")
        self.assertEqual(found, document)
        self.assertEqual(list(found), ["z", "a"])

    def test_json_with_id_and_key(self):
        stored = self.store.data__store_json__with__id_and_key(
            cache_id=self.parent,
            namespace=self.namespace,
            data_key="k/l",
            data_file_id="j",
            body={"a": 1},
        )
        self.assert_stored(stored, "json", 14, "j", "k/l")
        found = self.data.retrieve().data__json__with__id_and_key(
            self.parent, self.namespace, "k/l", "j"
        )
        self.assertEqual(found, {"a": 1})

    def test_binary(self):
        stored = self.store.data__store_binary(self.parent, self.namespace, b"\x00\xff")
        file_id = self.assert_stored(stored, "bin", 2)
        found = self.data.retrieve().data__binary__with__id(self.parent, self.namespace, file_id)
        self.assertEqual(found, b"\x00\xff")

    def test_binary_with_id(self):
        stored = self.store.data__store_binary__with__id(self.parent, self.namespace, "b", b"\xff")
        self.assert_stored(stored, "bin", 1, "b")
        found = self.data.retrieve().data__binary__with__id(self.parent, self.namespace, "b")
        self.assertEqual(found, b"\xff")

    def test_binary_with_id_and_key(self):
        stored = self.store.data__store_binary__with__id_and_key(
            self.parent, self.namespace, "k/l", "b", b"\xff"
        )
        self.assert_stored(stored, "bin", 1, "b", "k/l")
        found = self.data.retrieve().data__binary__with__id_and_key(
            self.parent, self.namespace, "k/l", "b"
        )
        self.assertEqual(found, b"\xff")

    def test_every_copy_of_an_entry_has_its_own(self):
        copies = {"direct": 1, "temporal": 1, "temporal_latest": 2, "temporal_versioned": 3,
                  "key_based": 1}
        for strategy in STRATEGIES:
            with self.subTest(strategy):
                parent = str(self.stored_json(strategy=strategy).cache_id)
                stored = self.store.data__store_string__with__id(parent, self.namespace, "s", "x")
                self.assertEqual(len(stored.data_files_created), copies[str(strategy.value)])
                text = self.data.retrieve().data__string__with__id(parent, self.namespace, "s")
                self.assertEqual(text, "x")

    def test_unknown_gives_none(self):
        self.assertIsNone(self.store.data__store_string(UNKNOWN_ID, self.namespace, "x"))
        self.assertIsNone(self.store.data__store_json(UNKNOWN_ID, self.namespace, {"x": 1}))
        self.assertIsNone(self.store.data__store_binary(UNKNOWN_ID, self.namespace, b"x"))
        retrieve = self.data.retrieve()
        for kind in ["string", "json", "binary"]:
            with self.subTest(kind):
                by_id = getattr(retrieve, f"data__{kind}__with__id")
                self.assertIsNone(by_id(self.parent, self.namespace, "absent"))
                self.assertIsNone(by_id(UNKNOWN_ID, self.namespace, "absent"))
                by_key = getattr(retrieve, f"data__{kind}__with__id_and_key")
                self.assertIsNone(by_key(self.parent, self.namespace, "k", "absent"))


class Exists(DataCase):
    def test_with_id(self):
        self.store.data__store_string__with__id(self.parent, self.namespace, "s", "x")
        expected = {
            "cache_id": self.parent,
            "data_type": "string",
            "data_key": "",
            "data_file_id": "s",
            "exists": True,
            "namespace": self.namespace,
        }
        exists = self.data.exists()
        found = exists.data__exists__with__id(self.parent, self.namespace, STRING, "s")
        self.assertEqual({**found.json(), "data_key": found.json()["data_key"] or ""}, expected)
        # A file of another type is another file.
        self.assertFalse(
            exists.data__exists__with__id(self.parent, self.namespace, JSON, "s").exists
        )

    def test_with_id_and_key(self):
        self.store.data__store_binary__with__id_and_key(
            self.parent, self.namespace, "k/l", "b", b"x"
        )
        exists = self.data.exists()
        found = exists.data__exists__with__id_and_key(
            self.parent, self.namespace, BINARY, "k/l", "b"
        )
        self.assertTrue(found.exists)
        self.assertEqual(found.data_key, "k/l")
        for key in ["k", "l", "k/l/m"]:
            found = exists.data__exists__with__id_and_key(
                self.parent, self.namespace, BINARY, key, "b"
            )
            self.assertFalse(found.exists, key)

    def test_of_an_unknown_entry(self):
        found = self.data.exists().data__exists__with__id(UNKNOWN_ID, self.namespace, STRING, "s")
        self.assertFalse(found.exists)


class List(DataCase):
    def setUp(self):
        super().setUp()
        self.store.data__store_string__with__id(self.parent, self.namespace, "top", "x")
        for key in ["k", "k/l", "kk"]:
            self.store.data__store_binary__with__id_and_key(
                self.parent, self.namespace, key, "b", b"1234"
            )

    def keys(self, listed):
        return sorted(file["data_key"] or "" for file in listed.json()["files"])

    def test_all(self):
        listed = self.data.list().data__list(self.parent, self.namespace)
        self.assertEqual(self.keys(listed), ["", "k", "k/l", "kk"])
        self.assertEqual((listed.file_count, listed.total_size), (4, 13))
        top = next(file for file in listed.json()["files"] if file["data_file_id"] == "top")
        self.assertEqual(top["data_type"], "string")
        self.assertEqual(top["extension"], "txt")
        self.assertEqual(top["file_size"], 1)
        self.assertEqual(top["file_path"], f"{self.folder}/top.txt")

    def test_one_level(self):
        listed = self.data.list().data__list(self.parent, self.namespace, recursive=False)
        self.assertEqual(self.keys(listed), [""])

    def test_with_key(self):
        by_key = self.data.list().data__list__with__key
        self.assertEqual(self.keys(by_key(self.parent, self.namespace, "k")), ["k", "k/l"])
        one_level = by_key(self.parent, self.namespace, "k", recursive=False)
        self.assertEqual(self.keys(one_level), ["k"])
        self.assertEqual(by_key(self.parent, self.namespace, "absent").file_count, 0)

    def test_of_an_unknown_entry(self):
        self.assertIsNone(self.data.list().data__list(UNKNOWN_ID, self.namespace))


class Update(DataCase):
    def assert_updated(self, updated, extension, size, file_id, key=""):
        updated = updated.json()
        self.assertTrue(updated["success"])
        self.assertEqual(updated["cache_id"], self.parent)
        self.assertEqual(updated["namespace"], self.namespace)
        self.assertEqual(updated["data_file_id"], file_id)
        self.assertEqual(updated["data_key"] or "", key)
        self.assertEqual(updated["file_size"], size)
        parts = [self.folder, key, f"{file_id}.{extension}"]
        self.assertEqual(updated["file_path"], "/".join(part for part in parts if part))

    def test_string(self):
        update, retrieve = self.data.update(), self.data.retrieve()
        self.store.data__store_string__with__id(self.parent, self.namespace, "s", "before")
        updated = update.data__update_string__with__id(self.parent, self.namespace, "s", "nöw")
        self.assert_updated(updated, "txt", 4, "s")
        text = retrieve.data__string__with__id(self.parent, self.namespace, "s")
        self.assertEqual(text, "nöw")
        self.store.data__store_string__with__id_and_key(
            self.parent, self.namespace, "k", "s", "before"
        )
        updated = update.data__update_string__with__id_and_key(
            self.parent, self.namespace, "k", "s", "after"
        )
        self.assert_updated(updated, "txt", 5, "s", "k")
        text = retrieve.data__string__with__id_and_key(self.parent, self.namespace, "k", "s")
        self.assertEqual(text, "after")

    def test_json(self):
        update, retrieve = self.data.update(), self.data.retrieve()
        self.store.data__store_json__with__id(self.parent, self.namespace, "j", {"v": 1})
        updated = update.data__update_json__with__id(self.parent, self.namespace, "j", {"v": 22})
        self.assert_updated(updated, "json", 15, "j")
        found = retrieve.data__json__with__id(self.parent, self.namespace, "j")
        self.assertEqual(found, {"v": 22})
        self.store.data__store_json__with__id_and_key(
            cache_id=self.parent, namespace=self.namespace, data_key="k", data_file_id="j",
            body={"v": 1},
        )
        updated = update.data__update_json__with__id_and_key(
            self.parent, self.namespace, "k", "j", {"v": 2}
        )
        self.assert_updated(updated, "json", 14, "j", "k")
        found = retrieve.data__json__with__id_and_key(self.parent, self.namespace, "k", "j")
        self.assertEqual(found, {"v": 2})

    def test_binary(self):
        update, retrieve = self.data.update(), self.data.retrieve()
        self.store.data__store_binary__with__id(self.parent, self.namespace, "b", b"before")
        updated = update.data__update_binary__with__id(self.parent, self.namespace, "b", b"\xff")
        self.assert_updated(updated, "bin", 1, "b")
        found = retrieve.data__binary__with__id(self.parent, self.namespace, "b")
        self.assertEqual(found, b"\xff")
        self.store.data__store_binary__with__id_and_key(
            self.parent, self.namespace, "k", "b", b"before"
        )
        updated = update.data__update_binary__with__id_and_key(
            self.parent, self.namespace, "k", "b", b"\x00\x01"
        )
        self.assert_updated(updated, "bin", 2, "b", "k")
        found = retrieve.data__binary__with__id_and_key(self.parent, self.namespace, "k", "b")
        self.assertEqual(found, b"\x00\x01")

    def test_what_is_not_there_gives_none(self):
        update = self.data.update()
        self.assertIsNone(
            update.data__update_string__with__id(self.parent, self.namespace, "absent", "x")
        )
        self.assertIsNone(
            update.data__update_json__with__id(UNKNOWN_ID, self.namespace, "absent", {"x": 1})
        )
        self.assertIsNone(
            update.data__update_binary__with__id_and_key(
                self.parent, self.namespace, "k", "absent", b"x"
            )
        )


class Delete(DataCase):
    def test_one_with_id(self):
        self.store.data__store_string__with__id(self.parent, self.namespace, "s", "x")
        delete = self.data.delete()
        expected = {
            "status": "success",
            "message": "Data file deleted successfully",
            "cache_id": self.parent,
            "data_file_id": "s",
            "data_type": "string",
            "data_key": None,
            "namespace": self.namespace,
        }
        deleted = delete.delete__data__file__with__id(self.parent, self.namespace, STRING, "s")
        self.assertEqual(deleted, expected)
        again = delete.delete__data__file__with__id(self.parent, self.namespace, STRING, "s")
        self.assertIsNone(again)

    def test_one_with_id_and_key(self):
        for key in ["k", "k/l"]:
            self.store.data__store_json__with__id_and_key(
                cache_id=self.parent, namespace=self.namespace, data_key=key, data_file_id="j",
                body={"x": 1},
            )
        delete = self.data.delete().delete__data__file__with__id_and_key
        deleted = delete(self.parent, self.namespace, JSON, "k", "j")
        self.assertEqual((deleted["status"], deleted["data_key"]), ("success", "k"))
        self.assertIsNone(delete(self.parent, self.namespace, JSON, "k", "j"))
        kept = self.data.retrieve().data__json__with__id_and_key(
            self.parent, self.namespace, "k/l", "j"
        )
        self.assertEqual(kept, {"x": 1})

    def test_all(self):
        for key in ["k", "k/l", "kk"]:
            self.store.data__store_string__with__id_and_key(
                self.parent, self.namespace, key, "s", "x"
            )
        delete = self.data.delete()
        # Whole segments: `k` takes `k/l` with it and leaves `kk`.
        deleted = delete.delete__all__data__files__with__key(self.parent, self.namespace, "k")
        self.assertEqual(deleted["deleted_count"], 2)
        self.assertEqual(deleted["data_key"], "k")
        files = [f"{self.folder}/k/l/s.txt", f"{self.folder}/k/s.txt"]
        self.assertEqual(sorted(deleted["deleted_files"]), files)
        deleted = delete.delete__all__data__files(self.parent, self.namespace)
        self.assertEqual(
            deleted,
            {
                "status": "success",
                "message": "Deleted 1 data files",
                "cache_id": self.parent,
                "deleted_count": 1,
                "deleted_files": [f"{self.folder}/kk/s.txt"],
                "data_key": None,
                "namespace": self.namespace,
            },
        )
        deleted = delete.delete__all__data__files(self.parent, self.namespace)
        self.assertEqual(deleted["message"], "No data files to delete")
        self.assertNotIn("deleted_files", deleted)
        # The entry itself is still there.
        found = self.client.retrieve().retrieve__cache_id__json(self.parent, self.namespace)
        self.assertEqual(found, {"parent": True})
