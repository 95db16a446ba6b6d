"""One form for everything that means the same (M05)."""

from __future__ import annotations

import pytest

from creditmesh.kernel.errors import InvalidInput
from creditmesh.kernel.identifiers import DamagedValue
from creditmesh.screening.model import Kind
from creditmesh.screening.normalise import normalise


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("霁州天邦运输有限公司", "霁州天邦运输"),
        ("霁州天邦运输有限责任公司", "霁州天邦运输"),
        ("霁州天邦运输股份有限公司", "霁州天邦运输"),
        ("霁州天邦运输集团有限公司", "霁州天邦运输"),
        ("霁州（天邦）运输 有限公司", "霁州天邦运输"),
        ("東華電子有限公司", "东华电子"),
        ("鉅鑫塑膠製品廠", "巨鑫塑胶制品厂"),
        ("钜鑫塑胶制品厂", "巨鑫塑胶制品厂"),
        ("乾隆窯業", "干隆窑业"),
        ("Ｊｉｚｈｏｕ　Ｔｉａｎｂａｎｇ Transport Co., Ltd.", "jizhou tianbang transport"),
        ("Jizhou Tianbang Transport Company Limited", "jizhou tianbang transport"),
        ("JIZHOU TIANBANG TRANSPORT (GROUP) LLC", "jizhou tianbang transport"),
        ("A & B Trading Inc.", "a and b trading"),
        ("A＆B Trading", "a and b trading"),
        ("集团", "集团"),
        ("X Ltd", "x ltd"),
        ("Group", "group"),
        ("天邦·恒达", "天邦恒达"),
        ("zero\u200bwidth ltd", "zerowidth"),
        ("合伙 (有限合伙)", "合伙"),
    ],
)
def test_names(written: str, name: str) -> None:
    assert normalise(Kind.NAME, written) == name


@pytest.mark.parametrize(
    ("written", "phone"),
    [
        ("13800138000", "+8613800138000"),
        ("+86 138-0013-8000", "+8613800138000"),
        ("０１０－１２３４５６７８", "+861012345678"),
        ("(010) 1234 5678 转 123", "+861012345678"),
        ("0086-010-12345678", "+861012345678"),
        ("+86 (010) 12345678 ext. 9", "+861012345678"),
        ("86 13800138000", "+8613800138000"),
        ("400 123 4567", "+864001234567"),
        ("0755-26681234-801", "+8675526681234"),
        ("0755-2668123-8", "+867552668123"),
        ("(0755)26681234—801", "+8675526681234"),
        ("010-1234-5678", "+861012345678"),
        ("'138\u20110013\u20118000\u202c", "+8613800138000"),
        ("+1 (212) 555-0100", "+12125550100"),
        ("0044 20 7946 0000", "+442079460000"),
    ],
)
def test_phones(written: str, phone: str) -> None:
    assert normalise(Kind.PHONE, written) == phone


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("广东省深圳市南山区科技路1号A座3楼", "深圳南山科技路1号a座3楼"),
        ("中国广东省深圳市 南山区 科技路１号 518000", "深圳南山科技路1号"),
        ("霁州市青松路12号", "霁州青松路12号"),
        ("内蒙古自治区呼和浩特市新城区人民路1号", "呼和浩特新城人民路1号"),
        ("No. 1 Keji Rd., Nanshan Dist., Shenzhen", "1 keji road nanshan district shenzhen"),
        ("1 Keji Road, Nanshan District, Shenzhen", "1 keji road nanshan district shenzhen"),
    ],
)
def test_addresses(written: str, address: str) -> None:
    assert normalise(Kind.ADDRESS, written) == address


