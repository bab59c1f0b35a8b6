"""Echoes over a Unix socket, with nothing but Python's own socket module.

    echo.py connect|listen stream|message PATH

A connection gets back each piece that it sends, until it ends. "listening" or "connected" says when it is ready; a
second line, "ended", says that the peer's end was seen.
"""

import os
import socket
import sys

TYPES = {"stream": socket.SOCK_STREAM, "message": socket.SOCK_SEQPACKET}


def echo(connection):
    while piece := connection.recv(1 << 20):
        connection.sendall(piece)
    print("ended", flush=True)


def main(role, kind, path):
    with socket.socket(socket.AF_UNIX, TYPES[kind]) as s:
        if role == "connect":
            s.connect(path)
            print("connected", flush=True)
            echo(s)
        else:
            s.bind(path)
            s.listen()
            print("listening", flush=True)
            with s.accept()[0] as connection:
                echo(connection)
            os.unlink(path)


main(*sys.argv[1:])
