"""The model in force as a process sees it: looked up, verified, kept; bad ones refused (M08, S10)."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from moto import mock_aws

from creditmesh.decisions.serving.champion import Champion
from creditmesh.decisions.serving.model_signature import Sign, kms_sign, kms_verify, signed
from creditmesh.decisions.serving.reload import Reloader
from creditmesh.decisions.serving.stored_models import Places, StoredModels, object_key
from creditmesh.risk.artefact import Artefact
from creditmesh.risk.errors import ArtefactInvalid
from tests.support.candidates import SHIPPED, candidate

MODEL, TABLE, BUCKET, KEY = "origination", "models", "artefacts", "models/shipped.json"


class Down(Exception):
    """A service does not answer."""


class Scene:
    """A pointer, a bucket, a key, and what is asked of them."""

    def __init__(self, clients: Mapping[str, Any]) -> None:
        self.dynamodb, self.s3, self.kms = (clients[name] for name in ("dynamodb", "s3", "kms"))
        key_schema = [("model_id", "HASH"), ("record", "RANGE")]
        self.dynamodb.create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in key_schema],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in key_schema],
        )
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        self.key = self.new_key()
        self.sign: Sign = kms_sign(self.kms, self.key)
        self.put(KEY, signed(SHIPPED, self.sign))
        self.logged: list[Mapping[str, Any]] = []
        self.reads: list[str] = []
        self.now, self.down = 0.0, False
        self.s3.meta.events.register("before-parameter-build.s3.GetObject", self._read)

    def _read(self, params: Mapping[str, Any], **_: Any) -> None:
        if self.down:
            raise Down
        self.reads.append(str(params["Key"]))

    def new_key(self) -> str:
        made = self.kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
        return str(made["KeyMetadata"]["Arn"])

    def put(self, key: str, document: Any) -> None:
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(document).encode())

    def version(self, number: str, document: Mapping[str, Any] | None = None) -> str:
        """Store a version, signed unless a document is given; its hash."""
        made = candidate(number)
        content_hash = str(made["content_hash"])
        self.put(object_key(MODEL, content_hash), signed(made, self.sign) if document is None else document)
        return content_hash

    def point(self, **to: str) -> None:
        texts = {"model_id": MODEL, "record": "current", **to}
        item = {name: {"S": text} for name, text in texts.items()}
        self.dynamodb.put_item(TableName=TABLE, Item={**item, "revision": {"N": "1"}})

    def champion(self, *keys: str) -> Champion:
        stored = StoredModels(
            self.dynamodb, self.s3, Places(MODEL, TABLE, BUCKET, KEY), kms_verify(self.kms, keys or [self.key])
        )
        return Champion(
            stored, log=self.logged.append, seconds=5, transient=(Down,), monotonic=lambda: self.now
        )  # fmt: skip


@pytest.fixture
def scene(aws_clients: dict[str, Any]) -> Iterator[Scene]:
    with mock_aws():
        made = Scene(aws_clients)
        yield made
        made.s3.meta.events.unregister("before-parameter-build.s3.GetObject", made._read)


def test_the_shipped_one_is_read_once(scene: Scene) -> None:
    champion = scene.champion()
    for _ in range(5):
        scene.now += 5
        assert champion().version == "2.1.0"
    assert len(scene.reads) == 1
    assert champion.challenger() is None


def test_the_pointer_is_followed_after_seconds_not_before(scene: Scene) -> None:
    champion = scene.champion()
    champion()
    scene.point(champion=scene.version("2.2.0"), challenger=scene.version("2.3.0"))
    scene.now = 4.9
    assert champion().version == "2.1.0"
    scene.now = 5.0
    assert champion().version == "2.2.0"
    challenger = champion.challenger()
    assert challenger is not None
    assert challenger.version == "2.3.0"
    scene.now = -100.0  # a clock set back
    scene.point(champion=scene.version("2.4.0"))
    assert champion().version == "2.4.0"
    assert champion.challenger() is None


def test_any_version_is_had_by_its_hash(scene: Scene) -> None:
    champion = scene.champion()
    old = scene.version("1.0.0")
    for _ in range(3):
        assert champion.of(old).version == "1.0.0"
    assert champion.of(SHIPPED["content_hash"]).version == "2.1.0"
    assert scene.logged == []


def test_few_versions_are_kept(scene: Scene) -> None:
    champion = scene.champion()
    scene.point(champion=scene.version("2.2.0"))
    champion()
    reads = len(scene.reads)
    for number in range(12):
        champion.of(scene.version(f"1.0.{number}"))
    assert len(champion._kept) <= 5
    scene.now += 5
    champion()
    assert len(scene.reads) == reads + 12  # the champion itself is never read again


def bad(scene: Scene, kind: str) -> Mapping[str, Any]:
    good = signed(candidate("2.2.0"), scene.sign)
    signature = good["signature"]
    return {
        "unsigned": candidate("2.2.0"),
        "altered": {**good, "currency": "USD"},
        "other content": signed(candidate("9.0.0"), scene.sign),
        "other key": signed(candidate("2.2.0"), kms_sign(scene.kms, scene.new_key())),
        "no base64": {**good, "signature": {**signature, "value": "%%%"}},
        "empty": {**good, "signature": {**signature, "value": ""}},
        "cut": {**good, "signature": {**signature, "value": signature["value"][:20]}},
        "huge": {**good, "signature": {**signature, "value": base64.b64encode(b"x" * 5_000).decode()}},
        "other algorithm": {**good, "signature": {**signature, "algorithm": "ECDSA_SHA_512"}},
        "other hash": {**good, "signature": scene.sign("sha256:" + "0" * 64)},
        "other model": signed(candidate("2.2.0", lambda one: one.update(model_id="other")), scene.sign),
        "other release": signed(candidate("2.2.0", lambda one: one["scorecard"].pop("cutoff")), scene.sign),
    }[kind]


KINDS = ["unsigned", "altered", "other content", "other key", "no base64", "empty", "cut", "huge", "other algorithm",
         "other hash", "other model", "other release"]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_bad_one_is_refused_and_the_last_good_one_stays(scene: Scene, kind: str) -> None:
    champion = scene.champion()
    champion()
    content_hash = scene.version("2.2.0", bad(scene, kind))
    scene.point(champion=content_hash, challenger=content_hash)
    for _ in range(3):
        scene.now += 5
        assert champion().version == "2.1.0"
        assert champion.challenger() is None
    (line,) = scene.logged
    assert (line["event"], line["model_hash"]) == ("model_refused", content_hash)
    assert line["path"].startswith("$")
    assert line["rule"]
    scene.version("2.2.0")  # repaired
    scene.now += 5
    assert champion().version == "2.2.0"


def test_a_new_process_takes_the_one_before_a_bad_one(scene: Scene) -> None:
    previous = scene.version("2.2.0")
    scene.point(champion=scene.version("2.3.0", {}), previous=previous)
    assert scene.champion()().version == "2.2.0"


def test_without_any_good_one_nothing_decides(scene: Scene) -> None:
    scene.put(KEY, {"no": "model"})
    with pytest.raises(ArtefactInvalid):
        scene.champion()()
    assert [line["model_hash"] for line in scene.logged] == ["shipped"]


def test_what_is_missing_is_refused(scene: Scene) -> None:
    champion = scene.champion()
    scene.point(champion="sha256:" + "0" * 64)
    with pytest.raises(ArtefactInvalid):
        champion()
    with pytest.raises(ArtefactInvalid):
        champion.of("sha256:" + "1" * 64)


def test_a_service_that_does_not_answer_changes_nothing(scene: Scene) -> None:
    champion = scene.champion()
    champion()
    scene.point(champion=scene.version("2.2.0"))
    scene.now, scene.down = 5.0, True
    assert champion().version == "2.1.0"
    assert scene.logged == [{"event": "model_not_looked_up", "error": "Down"}]
    scene.now, scene.down = 10.0, False
    assert champion().version == "2.2.0"
    scene.down = True
    with pytest.raises(Down):
        scene.champion()()


def test_an_earlier_key_counts_while_it_is_trusted(scene: Scene) -> None:
    new = scene.new_key()
    assert scene.champion(new, scene.key)().version == "2.1.0"
    with pytest.raises(ArtefactInvalid):
        scene.champion(new)()


class Preparing:
    """Prepares a model; fails as often as told."""

    def __init__(self) -> None:
        self.failures, self.made = 0, list[str]()

    def __call__(self, artefact: Artefact) -> SimpleNamespace:
        if self.failures:
            self.failures -= 1
            raise Down
        self.made.append(artefact.version)
        return SimpleNamespace(version=artefact.version)


def test_a_new_champion_is_prepared_once_and_taken_once(scene: Scene) -> None:
    champion, prepare = scene.champion(), Preparing()
    reloader = Reloader(champion, prepare, champion(), log=scene.logged.append, errors=(Down,))
    reloader.look()
    assert reloader.take() is None
    scene.point(champion=scene.version("2.2.0"), challenger=scene.version("2.3.0"))
    scene.now, prepare.failures = 5.0, 1
    reloader.look()
    assert reloader.take() is None
    assert [line["event"] for line in scene.logged] == ["model_not_prepared"]
    for _ in range(3):
        reloader.look()
    taken = reloader.take()
    assert taken is not None
    assert (taken[0].version, taken[1].version, prepare.made) == ("2.2.0", "2.2.0", ["2.2.0"])
    assert reloader.take() is None
    assert reloader.challenger is not None
    assert reloader.challenger.version == "2.3.0"
    assert scene.logged[-1]["event"] == "model_switched"
    scene.point(champion=SHIPPED["content_hash"])
    scene.now = 10.0
    reloader.look()
    back = reloader.take()
    assert back is not None
    assert back[1].version == "2.1.0"
