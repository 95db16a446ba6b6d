"""A made-up third party's list of any size, and what to ask it for: the same each time.

Names are built as firms' names are: place, two or three characters of its own, trade, legal form; some characters and
trades are far more common than others, so that many names lie close together. The places do not exist.
"""

from __future__ import annotations

import itertools
import random
from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from stdnum.cn import ric, uscc

from institutions.identity import organisation_check

_PLACE_HEADS = "云栖澜星墨霁青鹿望临禾朔岚汀沐苍浔砚"
_PLACE_TAILS = "岭川港渡原州屿泽溪岫浦桥湾洲陵泉坞塘"
_BRAND = (
    "天恒瑞博嘉宏明泰盛远启安润诚凯锦翔鼎佳汇清云海星林东和永新达源丰康隆通捷创维科祥茂腾辉铭泽川峰岚舟石木禾程利诺邦益尚"
    "德信义仁智勇金玉宝龙凤虎鹏鸿雁飞跃升旺兴顺吉庆福禄喜乐美优卓越领先前步高峻山河江湖洋洲岛众联合同心力量光煌阳日月辰春夏"
    "秋冬梅兰竹菊松柏杨柳桃李杏花果实"
)
_TRADES = (
    "贸易", "科技", "商贸", "实业", "电子", "机械", "建筑", "装饰", "物流", "运输", "食品", "餐饮", "服饰", "纺织",
    "化工", "医药", "咨询", "信息技术", "网络科技", "文化传媒", "广告", "国际贸易", "新能源", "环保科技", "机电设备",
    "建材", "五金", "汽车销售", "投资管理", "供应链管理", "电子商务", "教育科技", "生物科技", "智能科技", "进出口",
    "农业发展", "包装", "塑料制品", "印刷", "家具", "家居", "酒店管理", "物业管理", "人力资源", "劳务", "安装工程",
    "园林绿化", "金属制品", "自动化设备",
)  # fmt: skip
_FORMS = ("有限公司", "有限公司", "有限公司", "有限责任公司", "股份有限公司", "")
_LATIN = (
    "ba", "bo", "chang", "da", "fei", "gang", "hai", "heng", "hong", "jia", "kai", "lan", "long",
    "ming", "ning", "peng", "qi", "rui", "shan", "tai", "tong", "wan", "xin", "yong", "yun", "ze",
    "zhi",
)  # fmt: skip
_LATIN_TRADES = (
    "Trading", "Transport", "Electronics", "Textiles", "Logistics", "Machinery", "Foods", "Chemicals",
    "Packaging", "Technology",
)  # fmt: skip
_DIGITS = "0123456789"
_PROVINCES = ("11", "13", "31", "32", "37", "44", "51", "65")
_CODE = "0123456789ABCDEFGHJKLMNPQRTUWXY"


class Line(NamedTuple):
    """One subject."""

    kind: str
    value: str


def _weighted(values: Sequence[str], chance: random.Random, steepness: float) -> Callable[[], str]:
    """A draw in which the n-th value comes n^-steepness as often as the first."""
    sums = list(itertools.accumulate((number + 1) ** -steepness for number in range(len(values))))
    return lambda: values[min(bisect(sums, chance.random() * sums[-1]), len(values) - 1)]


class Maker:
    """Draws subjects."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        places = [head + tail for head in _PLACE_HEADS for tail in _PLACE_TAILS]
        self._place = _weighted(places, self.chance, 0.7)
        self._brand = _weighted(_BRAND, self.chance, 0.5)
        self._trade = _weighted(_TRADES, self.chance, 0.8)

    def name(self) -> str:
        """A firm's name; one in five in Latin letters."""
        chance = self.chance
        if chance.random() < 0.2:
            words = ["".join(chance.choices(_LATIN, k=2)).title() for _ in range(2)]
            return (
                f"{' '.join(words)} {chance.choice(_LATIN_TRADES)} {chance.choice(('Co., Ltd.', 'Limited', 'LLC', ''))}"
            )
        brand = "".join(self._brand() for _ in range(2 if chance.random() < 0.6 else 3))
        return self._place() + ("市" if chance.random() < 0.2 else "") + brand + self._trade() + chance.choice(_FORMS)

    def number(self, kind: str) -> str:
        """A valid number of a kind."""
        chance = self.chance
        if kind == "taxpayer_id":
            organisation = "".join(chance.choices(_CODE, k=8))
            stem = f"91{chance.randrange(100000, 999999)}{organisation}{organisation_check(organisation)}"
            return stem + uscc.calc_check_digit(stem)
        if kind == "person":
            born = f"{chance.randrange(1950, 2005)}{chance.randrange(1, 13):02d}15"
            stem = f"{chance.choice(_PROVINCES)}{chance.randrange(10000):04d}{born}{chance.randrange(1000):03d}"
            return stem + ric.calc_check_digit(f"{stem}0")
        if kind == "phone":
            return "1" + chance.choice("3456789") + "".join(chance.choices(_DIGITS, k=9))
        if kind == "account":
            return "62" + "".join(chance.choices(_DIGITS, k=17))
        if kind == "device":
            return f"{chance.getrandbits(64):016x}"
        return (
            f"{self._place()}市{self._brand()}{self._brand()}路{chance.randrange(1, 2000)}号{chance.randrange(1, 40)}室"
        )

    def line(self) -> Line:
        """A subject: of ten four taxpayer ids, four names, two of the other kinds."""
        share = self.chance.random()
        if share < 0.4:
            return Line("taxpayer_id", self.number("taxpayer_id"))
        if share < 0.8:
            return Line("name", self.name())
        kind = ("person", "phone", "account", "device", "address")[int((share - 0.8) * 25)]
        return Line(kind, self.number(kind))

    def misspelt(self, name: str) -> str:
        """A name with one character lost, doubled, replaced, or two that have changed places; not in its legal form."""
        chance = self.chance
        place = chance.randrange(1, max(len(name) - 6, 2))
        head, letter, rest = name[:place], name[place : place + 1], name[place + 1 :]
        other = self._brand() if not name.isascii() else chance.choice("aeiou")
        return chance.choice(
            (head + rest, head + letter * 2 + rest, head + other + rest, head + rest[:1] + letter + rest[1:])
        )


def lines(count: int, seed: int = 1) -> Iterator[Line]:
    """The list."""
    maker = Maker(seed)
    return (maker.line() for _ in range(count))
