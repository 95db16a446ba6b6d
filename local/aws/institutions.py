"""The institutions' address book for a real account, checked before its upload."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aws.parameters import read_object
from aws.target import Refused

KINDS = ("tax", "registry", "lender", "judicial", "credit_bureau", "shop", "education", "anti_fraud", "source")
"""Kinds known to the platform; ``source`` is any other source of data, which channels name by id."""
_FIELDS = {"kind", "name", "base_url", "login_url", "products_need_approval"}
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


def check(path: Path) -> Path:
    """Check the address book; returns its path.

    Raises:
        Refused: unreadable, or an institution lacks id, name, known kind or https address.
    """
    for name, one in read_object(path).items():
        _check(name, one)
    return path


def _check(name: str, one: Any) -> None:
    if not _ID.fullmatch(name):
        raise Refused(f"Institution id «{name}» must be 1 to 40 lower-case letters, digits and hyphens.")
    if not isinstance(one, dict) or not {"kind", "name", "base_url"} <= set(one) <= _FIELDS:
        optional = "login_url and, of a lender, products_need_approval"
        raise Refused(f"Institution {name} needs kind, name and base_url, may have {optional}, and nothing else.")
    if one["kind"] not in KINDS:
        raise Refused(f"Institution {name} is of an unknown kind «{one['kind']}»; known are {', '.join(KINDS)}.")
    wants_approval = one.get("products_need_approval", False)
    if not isinstance(wants_approval, bool) or (wants_approval and one["kind"] != "lender"):
        raise Refused(f"Institution {name}: products_need_approval must be true or false, and true of lenders only.")
    for field in ("base_url", "login_url"):
        address = urlsplit(str(one.get(field, "https://none")))
        if address.scheme != "https" or not address.hostname:
            raise Refused(f"Institution {name} needs a {field} with https; personal data goes there.")
