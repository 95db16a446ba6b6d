"""Access to Parquet folders, local or s3://, for pyarrow and polars.

Endpoint, region and credentials come from the environment, as boto3 reads them; so it works on the embedded cloud.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow.fs as pafs


@dataclass(frozen=True)
class Place:
    """A file or folder: ``uri`` for polars; ``path`` within ``files`` for pyarrow."""

    uri: str
    path: str

    @property
    def remote(self) -> bool:
        return self.uri.startswith("s3://")

    def files(self) -> Any:
        return _s3() if self.remote else pafs.LocalFileSystem()

    def below(self, name: str) -> Place:
        return Place(f"{self.uri.rstrip('/')}/{name}", f"{self.path.rstrip('/')}/{name}")

    def parquet_files(self) -> list[Place]:
        """The Parquet files at any depth, by name, without hidden files and those of unfinished jobs."""
        files = self.files()
        if files.get_file_info(self.path).type == pafs.FileType.File:
            return [self]
        found = files.get_file_info(pafs.FileSelector(self.path, recursive=True, allow_not_found=True))
        inner = sorted(info.path[len(self.path) :].lstrip("/") for info in found if info.type == pafs.FileType.File)
        shown = [name for name in inner if not any(part.startswith(("_", ".")) for part in name.split("/"))]
        return [self.below(name) for name in shown if name.endswith(".parquet")]

    def is_empty(self) -> bool:
        return not self.files().get_file_info(pafs.FileSelector(self.path, recursive=True, allow_not_found=True))

    def read_text(self) -> str:
        with self.files().open_input_stream(self.path) as stream:
            return bytes(stream.read()).decode("utf-8")

    def write_text(self, text: str) -> None:
        with self.output_stream() as stream:
            stream.write(text.encode("utf-8"))

    def output_stream(self) -> Any:
        """A stream that replaces the file, creating its folder if needed."""
        files = self.files()
        if not self.remote:
            files.create_dir(str(Path(self.path).parent), recursive=True)
        return files.open_output_stream(self.path)


def place(uri: str) -> Place:
    """Return the place of an s3:// URI, a file:// URI or a local path.

    Raises:
        ValueError: another kind of URI.
    """
    parts = urlsplit(uri)
    if parts.scheme == "s3" and parts.netloc:
        return Place(uri, parts.netloc + parts.path)
    if parts.scheme not in ("", "file"):
        raise ValueError(f"expected an s3:// URI or a local path, not {uri}")
    path = str(Path(parts.path if parts.scheme else uri).absolute())
    return Place(path, path)


def polars_options() -> dict[str, str]:
    """Polars' storage options for the endpoint that the environment names."""
    endpoint, region = _endpoint(), os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    options = {"aws_region": region} if region else {}
    if endpoint:
        options |= {"aws_endpoint_url": endpoint, "aws_allow_http": str(endpoint.startswith("http://")).lower()}
    return options


def _s3() -> Any:
    endpoint, region = _endpoint(), os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    settings: dict[str, str] = {"region": region} if region else {}
    if endpoint:
        parts = urlsplit(endpoint)
        settings |= {"endpoint_override": parts.netloc, "scheme": parts.scheme}
    return pafs.S3FileSystem(**settings)


def _endpoint() -> str | None:
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
