"""Similarity of names (Jaro-Winkler, ignoring word order) and the keys that find similar names.

Pure. Scores are basis points, rounded down, and the same whichever name comes first.
"""

from __future__ import annotations

import re

FULL = 10_000
_PREFIX = 4
_SHORTEST = 3
_LATIN = re.compile("[a-z]")
_DOUBLED = re.compile(r"([a-z])\1")
_VOWELS = re.compile("(?<=[a-z])[aeiouy]")


def score_bps(one: str, other: str) -> int:
    """Similarity of two normalised names, 0 to 10,000 (10,000: equal up to word order)."""
    if one == other:
        return FULL
    best = jaro_winkler_bps(one, other)
    if " " in one or " " in other:
        best = max(best, jaro_winkler_bps(*(" ".join(sorted(text.split(" "))) for text in (one, other))))
    return best


def jaro_winkler_bps(one: str, other: str) -> int:
    """Jaro's similarity, raised for a common beginning of up to four characters by a tenth each (Winkler 1990)."""
    if one == other:
        return FULL
    if one > other:  # which characters are paired may depend on the order
        one, other = other, one
    common, swapped = _paired(one, other)
    if not common:
        return 0
    prefix = 0
    for left, right in zip(one[:_PREFIX], other[:_PREFIX], strict=False):
        if left != right:
            break
        prefix += 1
    # (m/a + m/b + (m-t)/m) / 3, then + prefix/10 of the remainder to 1; exact, then rounded down.
    sizes = len(one) * len(other) * common
    jaro = common * common * (len(one) + len(other)) + (common - swapped) * len(one) * len(other)
    whole = 3 * sizes
    return (FULL * (10 * jaro + prefix * (whole - jaro))) // (10 * whole)


def _paired(one: str, other: str) -> tuple[int, int]:
    """How many characters are found in both at about the same place, and half of how many of those are out of order."""
    reach = max(max(len(one), len(other)) // 2 - 1, 0)
    taken = bytearray(len(other))
    left = []
    for place, letter in enumerate(one):
        found = other.find(letter, max(place - reach, 0), place + reach + 1)
        while found >= 0 and taken[found]:
            found = other.find(letter, found + 1, place + reach + 1)
        if found >= 0:
            taken[found] = 1
            left.append(letter)
    if not left:
        return 0, 0
    right = [letter for letter, used in zip(other, taken, strict=True) if used]
    return len(left), sum(map(str.__ne__, left, right)) // 2


def keys(name: str) -> list[str]:
    """The keys that similar names share: the name, and the name less one character.

    Two names share a key if one becomes the other by one character lost, added or replaced, or by two neighbours that
    change places; others that share one are told apart by their score. A name of three characters or fewer loses none.
    Spaces do not count. Names of Latin letters lose doubled letters, and vowels after a word's first letter, so that
    spellings come together; their words count as written and in one order.
    """
    found: dict[str, None] = {}
    for whole in skeletons(name):
        found[whole] = None
        if len(whole) > _SHORTEST:
            found |= dict.fromkeys(whole[:place] + whole[place + 1 :] for place in range(len(whole)))
    return list(found)


def skeletons(name: str) -> list[str]:
    """What of a normalised name its keys are made of."""
    if not _LATIN.search(name):
        return [name.replace(" ", "")]
    words = [_VOWELS.sub("", _DOUBLED.sub(r"\1", word)) for word in name.split(" ")]
    return list(dict.fromkeys(("".join(words), "".join(sorted(words)))))
