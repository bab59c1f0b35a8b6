#!/usr/bin/env python3
"""Opens files for others: a server that passes open files, and a client that reads the files it is passed.

    opener.py serve NAME DIR     open files in DIR for clients, until interrupted
    opener.py read NAME FILE     ask for FILE, and print what is in it

NAME is "user:opener", say, which only you can reach.

The client sends "FILE\\n". The server answers "here it is\\n" with the file, or "cannot open it: WHY\\n" without one.
The server opens only regular files by plain names: no paths, no symbolic links.
"""

import errno
import io
import os
import shutil
import signal
import stat
import sys
import threading

import lipc

PATIENCE = 5  # seconds, the longest wait for the peer
LONGEST = 4096  # in bytes, of a name or an answer


def open_regular(directory, name):
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise ValueError("only plain names are opened")
    try:
        # O_NONBLOCK, so that a FIFO does not wait for its writer
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
        file = open(name, "rb", opener=lambda path, _: os.open(path, flags, dir_fd=directory))
    except OSError as error:
        irregular = error.errno in (errno.ELOOP, errno.EISDIR)
        raise ValueError("not a regular file" if irregular else error.strerror) from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise ValueError("not a regular file")
    return file


def serve_connection(connection, directory):
    try:
        with connection, io.BufferedReader(connection) as requests:
            while line := requests.readline(LONGEST):
                if not line.endswith(b"\n"):
                    connection.write(b"cannot open it: the name is too long\n")
                    return
                name = os.fsdecode(line[:-1])
                try:
                    file = open_regular(directory, name)
                except ValueError as why:
                    connection.write(f"cannot open it: {why}\n".encode())
                    continue
                with file:  # the client has a descriptor of its own
                    print("passing", name, flush=True)
                    connection.send_files(b"here it is\n", [file])
    except OSError as error:
        print("opener: a client:", error, file=sys.stderr)


def serve(name, path):
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    with lipc.listen(name) as listener:
        try:
            print("listening on", name, flush=True)
            while True:
                connection = listener.accept()
                threading.Thread(target=serve_connection, args=(connection, directory), daemon=True).start()
        except KeyboardInterrupt:
            pass


def read(name, path):
    if "\n" in path:
        raise ValueError("a name with a line break cannot be asked for")
    with lipc.connect(name, timeout=PATIENCE) as server:
        server.write(os.fsencode(path) + b"\n")
        answer, file = b"", None
        while not answer.endswith(b"\n") and len(answer) < LONGEST:
            data, files = server.receive_files(1024, limit=1)
            if data is None:
                raise ValueError("the opener closed the connection")
            answer += data
            if len(files) > 0:
                file = files.open()
    print("the opener says:", answer.decode(errors="replace"), end="", flush=True)
    if file is None:
        raise ValueError("no file came")
    with file:
        shutil.copyfileobj(file, sys.stdout.buffer)
        sys.stdout.flush()


def main():
    commands = {"serve": serve, "read": read}
    try:
        if len(sys.argv) != 4:
            raise ValueError("usage: opener.py serve NAME DIR | opener.py read NAME FILE")
        if sys.argv[1] not in commands:
            raise ValueError(f"no such command: {sys.argv[1]}")
        commands[sys.argv[1]](*sys.argv[2:])
    except (OSError, ValueError) as error:
        sys.exit(f"opener: {error}")


main()
