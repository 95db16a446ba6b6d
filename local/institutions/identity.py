"""Identities of made-up firms: a valid unified social credit code and a name, computed from the index and back."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from stdnum.cn import uscc

LARGEST_POPULATION = 10_000
_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CODES = 31**6
# Prime to 31, so that index → code is an invertible permutation.
_STEP = 104_729
_NAME_STEP = 7_919
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)

# No such cities exist; their region codes start with 99, which GB/T 2260 does not assign.
CITIES = (
    ("云岭", "Yunling"), ("栖川", "Qichuan"), ("澜港", "Langang"), ("星渡", "Xingdu"), ("墨原", "Moyuan"),
    ("霁州", "Jizhou"), ("青屿", "Qingyu"), ("鹿泽", "Luze"), ("望溪", "Wangxi"), ("临岫", "Linxiu"),
    ("禾浦", "Hepu"), ("朔桥", "Shuoqiao"),
)  # fmt: skip
_FIRST = (
    ("青", "Qing"), ("恒", "Heng"), ("瑞", "Rui"), ("博", "Bo"), ("嘉", "Jia"), ("宏", "Hong"), ("明", "Ming"),
    ("泰", "Tai"), ("盛", "Sheng"), ("远", "Yuan"), ("启", "Qi"), ("安", "An"), ("润", "Run"), ("诚", "Cheng"),
    ("凯", "Kai"), ("锦", "Jin"), ("翔", "Xiang"), ("鼎", "Ding"), ("佳", "Jia"), ("汇", "Hui"), ("清", "Qing"),
    ("云", "Yun"), ("海", "Hai"), ("天", "Tian"), ("星", "Xing"), ("林", "Lin"), ("东", "Dong"), ("和", "He"),
    ("永", "Yong"), ("新", "Xin"),
)  # fmt: skip
_SECOND = (
    ("达", "da"), ("源", "yuan"), ("丰", "feng"), ("康", "kang"), ("隆", "long"), ("通", "tong"), ("捷", "jie"),
    ("创", "chuang"), ("维", "wei"), ("科", "ke"), ("祥", "xiang"), ("茂", "mao"), ("腾", "teng"), ("辉", "hui"),
    ("铭", "ming"), ("彩", "cai"), ("泽", "ze"), ("川", "chuan"), ("峰", "feng"), ("岚", "lan"), ("舟", "zhou"),
    ("石", "shi"), ("木", "mu"), ("禾", "he"), ("程", "cheng"), ("利", "li"), ("诺", "nuo"), ("邦", "bang"),
    ("益", "yi"), ("尚", "shang"),
)  # fmt: skip
_NAMES = len(CITIES) * len(_FIRST) * len(_SECOND)


@dataclass(frozen=True)
class Name:
    """A firm's name without its trade: in Chinese, in Latin letters, and its city in both."""

    chinese: str
    latin: str
    city: str
    city_latin: str


def taxpayer_id(seed: int, index: int) -> str:
    """The firm's unified social credit code (GB 32100-2015) with both check characters."""
    number = (index * _STEP + _offset(seed)) % _CODES
    letters = ""
    for _ in range(6):
        number, digit = divmod(number, 31)
        letters = _ALPHABET[digit] + letters
    city = _name_number(seed, index) // (len(_FIRST) * len(_SECOND))
    body = f"9199{city + 1:02d}01MA{letters}"
    body += organisation_check(body[8:])
    return body + uscc.calc_check_digit(body)


def index_of(seed: int, code: str) -> int | None:
    """The index of a code, or None."""
    if len(code) != 18 or code[8:10] != "MA" or any(letter not in _ALPHABET for letter in code[10:16]):
        return None
    number = 0
    for letter in code[10:16]:
        number = number * 31 + _ALPHABET.index(letter)
    index = (number - _offset(seed)) * pow(_STEP, -1, _CODES) % _CODES
    return index if index < LARGEST_POPULATION and taxpayer_id(seed, index) == code else None


def name(seed: int, index: int) -> Name:
    """A made-up name, unique within a population."""
    rest, second = divmod(_name_number(seed, index), len(_SECOND))
    place, first = divmod(rest, len(_FIRST))
    city, city_latin = CITIES[place]
    chinese, latin = (one + other for one, other in zip(_FIRST[first], _SECOND[second], strict=True))
    return Name(chinese=chinese, latin=latin, city=city, city_latin=city_latin)


def _name_number(seed: int, index: int) -> int:
    return (index * _NAME_STEP + _offset(seed)) % _NAMES


def _offset(seed: int) -> int:
    return int.from_bytes(hashlib.sha256(f"population:{seed}".encode()).digest()[:4], "big") % _CODES


def organisation_check(organisation: str) -> str:
    """The ninth character of an organisation code (GB 11714)."""
    values = (int(letter, 36) for letter in organisation)
    total = sum(weight * value for weight, value in zip(_ORGANISATION_WEIGHTS, values, strict=True))
    return "0123456789X0"[11 - total % 11]
