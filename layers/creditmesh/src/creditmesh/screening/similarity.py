"""Similarity of names (Jaro-Winkler, ignoring word order) and the keys that find similar names.

Scores are basis points, rounded down, and symmetric.
"""

from __future__ import annotations

import re

from rapidfuzz.distance import Jaro, Prefix

FULL = 10_000
_PREFIX = 4
_BELOW_A_DIGIT = 1e-9
"""More than rounding errors of floats, less than the smallest distance to the next integer for names of `MAX_VALUE`."""
_SHORTEST = 3
_LATIN = re.compile("[a-z]")
_DOUBLED = re.compile(r"([a-z])\1+")
_VOWELS = re.compile("(?<=[a-z])[aeiouy]")


def score_bps(one: str, other: str) -> int:
    """Similarity of two normalised names, 0 to 10,000 (10,000: equal except for word order)."""
    if one == other:
        return FULL
    best = jaro_winkler_bps(one, other)
    if " " in one or " " in other:
        best = max(best, jaro_winkler_bps(*(" ".join(sorted(text.split(" "))) for text in (one, other))))
    return best


def jaro_winkler_bps(one: str, other: str) -> int:
    """Jaro's similarity, raised by a tenth for each of up to four common initial characters (Winkler 1990).

    At any similarity: rapidfuzz's Jaro-Winkler does not raise those up to 0.7, some of which would be hits.
    """
    if one > other:  # the pairing of characters may depend on the order
        one, other = other, one
    jaro = Jaro.similarity(one, other)
    prefix = min(Prefix.similarity(one, other), _PREFIX)
    return int((jaro + prefix / 10 * (1 - jaro)) * FULL + _BELOW_A_DIGIT)


def keys(name: str) -> list[str]:
    """The keys that similar names share: the name, and the name without one of its characters.

    Two names share a key if they differ by one character lost, added or replaced, or by two swapped neighbours; other
    names that share one are rejected by score. Names of three characters or fewer lose none. Spaces do not count. Names
    in Latin letters lose doubled letters and vowels after a word's first letter, so that spellings converge; their
    words are taken both in given order and sorted.
    """
    found: dict[str, None] = {}
    for whole in skeletons(name):
        found[whole] = None
        if len(whole) > _SHORTEST:
            found |= dict.fromkeys(whole[:place] + whole[place + 1 :] for place in range(len(whole)))
    return list(found)


def skeletons(name: str) -> list[str]:
    """The forms of a normalised name that its keys are derived from."""
    if not _LATIN.search(name):
        return [name.replace(" ", "")]
    words = [_VOWELS.sub("", _DOUBLED.sub(r"\1", word)) for word in name.split(" ")]
    return list(dict.fromkeys(("".join(words), "".join(sorted(words)))))
