"""Values are made of known parts and written in many ways; what is read is compared with them (F3, F10, F17, X4)."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime, time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from creditmesh.kernel.errors import InvalidInput
from creditmesh.screening.characters import words
from creditmesh.screening.import_lines import FIELDS, LineReader, Taken, columns_of
from creditmesh.screening.import_model import Rejected
from creditmesh.screening.model import EntryKey, Kind, ListName, NoSuchEntry, hash_of
from creditmesh.screening.normalise import normalise
from creditmesh.screening.segment import NEVER

GAPS = st.sampled_from(["", " ", "-", "\u00a0", "\u2010", "\u2014", "\uff0d", "\u3000", "\u200b"])
WIDE = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)})
WIDTHS = st.sampled_from([{}, WIDE])
ENDS = st.sampled_from(["", " ", "\t", "\u00a0", "\ufeff", "\u202c"])


def spread(digits: str, gaps: list[str]) -> str:
    return "".join(digit + gap for digit, gap in zip(digits, [*gaps, ""], strict=True))


COUNTRY_CODES = st.sampled_from(["", "+86", "+86 ", "0086", "86", "(+86)", "+860"])
MOBILE_EXTENSIONS = st.sampled_from(["", "转8", " ext. 12", "x123456", "轉1"])
LANDLINES = st.sampled_from(["{}-{}", "{} {}", "({}){}", "{}—{}", "({}) {}"])
LANDLINE_EXTENSIONS = st.sampled_from(["", "-1", "-801", "—801", " - 8001", "转801", " ext 8", "-123456"])


@given(st.from_regex("1[3-9][0-9]{9}", fullmatch=True), st.data(), COUNTRY_CODES, MOBILE_EXTENSIONS, WIDTHS, ENDS)
def test_mobile_numbers(
    digits: str, data: st.DataObject, prefix: str, extension: str, width: dict[int, str], end: str
) -> None:
    written = prefix + spread(digits, data.draw(st.lists(GAPS, min_size=10, max_size=10))) + extension
    assert normalise(Kind.PHONE, f"{end}{written.translate(width)}{end}") == f"+86{digits}"


@given(
    st.sampled_from(["010", "021", "0755", "0510", "0991"]),
    st.from_regex("[2-8][0-9]{6,7}", fullmatch=True),
    LANDLINE_EXTENSIONS,
    LANDLINES,
)
def test_landlines_with_and_without_an_extension(area: str, number: str, extension: str, form: str) -> None:
    written = form.format(area, number)
    assert normalise(Kind.PHONE, written + extension) == f"+86{area[1:]}{number}"


@given(st.binary(min_size=6, max_size=6), st.sampled_from([":", "-"]), st.booleans(), st.booleans(), ENDS)
def test_mac_addresses(octets: bytes, gap: str, is_short: bool, is_upper: bool, end: str) -> None:
    assume(octets not in (bytes.fromhex("020000000000"),) and len(set(octets.hex())) > 1)
    assume(octets.hex() not in "0123456789abcdef0123456789abcdef")
    written = gap.join(f"{octet:x}" if is_short else f"{octet:02x}" for octet in octets)
    assert normalise(Kind.DEVICE, end + (written.upper() if is_upper else written) + end) == octets.hex()
    dotted = ".".join(octets.hex()[place : place + 4] for place in (0, 4, 8))
    assert normalise(Kind.DEVICE, dotted) == octets.hex()


@given(st.sampled_from("0123456789abcdefx"), st.integers(8, 64), st.sampled_from(["", ":", "-", "."]))
def test_one_character_repeated_is_nobodys_device(letter: str, length: int, gap: str) -> None:
    with pytest.raises(InvalidInput):
        normalise(Kind.DEVICE, gap.join(letter * length))


@given(
    st.from_regex("[0-9]{12,19}", fullmatch=True), st.data(), WIDTHS, st.sampled_from(["{}", "'{}", '="{}"', "{}\t"])
)
def test_accounts(digits: str, data: st.DataObject, width: dict[int, str], form: str) -> None:
    gaps = data.draw(st.lists(GAPS, min_size=len(digits) - 1, max_size=len(digits) - 1))
    assert normalise(Kind.ACCOUNT, form.format(spread(digits, gaps).translate(width))) == digits


@given(st.sampled_from(Kind), st.integers(1, 9), st.text("0123456789", max_size=6), st.integers(9, 40), st.sampled_from(["E+", "e+"]), ENDS)  # fmt: skip  # noqa: E501
def test_scientific_notation_is_no_value_of_any_kind(
    kind: Kind, head: int, rest: str, power: int, mark: str, end: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        normalise(kind, f"{head}{'.' * bool(rest)}{rest}{mark}{power}{end}")
    assert getattr(refused.value, "rule", None) == "digits_lost"


PLACES = [
    ("江苏", "省", "无锡", "市", "滨湖区"),
    ("江苏", "省", "徐州", "市", "鼓楼区"),
    ("江苏", "省", "南京", "市", "鼓楼区"),
    ("广西", "壮族自治区", "南宁", "市", "青秀区"),
    ("内蒙古", "自治区", "锡林郭勒", "盟", "二连浩特市"),
    ("西藏", "自治区", "阿里", "地区", "噶尔县"),
    ("宁夏", "回族自治区", "银川", "市", "兴庆区"),
    ("新疆", "维吾尔自治区", "伊犁", "哈萨克自治州", "伊宁县"),
    ("青海", "省", "海南", "藏族自治州", "共和县"),
    ("吉林", "省", "吉林", "市", "船营区"),
    ("吉林", "省", "延边", "朝鲜族自治州", "延吉市"),
    ("湖南", "省", "湘西", "土家族苗族自治州", "吉首市"),
    ("浙江", "省", "台州", "市", "路桥区"),
    ("河北", "省", "唐山", "市", "路北区"),
    ("广东", "省", "中山", "市", "小榄镇"),
]
HOUSES = st.lists(st.integers(1, 3000), min_size=1, max_size=4)
STREETS = st.sampled_from(["测试路", "北京路", "上海南路", "人民大道", "江苏大街", "市场街", "解放路"])
PLACED = st.tuples(st.sampled_from(PLACES), STREETS, HOUSES)
BETWEEN = st.sampled_from(["-", "－", "—", " ", "/", "、", "·", "#", " - "])


def address(placed: tuple[tuple[str, ...], str, list[int]], head: int, gap: str, end: str) -> str:
    (province, region, city, unit, district), street, houses = placed
    heads = ["", province, province + region, f"中国{province}{region}", f" {province}{region} "]
    return f"{heads[head]}{city}{unit}{district}{street}{gap.join(map(str, houses))}{end}"


@given(
    PLACED,
    st.integers(0, 4),
    BETWEEN,
    st.sampled_from(["", "号", "号 ", "号 100001", "号(邮编518000)", "号邮政编码：518000", "号，830000"]),
)
def test_one_house_is_one_address_with_or_without_its_province(
    placed: tuple[tuple[str, ...], str, list[int]], head: int, gap: str, end: str
) -> None:
    plain = address(placed, 0, "-", end[:1])
    assert normalise(Kind.ADDRESS, address(placed, head, gap, end)) == normalise(Kind.ADDRESS, plain)


@given(PLACED, PLACED, st.integers(0, 4), st.integers(0, 4), BETWEEN, BETWEEN)
def test_another_house_is_another_address(
    one: tuple[tuple[str, ...], str, list[int]],
    other: tuple[tuple[str, ...], str, list[int]],
    head: int,
    other_head: int,
    gap: str,
    other_gap: str,
) -> None:
    equal = normalise(Kind.ADDRESS, address(one, head, gap, "号")) == normalise(
        Kind.ADDRESS, address(other, other_head, other_gap, "号")
    )
    assert equal == (one == other)


@given(HOUSES, HOUSES, BETWEEN, st.sampled_from(["栋", "单元", "号楼", "弄"]))
def test_numbers_of_houses_do_not_run_together(one: list[int], other: list[int], gap: str, unit: str) -> None:
    written = [(houses, between) for houses in (one, other) for between in (gap, unit)]
    forms = {normalise(Kind.ADDRESS, f"无锡市测试路{between.join(map(str, houses))}室") for houses, between in written}
    assert len(forms) == len({(tuple(houses), len(houses) > 1 and between) for houses, between in written})


@given(st.text(st.characters(categories=["Co", "Cn"]), max_size=6), st.text("天邦恒达", min_size=2, max_size=4))
def test_private_and_unassigned_characters_stay_as_they_are(rare: str, name: str) -> None:
    invisible = [letter for letter in rare if not words(letter)]
    assert all("\ufff0" <= letter <= "\ufff8" or letter >= "\U000e0000" or letter == "\u2065" for letter in invisible)
    kept = "".join(letter for letter in rare if letter not in invisible)
    assert words(f"{rare}{name}") == f"{kept}{name}"


CELLS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029\x85"), max_size=20).map(
    str.strip
)
DAYS = st.dates(date(1971, 1, 1), date(2099, 12, 31))
LINES = st.fixed_dictionaries(
    {
        "list": st.sampled_from(["black", "grey", "white"]),
        "kind": st.just("phone"),
        "value": st.from_regex("1[3-9][0-9]{9}", fullmatch=True),
        "reason_code": CELLS.filter(bool),
        "text": CELLS,
        "valid_from": DAYS.map(date.isoformat),
        "valid_until": DAYS.map(date.isoformat),
    }
)


def beginning(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)


def seconds(day: str) -> int:
    return int(beginning(date.fromisoformat(day)).timestamp())


@given(LINES, st.permutations(FIELDS), st.booleans(), st.sampled_from(["\n", "\r\n"]))
def test_a_written_line_is_read_as_it_was_meant(
    line: dict[str, str], order: list[str], is_csv: bool, ending: str
) -> None:
    if is_csv:
        out = io.StringIO()
        csv.writer(out, lineterminator=ending).writerows([order, [line[name] for name in order]])
        head, body = out.getvalue().split("\n", 1)
        reader = LineReader(columns_of(head), "utf-8", None, beginning)
    else:
        body, reader = (
            json.dumps({name: line[name] for name in order}) + ending,
            LineReader(None, "utf-8", None, beginning),
        )
    (found,) = reader.read(body.removesuffix("\n").encode().split(b"\n"), 2)
    begins, ends = seconds(line["valid_from"]), seconds(line["valid_until"])
    if ends <= begins:
        assert found == Rejected(line=2, field="valid_until", rule="not_later_than_valid_from")
        return
    assert isinstance(found, Taken)
    assert found.row == (2, line["list"], "phone", f"+86{line['value']}", line["reason_code"], begins, ends)
    assert (found.value, found.text) == (line["value"], line["text"] or None)


@given(LINES, st.integers(0, 400))
def test_a_json_line_that_was_cut_off_is_rejected(line: dict[str, str], place: int) -> None:
    body = json.dumps(line)
    assume(place < len(body))
    (found,) = LineReader(None, "utf-8", None, beginning).read([body[:place].encode() or b"{"], 1)
    assert found == Rejected(line=1, field="line", rule="no_json")


@given(st.sampled_from(ListName), st.sampled_from(Kind), st.integers(0, 2**64 - 1), st.text(max_size=20), st.integers(0, 80), st.sampled_from(".x-_A+ １"))  # fmt: skip  # noqa: E501
def test_an_entrys_id_is_read_back_and_no_damaged_one(
    name: ListName, kind: Kind, mark: int, source: str, place: int, letter: str
) -> None:
    key = EntryKey.of(name, kind, f"{mark:016x}", source)
    assert EntryKey.parse(key.entry_id) == key
    assert key.source_hash == hash_of(source)
    place %= len(key.entry_id)
    assume(key.entry_id[place] != letter)
    with pytest.raises(NoSuchEntry):
        EntryKey.parse(key.entry_id[:place] + letter + key.entry_id[place + 1 :])


def test_an_entry_without_days_is_always_in_force() -> None:
    (found,) = LineReader(None, "utf-8", ListName.GREY, beginning).read(
        [b'{"kind": "phone", "value": "13800138000", "reason_code": "x"}'], 1
    )
    assert isinstance(found, Taken)
    assert (found.row.list_name, found.row.begins, found.row.ends) == (ListName.GREY, 0, NEVER)
