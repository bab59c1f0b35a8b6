"""Passes files over a Unix socket, with nothing but Python's own socket module.

    files.py send|receive stream|message PATH [FILE...]

It connects. "send" sends a message with the files. "receive" prints the message that comes, and then the content of
each file that came with it, a line each.
"""

import os
import socket
import sys

TYPES = {"stream": socket.SOCK_STREAM, "message": socket.SOCK_SEQPACKET}


def main(role, kind, path, *files):
    with socket.socket(socket.AF_UNIX, TYPES[kind]) as s:
        s.connect(path)
        if role == "send":
            fds = [os.open(file, os.O_RDONLY) for file in files]
            socket.send_fds(s, [b"from ", b"python"], fds)
        else:
            message, fds, flags, _ = socket.recv_fds(s, 100, 10)
            print(message.decode())
            for fd in fds:
                print(os.pread(fd, 100, 0).decode())


main(*sys.argv[1:])
