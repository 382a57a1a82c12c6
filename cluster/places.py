"""Files at an address: ``s3://bucket/prefix`` or a folder."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Item:
    """A file at a place: its name below it, its size in bytes, a mark that changes with its content."""

    name: str
    size: int
    mark: str


class Folder:
    """A place on a file system."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def items(self) -> list[Item]:
        """All files below it, by name."""
        files = sorted(path for path in self.root.rglob("*") if path.is_file())
        return [
            Item(str(path.relative_to(self.root)), path.stat().st_size, str(path.stat().st_mtime_ns))
            for path in files
        ]

    def get(self, name: str, to: Path) -> None:
        """Copy a file from here."""
        shutil.copyfile(self.root / name, to)

    def put(self, file: Path, name: str) -> None:
        """Copy a file to here, whole or not at all."""
        target = self.root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target.with_name(f".{target.name}.part"))
        os.replace(target.with_name(f".{target.name}.part"), target)

    def delete(self, name: str) -> None:
        """Remove a file."""
        (self.root / name).unlink(missing_ok=True)


class Bucket:
    """A place on S3, reached with the machine's role or the caller's credentials."""

    def __init__(self, bucket: str, prefix: str) -> None:
        import boto3

        self.client: Any = boto3.client("s3")
        self.bucket = bucket
        self.prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def items(self) -> list[Item]:
        """All objects below the prefix, by name."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix)
        found = [item for page in pages for item in page.get("Contents", []) if not item["Key"].endswith("/")]
        return [Item(item["Key"][len(self.prefix) :], item["Size"], item["ETag"]) for item in found]

    def get(self, name: str, to: Path) -> None:
        """Download an object."""
        self.client.download_file(self.bucket, self.prefix + name, str(to))

    def put(self, file: Path, name: str) -> None:
        """Upload a file."""
        self.client.upload_file(str(file), self.bucket, self.prefix + name)

    def delete(self, name: str) -> None:
        """Remove an object."""
        self.client.delete_object(Bucket=self.bucket, Key=self.prefix + name)


def place(address: str) -> Folder | Bucket:
    """The place at ``address``."""
    if address.startswith("s3://"):
        bucket, _, prefix = address.removeprefix("s3://").partition("/")
        return Bucket(bucket, prefix)
    return Folder(Path(address).expanduser())
