"""Talks over a local socket with nothing but Python's asyncio.

    python3 peer.py listen PATH     echoes one connection until the end, and then ends it
    python3 peer.py connect PATH    sends a megabyte and ends, and wants it back

A line on the standard output tells each step.
"""
import asyncio
import sys


def say(line):
    print(line, flush=True)


async def listen(path):
    ended = asyncio.Event()

    async def echo(reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        say("ended")
        writer.close()
        await writer.wait_closed()
        ended.set()

    server = await asyncio.start_unix_server(echo, path)
    say("listening")
    await ended.wait()
    server.close()


async def connect(path):
    reader, writer = await asyncio.open_unix_connection(path)
    say("connected")
    sent = (b"a megabyte of this. " * (2**20 // 20 + 1))[: 2**20]
    reading = asyncio.create_task(reader.read())
    writer.write(sent)
    await writer.drain()
    writer.write_eof()
    say("same" if await reading == sent else "different")
    writer.close()


asyncio.run({"listen": listen, "connect": connect}[sys.argv[1]](sys.argv[2]))
