"""Identifiers issued by others, validated by their own rules."""

from __future__ import annotations

import unicodedata

from stdnum.cn import uscc
from stdnum.exceptions import ValidationError

from creditmesh.kernel.errors import InvalidInput


def taxpayer_id(text: str, *, field: str = "taxpayer_id") -> str:
    """A unified social credit code (GB 32100-2015) in its canonical form.

    Full-width characters and spaces, as in pasted text, are converted first.

    Raises:
        InvalidInput: wrong length, characters or check digit.
    """
    folded = unicodedata.normalize("NFKC", text).replace(" ", "").upper()
    try:
        return str(uscc.validate(folded))
    except ValidationError:
        raise InvalidInput(
            "must be a unified social credit code of 18 characters with a valid check digit", field=field
        ) from None
