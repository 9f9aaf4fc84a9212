"""Archives and batches. Most of what the client has for them is broken (see broken.py)."""

import io
import zipfile

import requests
from case import DIRECT, KEY_BASED, STRATEGIES, UNKNOWN_ID, Case

EMPTY_HASH = "e3b0c44298fc1c14"
OCTETS = {"content-type": "application/octet-stream"}


def archive_of(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def members_of(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


class Archives(Case):
    def setUp(self):
        super().setUp()
        self.zip = self.client.zip()

    def stored_archive(self, members):
        answer = self.http(
            "POST",
            f"/{self.namespace}/key_based/zip/store/archives/a",
            data=archive_of(members),
            headers=OCTETS,
        )
        self.assertEqual(answer.status_code, 200, answer.text)
        return answer.json()

    def path(self, cache_id, rest):
        return f"/{self.namespace}/zip/{cache_id}/{rest}"

    def members(self, cache_id):
        answer = self.http("GET", self.path(cache_id, "retrieve"))
        self.assertEqual(answer.status_code, 200, answer.text)
        return members_of(answer.content)

    def test_create(self):
        for strategy in STRATEGIES:
            with self.subTest(strategy):
                created = self.zip.zip_create(self.namespace, strategy, "archives", "a")
                self.assert_uuid(created["cache_id"])
                self.assertEqual(created["cache_hash"], EMPTY_HASH)
                self.assertEqual(created["namespace"], self.namespace)
                self.assertEqual((created["file_count"], created["size"]), (0, 22))
                self.assertTrue(created["success"])
                self.assertEqual(self.members(created["cache_id"]), {})
        base = f"{self.namespace}/data/key-based/archives/a.bin"
        created = self.zip.zip_create(self.namespace, KEY_BASED, "archives", "a")
        self.assertIn(base, created["paths"]["data"])

    def test_store_sends_no_body(self):
        self.assertIsNone(self.zip.zip_store(self.namespace, DIRECT, "archives", "a"))
        refused = self.http("POST", f"/{self.namespace}/direct/zip/store/archives/a")
        self.assertEqual(refused.status_code, 400)
        self.assertEqual(refused.json()["detail"][0]["type"], "missing")
        stored = self.stored_archive({"a.txt": b"A", "b/c.bin": b"\x00"})
        self.assertEqual(stored["file_count"], 2)
        self.assertEqual(self.members(stored["cache_id"]), {"a.txt": b"A", "b/c.bin": b"\x00"})
        refused = self.http(
            "POST", f"/{self.namespace}/direct/zip/store/archives/a", data=b"no", headers=OCTETS
        )
        self.assertEqual(refused.status_code, 400)
        self.assertEqual(refused.json(), {"detail": "Invalid zip file: File is not a zip file"})

    def test_retrieve_is_not_json(self):
        stored = self.stored_archive({"a.txt": b"A"})
        cache_id = stored["cache_id"]
        with self.assertRaises(requests.exceptions.JSONDecodeError):
            self.zip.zip_retrieve(cache_id, self.namespace)
        answer = self.http("GET", self.path(cache_id, "retrieve"))
        self.assertEqual(answer.headers["content-type"], "application/zip")
        self.assertEqual(
            answer.headers["content-disposition"], f"attachment; filename={cache_id}.zip"
        )
        self.assertEqual(len(answer.content), stored["size"])
        self.assertIsNone(self.zip.zip_retrieve(UNKNOWN_ID, self.namespace))

    def test_files_list(self):
        cache_id = self.stored_archive({"b/c.bin": b"\x00", "a.txt": b"A"})["cache_id"]
        listed = self.zip.zip_files_list(cache_id, self.namespace)
        self.assertEqual(
            listed,
            {
                "success": True,
                "operation": "list",
                "cache_id": cache_id,
                "original_cache_id": listed["original_cache_id"],
                "message": "Found 2 files in zip",
                "file_list": ["a.txt", "b/c.bin"],
                "file_content": "",
                "file_size": 0,
                "files_affected": listed["files_affected"],
                "error_details": "",
            },
        )
        self.assertIsNone(self.zip.zip_files_list(UNKNOWN_ID, self.namespace))

    def test_file_retrieve(self):
        cache_id = self.stored_archive({"a.json": b'{"a": 1}', "a.txt": b"A"})["cache_id"]
        # The client parses every member as JSON, so only such members can be read with it.
        found = self.zip.zip_file_retrieve(cache_id, "a.json", self.namespace)
        self.assertEqual(found, {"a": 1})
        with self.assertRaises(requests.exceptions.JSONDecodeError):
            self.zip.zip_file_retrieve(cache_id, "a.txt", self.namespace)
        answer = self.http("GET", self.path(cache_id, "file/retrieve/a.txt"))
        self.assertEqual(answer.content, b"A")
        self.assertEqual(answer.headers["content-type"], "application/octet-stream")
        self.assertIsNone(self.zip.zip_file_retrieve(cache_id, "absent", self.namespace))

    def test_file_add_sends_no_body(self):
        original = self.stored_archive({"a.txt": b"A"})["cache_id"]
        for kind, content in [("bytes", b"\x00\xff"), ("string", "tëxt".encode())]:
            with self.subTest(kind):
                add = getattr(self.zip, f"zip_file_add_from_{kind}")
                self.assertIsNone(add(original, "new", self.namespace))
                path = self.path(original, f"file/add/from/{kind}/new")
                self.assertEqual(self.http("POST", path).status_code, 400)
                content_type = "application/octet-stream" if kind == "bytes" else "text/plain"
                answer = self.http(
                    "POST", path, data=content, headers={"content-type": content_type}
                )
                self.assertEqual(answer.status_code, 200, answer.text)
                added = answer.json()
                self.assertEqual(added["operation"], "add")
                self.assertEqual(added["original_cache_id"], original)
                self.assertNotEqual(added["cache_id"], original)
                self.assertEqual(
                    self.members(added["cache_id"]), {"a.txt": b"A", "new": content}
                )
        self.assertEqual(self.members(original), {"a.txt": b"A"})

    def test_file_delete(self):
        original = self.stored_archive({"a.txt": b"A", "b.txt": b"B"})["cache_id"]
        deleted = self.zip.zip_file_delete(original, "a.txt", self.namespace)
        self.assertTrue(deleted["success"])
        self.assertEqual(deleted["operation"], "remove")
        self.assertEqual(deleted["original_cache_id"], original)
        underscored = deleted["cache_id"].replace("-", "_")
        message = f"Removed 'a.txt' from zip (new cache_id: {underscored})"
        self.assertEqual(deleted["message"], message)
        self.assertEqual(self.members(deleted["cache_id"]), {"b.txt": b"B"})
        self.assertEqual(self.members(original), {"a.txt": b"A", "b.txt": b"B"})
        self.assertIsNone(self.zip.zip_file_delete(UNKNOWN_ID, "a.txt", self.namespace))

    def test_batch_sends_no_body(self):
        original = self.stored_archive({"a.txt": b"A", "b.txt": b"B"})["cache_id"]
        self.assertIsNone(self.zip.batch_operations(original, self.namespace))
        path = self.path(original, "batch/operations")
        self.assertEqual(self.http("POST", path).status_code, 400)
        operations = [
            {"action": "add", "path": "c.txt", "content": "C"},
            {"action": "remove", "path": "a.txt"},
            {"action": "replace", "path": "b.txt", "content": "BB"},
            {"action": "rename", "path": "c.txt", "new_path": "d.txt"},
        ]
        answer = self.http("POST", path, json={"operations": operations})
        self.assertEqual(answer.status_code, 200, answer.text)
        done = answer.json()
        self.assertTrue(done["success"])
        self.assertEqual((done["operations_applied"], done["operations_failed"]), (4, 0))
        self.assertEqual(done["original_cache_id"], original)
        self.assertEqual(done["files_added"], ["c.txt"])
        self.assertEqual(done["files_removed"], ["a.txt"])
        self.assertEqual(done["files_modified"], ["b.txt", "c.txt", "d.txt"])
        self.assertFalse(done["rollback_performed"])
        self.assertEqual(self.members(done["cache_id"]), {"b.txt": b"BB", "d.txt": b"C"})

    def test_batch_takes_all_or_nothing(self):
        original = self.stored_archive({"a.txt": b"A"})["cache_id"]
        operations = [
            {"action": "add", "path": "b.txt", "content": "B"},
            {"action": "remove", "path": "absent"},
        ]
        answer = self.http(
            "POST", self.path(original, "batch/operations"), json={"operations": operations}
        )
        done = answer.json()
        self.assertFalse(done["success"])
        self.assertTrue(done["rollback_performed"])
        self.assertEqual(done["error_message"], "Atomic batch failed")
        self.assertEqual(done["cache_id"], original)
        self.assertEqual(self.members(original), {"a.txt": b"A"})
