"""One form for everything that means the same (M05)."""

from __future__ import annotations

import pytest

from creditmesh.kernel.errors import InvalidInput
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
        ("+1 (212) 555-0100", "+12125550100"),
        ("0044 20 7946 0000", "+442079460000"),
    ],
)
def test_phones(written: str, phone: str) -> None:
    assert normalise(Kind.PHONE, written) == phone


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("广东省深圳市南山区科技路1号A座3楼", "广东深圳南山科技路1号a座3楼"),
        ("中国广东省深圳市 南山区 科技路１号 518000", "广东深圳南山科技路1号"),
        ("霁州市青松路12号", "霁州青松路12号"),
        ("内蒙古自治区呼和浩特市新城区人民路1号", "内蒙古呼和浩特新城人民路1号"),
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
        (Kind.PHONE, "12345678"),
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
