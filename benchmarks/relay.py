"""A TCP relay that makes a server on loopback as far away as a real one: `python -m benchmarks.relay HOST:PORT MILLISECONDS`.

Prints its port, then passes everything on. A round trip takes that many milliseconds longer, half of them each way, and a new
connection costs a round trip of its own. It ends with its standard input. Not a model of a network: no loss, no limit of
bandwidth, no TLS.
"""

import asyncio
import sys


async def main(target: str, milliseconds: float) -> None:
    """Relay until standard input ends."""
    host, _, port = target.rpartition(":")
    delay = milliseconds / 2000

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(2 * delay)
        there_reader, there_writer = await asyncio.open_connection(host, int(port))
        await asyncio.gather(pass_on(reader, there_writer, delay), pass_on(there_reader, writer, delay))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    """Pass on what comes, each piece that much later; pieces that follow each other closely travel together."""
    loop = asyncio.get_running_loop()
    try:
        while data := await reader.read(1 << 16):
            loop.call_later(delay, writer.write, data)
        await asyncio.sleep(delay)
    except OSError:
        pass  # one side is gone; so is the other
    writer.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
