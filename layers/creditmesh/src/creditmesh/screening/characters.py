"""Characters that mean the same: widths, cases, traditional forms, radicals, zeros; what is not read is left out."""

from __future__ import annotations

import unicodedata

from opencc import OpenCC

from creditmesh.kernel.identifiers import visible

HAN = (
    "\u2e80-\u2fff\u3005-\u3007\u31c0-\u31ef\u3400-\u4dbf\u4e00-\u9fff\ue000-\ufaff"
    "\U00020000-\U0003ffff\U000f0000-\U0010ffff"
)
"""Ranges of Chinese characters for a regular expression, with those of private use and of later versions of Unicode."""

_ROUNDS = 8
_RADICALS = (
    "⺁⺂⺃⺄⺅⺆⺇⺈⺉⺊⺋⺌⺍⺎⺏⺐⺑⺒⺓⺔⺕⺖⺗⺘⺙⺛⺜⺝⺞⺠⺡⺢⺣⺤⺥⺦⺧⺨⺩⺪⺫⺬⺭⺮⺯⺰⺱⺲⺳⺴⺵⺶⺷⺸⺹⺺⺻⺼⺽⺾⺿⻀⻁⻂⻃⻄"
    "⻅⻆⻇⻈⻉⻊⻋⻌⻍⻎⻏⻐⻑⻒⻓⻔⻕⻖⻗⻘⻙⻚⻛⻜⻝⻞⻟⻠⻡⻢⻣⻤⻥⻦⻧⻨⻩⻪⻫⻬⻭⻮⻯⻰⻱⻲㇆㇏㇐㇑㇒㇓㇔㇕㇖㇗㇘㇙㇚㇛㇜㇝㇞㇟㇠㇡"
)
"""Radicals and strokes that Unicode's compatibility forms leave as they are."""
_IDEOGRAPHS = (
    "厂乛乚乙亻冂𠘨刀刂卜㔾小小兀尣尢𡯂巳幺彑彐忄心扌攵旡日月歺民氵氺灬爫爫丬牛犭王𤴔目示礻𥫗糹纟罓罒㓁冗𦉫羊𦍌𦍋耂肀聿肉𦥑艹艹艹虎衤覀西"
    "见角𧢲讠贝𧾷车辶辶辶邑钅長镸长门𨸏阝雨青韦页风飞食𩙿飠饣𩠐马骨鬼鱼鸟卤麦黄黾斉齐歯齿竜龙龜亀𠃌乀一丨丿丿丶𠃍乛𠃊𠃎𠄌亅𡿨𠃋乀𠃑乚乙𠄎"
)
"""Their ideographs: Equivalent_Unified_Ideograph of Unicode 14."""
_ZEROS = "\u25cb\u25ef\u3007"
_KEPT = frozenset({"L", "N", "Mn", "Mc", "Co", "Cn"})
"""Categories: letters, numbers, marks, private use, unassigned."""
_STAND_INS = "\u25a1\u3013\ufffd"
"""What is printed for a character that was lost; without it two names could become one."""


def _simplified() -> dict[int, str]:
    """Traditional characters, with the variants of Hong Kong, and their simplified forms, by OpenCC, each by itself.

    OpenCC on whole texts would depend on neighbouring characters, which normalising removes.
    """
    han = [chr(code) for code in range(0x3400, 0xA000)]
    simplified = OpenCC("hk2s").convert("\n".join(han)).split("\n")
    found = {ord(one): other for one, other in zip(han, simplified, strict=True) if one != other}
    return found | {ord("钜"): "巨"}  # firms use it as the simplified form of 鉅, which OpenCC converts to 巨


class _Letters(dict[int, str]):
    """What each character becomes in words; anything between words is a space. Filled as characters are met."""

    def __missing__(self, code: int) -> str:
        letter = chr(code)
        drawn = "\u2e80" <= letter <= "\u2fff" or "\u31c0" <= letter <= "\u31ef"
        category = unicodedata.category(letter)
        kept = category in _KEPT or category[0] in _KEPT or drawn or letter in _STAND_INS
        self[code] = letter if kept else " "
        return self[code]


_LETTERS = _Letters(
    _simplified() | str.maketrans(_RADICALS, _IDEOGRAPHS) | dict.fromkeys(map(ord, _ZEROS), "零")  # type: ignore[arg-type]
)


def words(text: str) -> str:
    """Half-width, lower case, simplified characters; words have one space between them.

    Characters of private use and those that this version of Unicode lacks stay: each is another character.
    """
    for _ in range(_ROUNDS):  # a replacement may have to be replaced
        before = text
        text = visible(text).casefold().translate(_LETTERS)
        if text == before:
            break
    return " ".join(text.split())
