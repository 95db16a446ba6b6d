"""Pass connections on from an address of a container network to the same ports of 127.0.0.1.

The embedded institutions listen on 127.0.0.1 only; functions in containers reach this machine under another address:
``python -m localstack_host.relay --address 172.17.0.1 --ports 4701 4702``.
"""

from __future__ import annotations

import argparse
import asyncio

_CHUNK = 65536


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(_CHUNK):
            target.write(data)
            await target.drain()
    except ConnectionError:
        pass  # the other side is told by the close below
    finally:
        target.close()


def _handler(port: int) -> object:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))

    return handle


async def serve(address: str, ports: list[int]) -> None:
    """Relay until cancelled.

    Raises:
        OSError: the address is not this machine's, or a port is taken there.
    """
    servers = [await asyncio.start_server(_handler(port), address, port) for port in ports]  # type: ignore[arg-type]
    await asyncio.gather(*(server.serve_forever() for server in servers))


def main() -> None:
    """Command line."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--address", required=True, help="where to listen")
    arguments.add_argument("--ports", required=True, nargs="+", type=int)
    options = arguments.parse_args()
    asyncio.run(serve(options.address, options.ports))


if __name__ == "__main__":
    main()