@pytest.mark.parametrize(
    ("kind", "written", "normal"),
    [
        (Kind.TAXPAYER_ID, " 91350100m000100y43 ", "91350100M000100Y43"),
        (Kind.TAXPAYER_ID, "９１３５０１００Ｍ０００１００Ｙ４３", "91350100M000100Y43"),
        (Kind.PERSON, "11010519491231002x", "11010519491231002X"),
        (Kind.PERSON, "110105491231002", "11010519491231002X"),
        (Kind.DEVICE, "{550E8400-E29B-41D4-A716-446655440000}", "550e8400e29b41d4a716446655440000"),
        (Kind.DEVICE, "0:1a:2b:3c:4d:5e", "001a2b3c4d5e"),
        (Kind.DEVICE, "11-2-33-44-55-66", "110233445566"),
        (Kind.DEVICE, "001A.2B3C.4D5E", "001a2b3c4d5e"),
        (Kind.DEVICE, "49-015420-323751-8", "490154203237518"),
        (Kind.DEVICE, "'4901542\u200b03237518\t", "490154203237518"),
        (Kind.ACCOUNT, "6222\u00a00202\u30000011\uff0d2233\t445", "6222020200112233445"),
        (Kind.ACCOUNT, '="6222020200112233445"', "6222020200112233445"),
        (Kind.ACCOUNT, "de89 3704 0044 0532 0130 00", "DE89370400440532013000"),
    ],
)
def test_numbers(kind: Kind, written: str, normal: str) -> None:
    assert normalise(kind, written) == normal


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        (Kind.TAXPAYER_ID, "91350100M000100Y44"),
        (Kind.PERSON, "110105194912310021"),
        (Kind.PERSON, "1101054912310020"),
        (Kind.DEVICE, "1234"),
        (Kind.ACCOUNT, "ABCDEFGH"),
        (Kind.ACCOUNT, "6222020200112233/445"),
        (Kind.ACCOUNT, "6222020200112233,5"),
        (Kind.ACCOUNT, "6222020200\ue000112233"),
        (Kind.PHONE, "12345678"),
        (Kind.PHONE, "13800138000/13900139000"),
        (Kind.PHONE, "call me"),
        (Kind.PHONE, ""),
        (Kind.ADDRESS, "1号"),
        (Kind.NAME, "…"),
        (Kind.NAME, "x" * 401),
    ],
)
def test_what_is_none_of_its_kind_is_refused(kind: Kind, written: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        normalise(kind, written)
    assert refused.value.field == "value"


@pytest.mark.parametrize(
    "written",
    ["02:00:00:00:00:00", "2:0:0:0:0:0", "00:00:00:00:00:00", "FF-FF-FF-FF-FF-FF", "ffff.ffff.ffff", "000000000000000",
     "０００００００００００００００", "9774d56d682e549c", "00000000-0000-0000-0000-000000000000", "0123456789ABCDEF",
     "123456789012345", "012345678912345", "004999010640000", "unknown-device", "Not Available", "undefined",
     "xxxxxxxx"],
)  # fmt: skip
def test_an_id_that_many_devices_give_is_nobodys(written: str) -> None:
    with pytest.raises(InvalidInput, match="one device"):
        normalise(Kind.DEVICE, written)


@pytest.mark.parametrize("written", ["02:00:00:00:00:01", "a774d56d682e549c", "aabbccddeeff", "112233445566"])
def test_an_id_near_them_is_a_devices(written: str) -> None:
    assert normalise(Kind.DEVICE, written)


@pytest.mark.parametrize("kind", [Kind.NAME, Kind.ADDRESS])
@pytest.mark.parametrize(
    "written", ["unknown", "UNKNOWN.", "Not available", "暂无地址", "(地址不详)", "暂无 数据", "undefined"]
)
def test_what_stands_for_nothing_is_nobodys_name_or_address(kind: Kind, written: str) -> None:
    with pytest.raises(InvalidInput):
        normalise(kind, written)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("written", ["6.22202E+18", "1,38E+10", "６.２Ｅ＋１８", "'9.1E+17", "1.1E17", "#######", "#N/A", "6222020200112233.0"])  # fmt: skip  # noqa: E501
def test_what_a_spreadsheet_has_damaged_is_told_so_for_every_kind(kind: Kind, written: str) -> None:
    with pytest.raises(DamagedValue) as refused:
        normalise(kind, written)
    assert refused.value.field == "value"
