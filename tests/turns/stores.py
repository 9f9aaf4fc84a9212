"""The stores that the two services share: where they are, and what else can look into them."""

import os
import pathlib
import sqlite3
import uuid
import zipfile

ENDPOINT = "LARDER_TEST_S3_ENDPOINT"


class Damaged(Exception):
    """A third reader does not find the store whole."""


class Store:
    """Embedded stores are in a scratch folder; `settings` are the same for both services."""

    # Whether the Python service can list there.
    lists = False
    # Whether the Python service is so slow there that it gets less to do.
    slow = False

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def settings(self):
        return {f"CACHE__SERVICE__{name}": value for name, value in self.variables().items()}

    def check(self):
        """Looks at the store while nobody serves it."""

    def close(self):
        pass


class Disk(Store):
    name = "local_disk"

    def variables(self):
        return {"STORAGE_MODE": self.name, "LOCAL_DISK_PATH": str(self.folder / "tree")}

    def check(self):
        own = self.folder / "tree" / ".larder" / "tmp"
        left = [path for path in own.rglob("*") if path.is_file()] if own.exists() else []
        if left:
            raise Damaged(f"left over in the tree: {left[:5]}")


class Sqlite(Store):
    name = "sqlite"

    def variables(self):
        return {"STORAGE_MODE": self.name, "SQLITE_PATH": str(self.folder / "cache.sqlite")}

    def check(self):
        file = self.folder / "cache.sqlite"
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
            (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
            query = "SELECT count(*) - count(DISTINCT path) FROM memory_fs_files"
            (twice,) = connection.execute(query).fetchone()
        connection.close()
        if verdict != "ok" or twice:
            raise Damaged(f"integrity_check: {verdict}; {twice} paths twice")


class Zip(Store):
    name = "zip"
    # Each of its writes packs the whole archive again.
    slow = True

    def variables(self):
        return {"STORAGE_MODE": self.name, "ZIP_PATH": str(self.folder / "cache.zip")}

    def check(self):
        beside = sorted(path.name for path in self.folder.iterdir())
        if [name for name in beside if "journal" in name]:
            raise Damaged(f"a journal is left after the end: {beside}")
        with zipfile.ZipFile(self.folder / "cache.zip") as archive:
            names = archive.namelist()
            bad = archive.testzip()
        if bad or len(names) != len(set(names)):
            raise Damaged(f"first bad member: {bad}; {len(names)} members, {len(set(names))} names")


class Bucket(Store):
    """A new bucket on a server that is given, removed at the end."""

    name = "s3"
    lists = True

    def __init__(self, folder):
        super().__init__(folder)
        import boto3

        self.endpoint = os.environ[ENDPOINT]
        self.bucket = f"larder-turns-{uuid.uuid4().hex[:12]}"
        self.region = (
            os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        )
        self.client = boto3.client("s3", endpoint_url=self.endpoint, region_name=self.region)

    def variables(self):
        return {"STORAGE_MODE": self.name, "BUCKET_NAME": self.bucket}

    def settings(self):
        aws = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        # Each service reads another of the two names of the region.
        region = {"AWS_REGION": self.region, "AWS_DEFAULT_REGION": self.region}
        return super().settings() | aws | region | {"AWS_ENDPOINT_URL": self.endpoint}

    def close(self):
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        for page in pages:
            for found in page.get("Contents", []):
                self.client.delete_object(Bucket=self.bucket, Key=found["Key"])
        self.client.delete_bucket(Bucket=self.bucket)


STORES = {store.name: store for store in (Disk, Sqlite, Zip, Bucket)}
