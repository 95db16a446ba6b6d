"""Copies a batch job's S3 folders to local disk before the job, and changes back to S3 afterwards.

Spark from PyPI has no S3 client, and EMR's is larger than Spark itself. Hadoop's view file system, mounted over a local
folder, serves ``s3://bucket/…``, so that jobs run unchanged.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cloud.config import Config

_VIEW = "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme"
_PLACE = re.compile(r"s3://([^/\s]+)/(\S*)")
_CHECKSUM = re.compile(r"\..+\.crc")  # Hadoop's, of local files only
_Seen = tuple[int, int]


class StorageFailed(Exception):
    """S3 objects that the job names could not be fetched or stored; the message gives the reason."""


class JobStorage:
    """The s3:// arguments of one attempt, as local files.

    Args:
        folder: where the files are while the job runs.
        arguments: the entry point's arguments.
        connect: creates a boto3 client of the emulator's S3, when there is something to transfer.
    """

    def __init__(self, folder: Path, arguments: Sequence[str], connect: Callable[[], Any]) -> None:
        self._folder = folder.resolve()
        self._places = [place for word in arguments for place in _PLACE.findall(word)]
        self._connect = connect
        self._brought: dict[tuple[str, str], _Seen] = {}

    @classmethod
    def of(cls, run: dict[str, Any], folder: Path, config: Config) -> JobStorage:
        """For a job run. A streaming job accesses S3 itself, so it has no folders."""
        arguments = run["jobDriver"]["sparkSubmit"].get("entryPointArguments") or []
        return cls(folder, arguments if run["mode"] == "BATCH" else [], lambda: _client(run, config))

    def settings(self) -> list[str]:
        """spark-submit settings for the mounted folders."""
        if not self._places:
            return []
        settings = {"fs.s3.impl": _VIEW}
        for bucket in self._buckets():
            settings[f"fs.viewfs.mounttable.{bucket}.linkFallback"] = (self._folder / bucket).as_uri()
        return [word for name, value in settings.items() for word in ("--conf", f"spark.hadoop.{name}={value}")]

    def bring(self) -> None:
        """Fetch every object under the named places; a place without objects is an empty folder.

        Raises:
            StorageFailed: a bucket is missing.
        """
        self.forget()
        for bucket in self._buckets():
            (self._folder / bucket).mkdir(parents=True)
        with self._storage() as storage:
            for bucket, place in self._places:
                for key in _keys(storage, bucket, place.rstrip("/")):
                    target = self._folder / bucket / key
                    target.parent.mkdir(parents=True, exist_ok=True)
                    storage.download_file(bucket, key, str(target))
                    self._brought[bucket, key] = _seen(target)

    def take_back(self) -> None:
        """Store what the job has written or changed, delete what it has removed.

        Raises:
            StorageFailed: a bucket is missing.
        """
        found = {
            (bucket, str(path.relative_to(self._folder / bucket))): path
            for bucket in self._buckets()
            for path in (self._folder / bucket).rglob("*")
            if path.is_file() and not _CHECKSUM.fullmatch(path.name)
        }
        with self._storage() as storage:
            for (bucket, key), path in found.items():
                if self._brought.get((bucket, key)) != _seen(path):
                    storage.upload_file(str(path), bucket, key)
            for bucket, key in self._brought.keys() - found.keys():
                storage.delete_object(Bucket=bucket, Key=key)

    def forget(self) -> None:
        """Delete the local files, which contain firms' data."""
        self._brought.clear()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _buckets(self) -> set[str]:
        return {bucket for bucket, _ in self._places}

    @contextmanager
    def _storage(self) -> Iterator[Any]:
        if not self._places:
            yield None
            return
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield self._connect()
        except (Boto3Error, BotoCoreError, ClientError, OSError) as problem:
            raise StorageFailed(str(problem)) from problem


def _client(run: dict[str, Any], config: Config) -> Any:
    import boto3  # imported late: only batch jobs need it

    return boto3.client(
        "s3", endpoint_url=config.endpoint, region_name=config.region, aws_access_key_id=run["arn"].split(":")[4],
        aws_secret_access_key="test",
    )  # fmt: skip


def _keys(storage: Any, bucket: str, place: str) -> Iterator[str]:
    """The objects at or below a place, without siblings whose names start alike."""
    for page in storage.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=place):
        for entry in page.get("Contents", []):
            key: str = entry["Key"]
            if (key == place or key.startswith(f"{place}/")) and not key.endswith("/"):
                yield key


def _seen(path: Path) -> _Seen:
    told = path.stat()
    return told.st_mtime_ns, told.st_size
