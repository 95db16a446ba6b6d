"""The platform on this machine: started in order and concurrently where possible, stopped without leftovers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Protocol

import httpx
from botocore.exceptions import BotoCoreError, ClientError

from client import Api, Bureau, channels, flows
from client.api import http_client
from cloud.supervisor import NotHealthy, PortTaken, Supervisor, require_free_port
from institutions.population import DEFAULT_POPULATION
from run import spark, stack
from run.errors import RunError
from run.estate import Estate
from run.places import ROOT, Places, Ports, write_private
from run.running import Running, aws_client
from run.users import Users

_THREADS = 16


class Steps(Protocol):
    """Observer of the start."""

    def begin(self, step: str) -> None: ...

    def end(self, step: str, note: str = "") -> None: ...

    def fail(self, step: str) -> None: ...


class Silent:
    """Ignores all steps."""

    def begin(self, step: str) -> None: ...

    def end(self, step: str, note: str = "") -> None: ...

    def fail(self, step: str) -> None: ...


class LocalPlatform:
    """One instance: embedded cloud, stack, institutions, Spark.

    Args:
        state_dir: all its files; another directory and other ports make another instance.
        ports: on 127.0.0.1 only.
        steps: observer of the start.
        population: number of made-up firms.
        latency_ms: latency of every source; for benchmarks.
        report_ms: delay of the credit bureau's reports; for benchmarks.
        lender_seconds: how long a lender may take for an answer before it counts as silent.
    """

    def __init__(
        self,
        state_dir: Path,
        ports: Ports | None = None,
        *,
        steps: Steps | None = None,
        population: int = DEFAULT_POPULATION,
        latency_ms: int = 0,
        report_ms: int | None = None,
        lender_seconds: int = stack.LENDER_SECONDS,
    ) -> None:
        self.places, self.ports = Places(state_dir.resolve()), ports or Ports()
        self.estate = Estate(self.places, self.ports, population=population, latency_ms=latency_ms, report_ms=report_ms)
        self.outputs: dict[str, str] = {}
        self._lender_seconds = lender_seconds
        self._steps: Steps = steps or Silent()
        self._pool: ThreadPoolExecutor | None = None
        self._lock: IO[str] | None = None
        self._stopping = threading.Lock()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.ports.cloud}"

    @property
    def api_url(self) -> str:
        return self.outputs["ApiUrl"]

    @cached_property
    def supervisor(self) -> Supervisor:
        """Keeps the programs running; names: ``cloud`` and the institutions' ids."""
        return Supervisor(self.places.state_dir / "logs")

    @cached_property
    def users(self) -> Users:
        return self._running.users(self.places)

    @cached_property
    def _running(self) -> Running:
        return Running.of(self.endpoint, self.outputs, self.estate.lenders)

    @cached_property
    def bureau(self) -> Bureau:
        return Bureau(http_client(self.estate.url("tax-bureau")))

    @cached_property
    def _anybody(self) -> Api:
        return Api(self.api_url)

    def api(self, role: str, tenant: str) -> Api:
        return self._anybody.as_caller(self.users.token(role, tenant))

    def aws(self, service: str) -> Any:
        return aws_client(self.endpoint, service)

    def start(self) -> None:
        """Start everything, without data of earlier runs.

        Raises:
            RunError: says what went wrong and what to do; nothing is left running.
        """
        self._lock = self.places.lock()
        try:
            self.places.forget()
            self._start()
        except (PortTaken, NotHealthy, BotoCoreError, ClientError, httpx.HTTPError) as problem:
            self.stop()
            raise RunError(f"{problem}\nThe logs are in {self.places.state_dir / 'logs'}.") from problem
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        for port in self.ports.all():
            require_free_port(port, "The platform")
        # These threads must live until the end: the kernel ends the institutions with the thread that started them.
        self._pool = pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="platform")
        with self._step("embedded cloud"):
            self._start_cloud()
        with self._step("stack"):
            values = stack.parameters(self.endpoint, self.ports.guest, self._lender_seconds)
            self.outputs = stack.deploy(self.endpoint, values, self.estate.addresses(), self.places.state_dir)
            secret = self.outputs["InstitutionsSecret"]
            self.aws("secretsmanager").put_secret_value(SecretId=secret, SecretString=self.estate.keys())
        scoring = pool.submit(self._start_spark)
        self._open_for_business(pool)
        scoring.result()
        self._running.tell(self.places)

    def _start_cloud(self) -> None:
        environment = {
            "PYTHONPATH": str(ROOT / "local"), "GATEWAY_PORT": str(self.ports.cloud),
            "STATE_DIR": str(self.places.cloud), "MINISTACK_REGION": stack.REGION,
        }  # fmt: skip
        command = [str(stack.CLOUD_PYTHON), "-m", "cloud.server"]
        self.supervisor.start("cloud", command, environment, f"{self.endpoint}/_ministack/health", timeout=60.0,
                              revive=False)  # fmt: skip

    def _open_for_business(self, pool: ThreadPoolExecutor) -> None:
        """Institutions, users, catalogue and blacklist, concurrently where they are independent."""
        self.estate.configure(self.api_url)
        staff = pool.submit(self._make_staff)
        with self._step("institutions"):
            self.estate.start(self.supervisor, pool)
        staff.result()
        listed = pool.submit(self._load_blacklist, pool)
        configured = pool.submit(self._configure_channels_and_flows, pool)
        with self._step("catalogue") as note:
            count = self.estate.push_catalogue(self.api_url, lambda name: self.users.token("lender", name)(), pool)
            note.append(f"{count} products of {len(self.estate.lenders)} lenders")
        listed.result()
        configured.result()

    def _make_staff(self) -> None:
        with self._step("users"):
            write_private(self.places.token, self.users.token("manager", "platform")())
            for role in ("risk_officer", "operator"):
                self.users.token(role, "platform")()
            for lender in self.estate.lenders:
                self.users.token("lender", lender)()

    def _load_blacklist(self, pool: ThreadPoolExecutor) -> None:
        with self._step("blacklist") as note:
            count = self.estate.load_blacklist(self.api("risk_officer", "platform"), pool)
            note.append(f"{count} firms")

    def _configure_channels_and_flows(self, pool: ThreadPoolExecutor) -> None:
        with self._step("channels and flows") as note:
            operator = self.api("operator", "platform")
            count = channels.push(operator)
            records = self.estate.load_profiles(operator, pool)
            in_force = flows.push(self.api("manager", "platform"), self.api("risk_officer", "platform"))
            note.append(f"{count} channels, {in_force} loan flows, {records} firms' profiles")

    def _start_spark(self) -> None:
        with self._step("Spark") as note:
            run = spark.ensure(self.aws("lambda"), self.outputs["EnsureScoringJobFunction"])
            logs = self.places.cloud / "emr" / run
            seconds = spark.wait(self.aws("emr-serverless"), self.outputs["ScoringApplicationId"], run, logs)
            note.append(f"resident job warm, its own start took {seconds:.1f} s")

    @contextmanager
    def _step(self, name: str) -> Iterator[list[str]]:
        self._steps.begin(name)
        note: list[str] = []
        try:
            yield note
        except BaseException:
            self._steps.fail(name)
            raise
        self._steps.end(name, *note)

    def stop(self) -> None:
        """End every process; idempotent, also after a failed start."""
        with self._stopping:
            self.supervisor.stop_all()
            if self._pool:
                self._pool.shutdown(cancel_futures=True)
                self._pool = None
            if self._lock:
                self._lock.close()
                self._lock = None
