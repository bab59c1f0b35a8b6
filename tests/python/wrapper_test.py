"""Tests of examples/python/lipc.py. LIPC_LIBRARY names the library, PYTHONPATH has the folder of the wrapper."""

import array
import fcntl
import gc
import io
import os
import signal
import sys
import tempfile
import threading
import time
import unittest

import lipc


def descriptors():
    """The open descriptors."""
    found = set()
    for number in range(300):
        try:
            fcntl.fcntl(number, fcntl.F_GETFD)
            found.add(number)
        except OSError:
            pass
    return found


class WrapperTest(unittest.TestCase):
    def setUp(self):
        self.before = descriptors()
        self.directory = tempfile.mkdtemp(prefix="lipc")
        self.path = os.path.join(self.directory, "s")
        self.addCleanup(self.check_that_nothing_is_left)  # the first cleanup is the last to run

    def check_that_nothing_is_left(self):
        gc.collect()
        self.assertEqual(self.before, descriptors(), "descriptors were left open")
        os.rmdir(self.directory)  # it is empty

    def streams(self):
        a, b = lipc.pair()
        self.addCleanup(a.close)
        self.addCleanup(b.close)
        return a, b

    def test_errors_are_the_built_in_ones(self):
        with self.assertRaises(FileNotFoundError) as caught:
            lipc.connect(self.path, timeout=1)
        self.assertIsInstance(caught.exception, lipc.Error)
        self.assertEqual("LIPC_ENOENT", caught.exception.code)
        self.assertEqual(self.path, caught.exception.filename)
        self.assertIn("no such name", str(caught.exception))
        if sys.platform == "linux":
            with self.assertRaises(ConnectionRefusedError):
                lipc.connect(f"@lipc-nobody-{os.getpid()}", timeout=1)
        with lipc.listen(self.path):
            with self.assertRaises(lipc.Error) as caught:
                lipc.listen(self.path)
            self.assertEqual("LIPC_EADDRINUSE", caught.exception.code)
        for name in ("", "x" * 2000, "a\0b"):
            with self.assertRaises(ValueError):
                lipc.connect(name)
        a, b = self.streams()
        b.close()
        self.assertTrue(b.closed)
        with self.assertRaises(BrokenPipeError):
            a.write(b"x")
        with self.assertRaises(ValueError):
            b.write(b"x")

    def test_user_names_are_files_at_their_location(self):
        self.addCleanup(os.environ.pop, "XDG_RUNTIME_DIR", None)
        os.environ["XDG_RUNTIME_DIR"] = self.directory
        location = lipc.location("user:x")
        self.assertEqual(os.path.join(self.directory, "lipc", "x"), location)
        self.assertEqual(self.path, lipc.location(self.path))
        with lipc.listen("user:x") as listener, lipc.connect("user:x", 5) as client, lipc.connect(location, 5):
            self.assertEqual("user:x", listener.name())
            client.check_peer(lipc.PeerPolicy(lipc.SAME_USER))
        os.rmdir(os.path.dirname(location))
        self.assertIn("/lipc/x", lipc.location("system:x"))
        with self.assertRaises(ValueError):
            lipc.location("user:a/b")

    def test_policies_admit_only_the_users_that_they_name(self):
        own = os.geteuid()
        for policy, admitted in (
            (lipc.PeerPolicy(lipc.SAME_USER), True),
            (lipc.PeerPolicy(lipc.ANY), True),
            (lipc.PeerPolicy(uids=[own + 1, own]), True),
            (lipc.PeerPolicy(uids=[own + 1]), False),
            (lipc.PeerPolicy(), False),
        ):
            gc.collect()  # the numbers of the users stay
            with lipc.listen(self.path, clients=policy) as listener:
                listener.timeout = 0
                with lipc.connect(self.path) as client:
                    if admitted:
                        lipc.connect(self.path, server=policy).close()
                        client.check_peer(policy)
                        listener.accept().close()
                    else:
                        with self.assertRaises(PermissionError):
                            lipc.connect(self.path, server=policy)
                        with self.assertRaises(PermissionError):
                            client.check_peer(policy)
                        with self.assertRaises(PermissionError):
                            listener.accept()
                    self.assertEqual(b"", client.read(1))  # it was closed, in both cases
        with self.assertRaises(OverflowError):
            lipc.PeerPolicy(uids=[-1])

    def test_group_is_that_of_the_socket_file(self):
        group = 12345 if os.geteuid() == 0 else os.getegid()
        with lipc.listen(self.path, mode=0o660, group=group):
            self.assertEqual(group, os.stat(self.path).st_gid)

    def test_timeouts_run_out(self):
        with lipc.listen(self.path) as listener:
            listener.timeout = 0.15
            began = time.monotonic()
            with self.assertRaises(TimeoutError):
                listener.accept()
            self.assertGreaterEqual(time.monotonic() - began, 0.15)
            listener.timeout = 0
            with self.assertRaises(BlockingIOError):
                listener.accept()
        a, _ = self.streams()
        a.timeout = 0.01
        with self.assertRaises(TimeoutError):
            a.read(1)
        with self.assertRaises(TimeoutError):
            a.write(bytes(64 << 20))
        a.timeout = -1
        with self.assertRaises(ValueError):
            a.read(1)

    def test_waits_go_on_beyond_a_piece(self):
        a, b = self.streams()
        a.timeout = 30
        timer = threading.Timer(0.25, lambda: b.write(b"late"))
        timer.start()
        self.assertEqual(b"late", a.read(100))
        timer.join()

    def test_signal_handlers_run_while_something_waits(self):
        class Interrupted(Exception):
            pass

        def interrupt(*_):
            raise Interrupted

        previous = signal.signal(signal.SIGALRM, interrupt)
        try:
            a, _ = self.streams()
            with lipc.listen(self.path) as listener:
                for wait in (lambda: a.read(1), listener.accept, lambda: a.write(bytes(64 << 20))):
                    signal.setitimer(signal.ITIMER_REAL, 0.01)
                    with self.assertRaises(Interrupted):
                        wait()
        finally:
            signal.signal(signal.SIGALRM, previous)

    def test_streams_carry_bytes_until_their_end(self):
        with lipc.listen(self.path, mode=0o640) as listener:
            self.assertEqual(0o640, os.stat(self.path).st_mode & 0o777)
            self.assertEqual(self.path, listener.name())
            with lipc.connect(self.path, timeout=5) as client, listener.accept() as server:
                self.assertEqual(os.getpid(), server.peer_credentials().pid)
                self.assertEqual(os.geteuid(), client.peer_credentials().uid)
                self.assertEqual((self.path, ""), (client.peer_name(), client.local_name()))
                numbers = array.array("i", [1, 2, 3])
                views = memoryview(b"view")[1:], memoryview(b"a-b-c")[::2]
                for data in (b"bytes", bytearray(b"array"), numbers, b"", *views):
                    expected = memoryview(data).tobytes()
                    self.assertEqual(len(expected), client.write(data))
                    self.assertEqual(expected, server.read(len(expected)))
                into = bytearray(10)
                server.write(b"back")
                self.assertEqual(4, client.readinto(memoryview(into)[2:]))
                self.assertEqual(b"\0\0back\0\0\0\0", bytes(into))
                client.write(b"one\ntwo\n")
                client.shutdown(lipc.WRITE)
                self.assertEqual([b"one\n", b"two\n"], list(io.BufferedReader(server)))
        self.assertFalse(os.path.exists(self.path))

    def test_messages_keep_their_boundaries(self):
        if sys.platform == "darwin":
            self.skipTest("missing on darwin: SOCK_SEQPACKET")
        with lipc.listen_message(self.path) as listener:
            with lipc.connect_message(self.path, timeout=5) as client, listener.accept() as server:
                for message in (b"one", b"", b"too long", b"last"):
                    client.send(message)
                client.close()
                self.assertEqual(b"one", server.receive(100))
                self.assertEqual(b"", server.receive(100))
                with self.assertRaises(lipc.Error) as caught:
                    server.receive(3)
                self.assertEqual("LIPC_ETRUNCATED", caught.exception.code)
                if sys.platform == "linux":
                    self.assertEqual(4, server.message_size())
                self.assertEqual(b"last", server.receive(100))
                self.assertIsNone(server.receive(100))
                self.assertIsNone(server.receive_files(100, limit=1)[0])
        a, b = lipc.message_pair()
        with a, b, open(os.devnull) as file:
            a.send_files(b"", [file])
            data, files = b.receive_files(0, limit=1)
            with files:
                self.assertEqual((b"", 1), (data, len(files)))

    def test_pipes_go_one_way(self):
        reader, writer = lipc.pipe()
        with reader:
            with writer:
                writer.write(b"through")
            self.assertEqual(b"through", reader.readall())

    def test_files_belong_to_who_takes_them(self):
        a, b = self.streams()
        with tempfile.TemporaryFile() as file:
            file.write(b"content")
            file.flush()
            a.send_files(b"three", [file, file.fileno(), file])
        data, files = b.receive_files(100, limit=5)
        self.assertEqual((b"three", 3), (data, len(files)))
        self.assertFalse(os.get_inheritable(files.fileno(2)))
        with files:
            with files.open(0) as first:
                first.seek(0)
                self.assertEqual(b"content", first.read())
            os.close(files.detach(1))
            with self.assertRaises(ValueError):
                files.open(1)
            with self.assertRaises(IndexError):
                files.open(3)
            with self.assertRaises(ValueError):
                files.open(2, "rb", encoding="utf-8")  # which binary files do not have
        files.close()

    def test_files_that_nobody_takes_are_closed(self):
        a, b = self.streams()
        before = descriptors()
        with open(os.devnull) as file:
            for take in (
                lambda: b.receive_files(100, limit=1),
                lambda: b.receive_files(100, limit=0),
                lambda: b.read(100),
            ):
                a.send_files(b"x", [file])
                take()
                gc.collect()
                self.assertEqual(before | {file.fileno()}, descriptors())
            a.send_files(b"x", [file, file])
            with self.assertRaises(lipc.Error) as caught:
                b.receive_files(100, limit=1)
            self.assertEqual("LIPC_EHANDLES", caught.exception.code)
            with self.assertRaises(lipc.Error) as caught:
                a.send_files(b"x", [file] * 300)
            self.assertEqual("LIPC_ETOOMANY", caught.exception.code)
            a.send_files(b"", [file])  # goes with a byte of value 0
            self.assertEqual(b"\0", b.read(100))
        self.assertEqual(before, descriptors())

    def test_sizes_and_limits_that_cannot_be_are_refused(self):
        unraisable = []
        self.addCleanup(setattr, sys, "unraisablehook", sys.unraisablehook)
        sys.unraisablehook = unraisable.append
        a, b = self.streams()
        with open(os.devnull) as file:
            a.send_files(b"x", [file, file])
            for limit in (-1, 254, 10**19):
                with self.assertRaisesRegex(ValueError, f"limit of {limit} files"):
                    b.receive_files(10, limit)
            with self.assertRaisesRegex(ValueError, "not negative: -1"):
                b.receive_files(-1, 2)
            with self.assertRaises(TypeError):
                b.receive_files(10, None)
            for number in (2**31, 2**32 + file.fileno(), 2**64 + file.fileno(), 2**70, -(2**31) - 1):
                with self.assertRaisesRegex(OverflowError, str(number)):
                    a.send_files(b"y", [file, number])
            data, files = b.receive_files(10, 253)
            with files:
                self.assertEqual((b"x", 2), (data, len(files)))
        if sys.platform != "darwin":  # which has no SOCK_SEQPACKET
            sender, receiver = lipc.message_pair()
            with sender, receiver:
                sender.send(b"message")
                with self.assertRaisesRegex(ValueError, "not negative: -5"):
                    receiver.receive(-5)
                self.assertEqual(b"message", receiver.receive(10))
        gc.collect()
        self.assertEqual([], unraisable)

    def test_files_go_once_with_a_long_piece_of_a_stream(self):
        a, b = self.streams()
        received = []

        def receive():
            while (piece := b.receive_files(65536, limit=5))[0] is not None:
                with piece[1] as files:
                    received.append((len(piece[0]), len(files)))

        thread = threading.Timer(0.25, receive)  # when a piece of the wait is over, and a part has been sent
        thread.start()
        with open(os.devnull) as file:
            a.send_files(bytes(4 << 20), [file])
        a.close()
        thread.join()
        self.assertEqual((4 << 20, 1), (sum(size for size, _ in received), sum(count for _, count in received)))

    def test_what_nobody_refers_to_is_closed(self):
        listener = lipc.listen(self.path)
        connection = lipc.connect(self.path)
        number = lipc.pair()[0].detach()
        os.close(number)
        del listener, connection


unittest.main()
