"""Characters that mean the same are one, others never (F9, F11)."""

from __future__ import annotations

import pytest

from creditmesh.kernel.errors import InvalidInput
from creditmesh.screening.model import Kind
from creditmesh.screening.normalise import normalise


def name(text: str) -> str:
    return normalise(Kind.NAME, text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("無錫藥業測試有限公司", "无锡药业测试有限公司"),
        ("臺灣颱風檯燈廠", "台湾台风台灯厂"),
        ("廣東鐘錶製造廠", "广东钟表制造厂"),
        ("頭髮與發展", "头发与发展"),
        ("裏裡麵館", "里里面馆"),
        ("峯羣祕書社", "峰群秘书社"),
        ("衞生爲綫", "卫生为线"),
        ("乾隆乾果", "干隆干果"),
        ("⻋行测试", "车行测试"),
        ("⻢行测试", "马行测试"),
        ("⾺行测试", "馬行测试"),
        ("⾞⾏测试", "车行测试"),
        ("⻘⻥⻦⻰", "青鱼鸟龙"),
        ("⺟⻔⻝品", "母门食品"),
        ("⻨⻩⻬⻮", "麦黄齐齿"),
        ("㇐㇑天邦", "一丨天邦"),
        ("金\uf90a天邦", "金金天邦"),
        ("\U0002f81a天邦", "冬天邦"),
        ("二〇二天邦", "二零二天邦"),
        ("二○二天邦", "二零二天邦"),
        ("二◯二天邦", "二零二天邦"),
        ("二０二天邦", "二零二天邦"),
        ("二O二天邦", "二零二天邦"),
        ("一○○天邦", "一零零天邦"),
        ("葛\U000e0100城天邦", "葛城天邦"),
        ("辻\ufe00天邦", "辻天邦"),
        ("天\u034f邦", "天邦"),
        ("天\u3164邦\u115f", "天邦"),
        ("天\u2060邦\u202e", "天邦"),
        ("Ti\u00adan\u200bbang", "tianbang"),
        ("Cafe\u0301 Tianbang", "Café Tianbang"),
        ("Cafe\u034f\u0301 Tianbang", "Café Tianbang"),
    ],
)
def test_two_spellings_of_one_name(one: str, other: str) -> None:
    assert name(one) == name(other)


@pytest.mark.parametrize(
    "names",
    [
        ("⻋行测试", "⻢行测试", "行测试"),
        ("⺀行测试", "⺁行测试", "行测试"),
        ("㇀行测试", "㇁行测试", "行测试"),
        ("\ue81e行测试", "\ue81f行测试", "行测试"),
        ("\U000f0000行测试", "\U0010fffd行测试", "行测试"),
        ("𠀀行测试", "𪛖行测试", "行测试"),
        ("\U0002a700行测试", "\U0002b740行测试", "\U0002b820行测试", "\U0002ceb0行测试", "行测试"),
        ("\U00030000行测试", "\U0003134a行测试", "行测试"),
        ("\U00031350行测试", "\U000323af行测试", "行测试"),
        ("\U0002ebf0行测试", "\U0002ee5d行测试", "行测试"),
        ("\ufa0e行测试", "\ufa0f行测试", "行测试"),
        ("张□明", "张明", "张〓明", "张\ufffd明"),
        ("⿰土云行", "⿱土云行", "土云行"),
        ("བོད་ཁང", "བད་ཁང", "བུད་ཁང"),
        ("二零行", "二行", "零行"),
        ("第一OK店", "第一零K店"),
        ("第7-11店", "第711店"),
        ("7-11 Store", "711 Store"),
    ],
)
def test_names_that_differ_in_a_rare_character_stay_different(names: tuple[str, ...]) -> None:
    assert len({name(one) for one in names}) == len(names)


@pytest.mark.parametrize(
    "written", ["\u200b\u200b", "\u3164\u115f\u1160", "\u0007\u0007", "\u202e\ufe00", "\u034f\u00ad天"]
)
def test_a_name_of_invisible_characters_is_none(written: str) -> None:
    with pytest.raises(InvalidInput):
        name(written)
