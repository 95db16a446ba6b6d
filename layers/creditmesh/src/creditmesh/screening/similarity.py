"""Similarity of names (Jaro-Winkler, ignoring word order) and the keys that find similar names.

Pure. Scores are basis points, rounded down, and the same whichever name comes first.
"""

from __future__ import annotations

import re

from rapidfuzz.distance import Jaro, Prefix

FULL = 10_000
_PREFIX = 4
_BELOW_A_DIGIT = 1e-9
"""More than floats lose, less than what names of `MAX_VALUE` characters may lack to the next whole number."""
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
    """Jaro's similarity, raised for a common beginning of up to four characters by a tenth each (Winkler 1990).

    However low Jaro's is: rapidfuzz's own Jaro-Winkler raises none up to 0.7, some of which would be hits.
    """
    if one > other:  # which characters are paired may depend on the order
        one, other = other, one
    jaro = Jaro.similarity(one, other)
    prefix = min(Prefix.similarity(one, other), _PREFIX)
    return int((jaro + prefix / 10 * (1 - jaro)) * FULL + _BELOW_A_DIGIT)


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
