"""lipc for Python 3.9 and later, on Unix: local sockets, messages, open files, pipes. It needs no build step.

    with lipc.connect("user:greeter", timeout=5) as server:
        server.write(b"hello\\n")
        print(server.read(100))

This module loads the installed library, liblipc, or the one whose path is in the environment variable LIPC_LIBRARY.
lipc.h describes each function and its errors, under the name of the C function that it calls. In addition:

- Names are strings. "user:x" is the user's name x, "system:x" the system's, and "@x" the namespaced name x; any other
  string is the path of a socket file.
- Errors are exceptions derived from Error, which is an OSError. They are also derived from the built-in exception that
  means the same, if there is one: FileNotFoundError, ConnectionRefusedError, BrokenPipeError, TimeoutError,
  BlockingIOError and so on. The attribute "code" has the name of the error in lipc.h, such as "LIPC_ETRUNCATED".
- Timeouts are in seconds. None waits for ever. 0 does not wait: a call that would have to raises BlockingIOError. A
  method that can wait uses the attribute "timeout" of its object. While the main thread waits, signal handlers of
  Python run after at most a tenth of a second.
- Data is bytes, or any other object with a buffer. A Connection is a raw stream, so io.BufferedReader(connection) reads
  lines.
- Objects are closed by "with", by close(), or when nothing refers to them any more. So are files that were received.

Left out: batches, vectored reading and writing, peeking, buffer sizes, credentials and control data that travel with a
message, datagrams, FIFOs, socket activation, pidfds, and Windows. Objects that have a fileno() also work with select,
asyncio and the like.
"""

import ctypes
import ctypes.util
import errno
import io
import math
import os
import sys
import threading
import time
from typing import NamedTuple, Optional

# ============================================ The library =========================================

_ABI = "0.1"  # the versions that this module supports, as in the library's soname


def _load():
    path = os.environ.get("LIPC_LIBRARY")
    if path:
        return ctypes.CDLL(path)
    installed = f"liblipc.{_ABI}.dylib" if sys.platform == "darwin" else f"liblipc.so.{_ABI}"
    try:
        return ctypes.CDLL(installed)
    except OSError as error:
        path = ctypes.util.find_library("lipc")
        if path is None:
            raise ImportError(f"liblipc is not installed ({error}); LIPC_LIBRARY may name it") from None
        return ctypes.CDLL(path)


_library = _load()
_handle_type = ctypes.c_ssize_t  # intptr_t


class _Name(ctypes.Structure):
    _fields_ = [("type", ctypes.c_uint32), ("length", ctypes.c_uint32), ("text", ctypes.c_char * 1016)]


class PeerPolicy(ctypes.Structure):
    """The users that may be at the other end: the sets SAME_USER, ADMIN and ANY, combined with |, and more users."""

    _fields_ = [
        ("_size", ctypes.c_size_t),
        ("_peers", ctypes.c_int),
        ("_uid_count", ctypes.c_size_t),
        ("_uids", ctypes.POINTER(ctypes.c_uint32)),
        ("_sid_count", ctypes.c_size_t),
        ("_sids", ctypes.c_void_p),
    ]

    def __init__(self, peers=0, uids=()):
        for uid in uids:
            if not 0 <= uid < 1 << 32:
                raise OverflowError(f"{uid} does not fit a user's number")
        super().__init__(
            _size=ctypes.sizeof(PeerPolicy),
            _peers=peers,
            _uid_count=len(uids),
            _uids=(ctypes.c_uint32 * len(uids))(*uids),
        )


class _ListenOptions(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        ("mode", ctypes.c_uint32),
        ("backlog", ctypes.c_int),
        ("kind", ctypes.c_int),
        ("windows", ctypes.c_void_p),
        ("clients", ctypes.POINTER(PeerPolicy)),
        ("group", ctypes.POINTER(ctypes.c_uint32)),
    ]


class _ConnectOptions(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        ("kind", ctypes.c_int),
        ("windows", ctypes.c_void_p),
        ("server", ctypes.POINTER(PeerPolicy)),
    ]


class _Buffer(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("size", ctypes.c_size_t)]


class _Message(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        ("buffers", ctypes.POINTER(_Buffer)),
        ("buffer_count", ctypes.c_size_t),
        ("handles", ctypes.POINTER(_handle_type)),
        ("handle_count", ctypes.c_size_t),
        ("handle_capacity", ctypes.c_size_t),
        ("credentials", ctypes.c_void_p),
        ("peer", ctypes.c_void_p),
        ("pidfd", ctypes.c_void_p),
        ("control", ctypes.c_void_p),
        ("length", ctypes.c_size_t),
    ]


class _Credentials(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int64) for name in ("pid", "uid", "gid")] + [("reserved", ctypes.c_int64 * 5)]


def _declare():
    pointer, int_, int64, size = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64, ctypes.c_size_t
    handle, text = _handle_type, ctypes.c_char_p
    for name, result, *arguments in [
        ("version", int_),
        ("constant", int_, text, pointer),
        ("error_code", int_, int64),
        ("error_os", int_, int64),
        ("error_name", text, int64),
        ("strerror", text, int64),
        ("name_parse", int_, text, size, pointer),
        ("name_format", int_, pointer, pointer, size),
        ("name_location", int_, pointer, pointer, size),
        ("close", int_, handle),
        ("local_name", int_, handle, pointer),
        ("peer_name", int_, handle, pointer),
        ("listen", int_, pointer, pointer, pointer),
        ("accept", int_, pointer, int_, pointer, pointer),
        ("listener_handle", handle, pointer),
        ("listener_name", None, pointer, pointer),
        ("listener_close", None, pointer),
        ("connect", int_, pointer, pointer, int_, pointer),
        ("pair", int_, int_, pointer, pointer),
        ("read", int64, handle, pointer, size, int_),
        ("write", int64, handle, pointer, size, int_),
        ("shutdown", int_, handle, int_),
        ("send", int64, handle, pointer, size, int_),
        ("receive", int64, handle, pointer, size, int_),
        ("message_size", int64, handle, int_),
        ("send_message", int64, handle, pointer, int_),
        ("receive_message", int64, handle, pointer, int_),
        ("peer_credentials", int_, handle, pointer),
        ("peer_check", int_, handle, pointer),
        ("pipe", int_, pointer, pointer, pointer),
    ]:
        function = getattr(_library, "lipc_" + name)
        function.restype, function.argtypes = result, arguments


def _constant(name):
    value = ctypes.c_int64()
    if _library.lipc_constant(name.encode(), ctypes.byref(value)) < 0:
        raise ImportError(f"this liblipc does not know {name}")
    return value.value


def _check_library():
    version = _library.lipc_version()
    if f"{version // 10000}.{version // 100 % 100}" != _ABI:
        raise ImportError(f"liblipc has the version number {version}, this is for {_ABI}")
    for structure, name in [
        (_Name, "lipc_name"),
        (PeerPolicy, "lipc_peer_policy"),
        (_ListenOptions, "lipc_listen_options"),
        (_ConnectOptions, "lipc_connect_options"),
        (_Buffer, "lipc_buffer"),
        (_Message, "lipc_message"),
        (_Credentials, "lipc_credentials"),
        (_handle_type, "lipc_handle"),
    ]:
        if ctypes.sizeof(structure) != _constant(f"sizeof({name})"):
            raise ImportError(f"{name} has another size in this liblipc")


_declare()
_check_library()

_INVALID = _constant("LIPC_INVALID_HANDLE")
_STREAM = _constant("LIPC_STREAM")
_MESSAGE = _constant("LIPC_MESSAGE")
_MOST_FILES = _constant("LIPC_MESSAGE_HANDLES")
READ = _constant("LIPC_READ")
WRITE = _constant("LIPC_WRITE")
ANY = _constant("LIPC_PEERS_ANY")
SAME_USER = _constant("LIPC_PEERS_SAME_USER")
ADMIN = _constant("LIPC_PEERS_ADMIN")

# ============================================== Errors ============================================


class Error(OSError):
    """An error of the library. "code" is the portable code's name, such as "LIPC_ENOENT"; errno is the system's own."""

    code = ""


_built_in = {  # portable code, the exception that means the same, an errno for errors without one
    "LIPC_EAGAIN": (BlockingIOError, errno.EAGAIN),
    "LIPC_ETIMEDOUT": (TimeoutError, errno.ETIMEDOUT),
    "LIPC_EINVAL": (ValueError, errno.EINVAL),
    "LIPC_ENAME": (ValueError, errno.EINVAL),
    "LIPC_ENAMETOOLONG": (ValueError, errno.ENAMETOOLONG),
    "LIPC_ENOENT": (FileNotFoundError, errno.ENOENT),
    "LIPC_EACCES": (PermissionError, errno.EACCES),
    "LIPC_ECONNREFUSED": (ConnectionRefusedError, errno.ECONNREFUSED),
    "LIPC_EPIPE": (BrokenPipeError, errno.EPIPE),
    "LIPC_EEXIST": (FileExistsError, errno.EEXIST),
    "LIPC_ENOTSUP": (io.UnsupportedOperation, errno.ENOTSUP),
}
_classes = {code: type("Error", (Error, base), {"__doc__": Error.__doc__}) for code, (base, _) in _built_in.items()}


def _error(result, doing, name):
    code = _library.lipc_error_name(result).decode()
    number = _library.lipc_error_os(result) or _built_in.get(code, (None, errno.EIO))[1]
    error = _classes.get(code, Error)(number, f"{doing}: {_library.lipc_strerror(result).decode()}", name)
    error.code = code
    return error


def _checked(result, doing, name=None):
    if result < 0:
        raise _error(result, doing, name)
    return result


def _is(result, code):
    return result < 0 and _library.lipc_error_name(result) == code


# ============================================== Waiting ===========================================

_PIECE = 0.1  # seconds: signal handlers of Python run between the pieces of a wait


class _Wait:
    """The time that a call may take, in pieces."""

    def __init__(self, timeout):
        if timeout is not None and timeout < 0:
            raise ValueError("a timeout is not negative; None waits for ever")
        self._end = None if timeout is None else time.monotonic() + timeout
        self._zero = timeout == 0
        self._piece = _PIECE if threading.current_thread() is threading.main_thread() else 86400

    def milliseconds(self):
        if self._zero:
            return 0
        left = self._piece if self._end is None else min(self._piece, self._end - time.monotonic())
        return max(1, math.ceil(left * 1000))

    def over(self):
        return self._zero or (self._end is not None and time.monotonic() >= self._end)

    def call(self, function):
        """Calls the function, which takes milliseconds, until its result is not the end of a piece, and returns it."""
        while True:
            result = function(self.milliseconds())
            if not _is(result, b"LIPC_ETIMEDOUT") or self.over():
                return result


# =========================================== Names and memory =====================================


def _parsed(name):
    text = os.fsencode(name)
    parsed = _Name()
    _checked(_library.lipc_name_parse(text, len(text), ctypes.byref(parsed)), "name", name)
    return parsed


def _written(function, name, doing):
    buffer = ctypes.create_string_buffer(ctypes.sizeof(_Name))
    length = _checked(function(ctypes.byref(name), buffer, len(buffer)), doing)
    return os.fsdecode(buffer.raw[:length])


def _text(name):
    return _written(_library.lipc_name_format, name, "formatting a name")


def location(name):
    """Returns the path by which programs that do not use lipc reach a name."""
    return _written(_library.lipc_name_location, _parsed(name), "locating a name")


def _memory(data):
    """Returns an object that holds the data, its address, and its size. Read-only data is copied, except bytes."""
    if not isinstance(data, bytes):
        view = memoryview(data)
        if not view.readonly and view.c_contiguous:
            return _writable(view)
        data = view.tobytes()
    return data, ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value, len(data)


def _writable(buffer):
    memory = memoryview(buffer)
    array = (ctypes.c_char * memory.nbytes).from_buffer(memory.cast("B") if memory.nbytes else bytearray(1))
    return array, ctypes.addressof(array), memory.nbytes


def _room(size):
    if size < 0:
        raise ValueError(f"a size is not negative: {size}")
    return ctypes.create_string_buffer(max(size, 1))


# ============================================== Handles ===========================================


class _Owner:
    """Owns a handle as soon as the library has stored it here."""

    def __init__(self):
        self.handle = _handle_type(_INVALID)

    def reference(self):
        return ctypes.byref(self.handle)

    def number(self):
        if self.handle.value == _INVALID:
            raise ValueError("I/O operation on a closed handle")
        return self.handle.value

    def detach(self):
        number, self.handle.value = self.number(), _INVALID
        return number

    def close(self):
        number, self.handle.value = self.handle.value, _INVALID
        if number != _INVALID:
            _library.lipc_close(number)

    def __del__(self):
        self.close()


class Files:
    """Received files. They are open until they are taken or closed."""

    def __init__(self, limit):
        self._message = _Message(size=ctypes.sizeof(_Message))
        if not 0 <= limit <= _MOST_FILES:
            raise ValueError(f"a limit of {limit} files: it is from 0 to {_MOST_FILES}")
        self._handles = (_handle_type * max(limit, 1))(*[_INVALID] * max(limit, 1))
        self._message.handles, self._message.handle_capacity = self._handles, limit

    def __len__(self):
        return self._message.handle_count

    def fileno(self, index=0):
        """Returns the descriptor of a file, which stays this object's."""
        if not 0 <= index < len(self):
            raise IndexError(f"no file {index}, {len(self)} came")
        if self._handles[index] == _INVALID:
            raise ValueError(f"file {index} was taken or closed")
        return self._handles[index]

    def detach(self, index=0):
        """Returns the descriptor of a file, which then belongs to the caller, which must close it."""
        number = self.fileno(index)
        self._handles[index] = _INVALID
        return number

    def open(self, index=0, mode="rb", **options):
        """Returns a file object, which belongs to the caller. The options are those of the built-in open()."""
        return open("received", mode, opener=lambda *_: self.detach(index), **options)

    def close(self):
        for index in range(len(self)):
            if self._handles[index] != _INVALID:
                os.close(self.detach(index))

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def __del__(self):
        self.close()


class Credentials(NamedTuple):
    """The identity of a peer, supplied by the kernel. A field is None if the system does not report it."""

    pid: Optional[int]
    uid: Optional[int]
    gid: Optional[int]


class _Socket:
    """The base of all connections. "timeout", in seconds, limits each call that can wait."""

    timeout = None

    def __init__(self, owner, timeout=None):
        self._owner = owner
        self.timeout = timeout

    def fileno(self):
        """Returns the descriptor, which stays this connection's."""
        return self._owner.number()

    def detach(self):
        """Returns the descriptor, which then belongs to the caller."""
        return self._owner.detach()

    def shutdown(self, direction):
        """Shuts down READ, WRITE, or both (READ | WRITE)."""
        _checked(_library.lipc_shutdown(self.fileno(), direction), "shutting down")

    def peer_credentials(self):
        found = _Credentials()
        _checked(_library.lipc_peer_credentials(self.fileno(), ctypes.byref(found)), "asking for credentials")
        return Credentials(*[None if number < 0 else number for number in (found.pid, found.uid, found.gid)])

    def check_peer(self, policy):
        """Raises a PermissionError if the PeerPolicy does not admit the peer."""
        _checked(_library.lipc_peer_check(self.fileno(), ctypes.byref(policy)), "checking the peer")

    def local_name(self):
        """The name that this end is bound to, or ""."""
        return self._name(_library.lipc_local_name)

    def peer_name(self):
        """The name that the other end is bound to, or ""."""
        return self._name(_library.lipc_peer_name)

    def _name(self, function):
        found = _Name()
        _checked(function(self.fileno(), ctypes.byref(found)), "asking for a name")
        return _text(found)

    def send_files(self, data, files):
        """Sends files (descriptors, or objects with a fileno()) with a message, or with the first byte of data on a
        stream. They stay the caller's."""
        keep, address, size = _memory(data)
        numbers = [file if isinstance(file, int) else file.fileno() for file in files]
        for number in numbers:
            if ctypes.c_int(number).value != number:
                raise OverflowError(f"{number} does not fit a descriptor")
        buffer = _Buffer(address, size)
        message = _Message(
            size=ctypes.sizeof(_Message),
            buffers=ctypes.pointer(buffer),
            buffer_count=1,
            handles=(_handle_type * max(len(numbers), 1))(*numbers),
            handle_count=len(numbers),
        )
        wait, handle = _Wait(self.timeout), self.fileno()
        send = _library.lipc_send_message
        sent = _checked(wait.call(lambda time: send(handle, ctypes.byref(message), time)), "sending files")
        self._write_rest(wait, address + sent, size - sent)  # on a stream: the files have gone with the first byte
        del keep

    def receive_files(self, size, limit):
        """Receives a message of at most that size, and at most that many files. On a stream it receives the bytes that
        are there, up to those that files came with. Returns the data, or None at end of stream, and the Files."""
        data, files = _room(size), Files(limit)
        buffer = _Buffer(ctypes.addressof(data), size)
        files._message.buffers = ctypes.pointer(buffer)
        files._message.buffer_count = 1
        handle, receive = self.fileno(), _library.lipc_receive_message
        received = _Wait(self.timeout).call(lambda time: receive(handle, ctypes.byref(files._message), time))
        if _is(received, b"LIPC_EEND"):
            return None, files
        return data.raw[: _checked(received, "receiving")], files

    def _write_rest(self, wait, address, size):
        handle, write = self._owner.number(), _library.lipc_write
        while size > 0:
            written = _checked(wait.call(lambda time: write(handle, address, size, time)), "writing")
            address, size = address + written, size - written


class Connection(_Socket, io.RawIOBase):
    """A byte stream, as a raw stream of io. write() writes all, or raises an exception; then it is not known how much
    was written. The ends of a pipe are also Connections, one that only reads and one that only writes."""

    def readable(self):
        return True

    def writable(self):
        return True

    def readinto(self, buffer):
        """Reads the bytes that are there into a buffer, and returns how many. 0 means end of stream."""
        array, address, size = _writable(buffer)
        handle, read = self.fileno(), _library.lipc_read
        return _checked(_Wait(self.timeout).call(lambda time: read(handle, address, size, time)), "reading")

    def write(self, data):
        """Writes all of it, and returns its size."""
        keep, address, size = _memory(data)
        self._write_rest(_Wait(self.timeout), address, size)
        del keep
        return size

    def close(self):
        self._owner.close()
        super().close()


class MessageConnection(_Socket):
    """Messages, whole and in order."""

    def send(self, message):
        keep, address, size = _memory(message)
        handle, send = self.fileno(), _library.lipc_send
        _checked(_Wait(self.timeout).call(lambda time: send(handle, address, size, time)), "sending")
        del keep

    def receive(self, size):
        """Receives a message of at most that size. Returns None at end of stream. A message that does not fit is lost:
        LIPC_ETRUNCATED."""
        data = _room(size)
        handle, receive = self.fileno(), _library.lipc_receive
        received = _Wait(self.timeout).call(lambda time: receive(handle, data, size, time))
        return None if _is(received, b"LIPC_EEND") else data.raw[: _checked(received, "receiving")]

    def message_size(self):
        """Returns the size of the next message, without removing it, or None at end of stream. Only on Linux."""
        handle, ask = self.fileno(), _library.lipc_message_size
        found = _Wait(self.timeout).call(lambda time: ask(handle, time))
        return None if _is(found, b"LIPC_EEND") else _checked(found, "asking for a message's size")

    def close(self):
        self._owner.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


def _pointer(policy):
    return None if policy is None else ctypes.pointer(policy)


def _connect(connection, kind, name, timeout, server):
    owner, parsed = _Owner(), _parsed(name)
    options = _ConnectOptions(size=ctypes.sizeof(_ConnectOptions), kind=kind, server=_pointer(server))
    reach = _library.lipc_connect
    _checked(
        _Wait(timeout).call(lambda time: reach(ctypes.byref(parsed), ctypes.byref(options), time, owner.reference())),
        "connecting",
        name,
    )
    return connection(owner, timeout)


def connect(name, timeout=None, server=None):
    """Returns a Connection to a listener. The timeout is also the connection's. The PeerPolicy says who may listen
    there; None is as the type of name has it, see lipc_connect_options. If it does not admit the server, that is a
    PermissionError."""
    return _connect(Connection, _STREAM, name, timeout, server)


def connect_message(name, timeout=None, server=None):
    """Returns a MessageConnection to a listener for messages, as connect() does."""
    return _connect(MessageConnection, _MESSAGE, name, timeout, server)


def _two(kind, make):
    a, b = _Owner(), _Owner()
    _checked(make(a.reference(), b.reference()), "making two ends")
    return kind(a), kind(b)


def pair():
    """Returns two Connections, each the other's peer."""
    return _two(Connection, lambda a, b: _library.lipc_pair(_STREAM, a, b))


def message_pair():
    """Returns two MessageConnections, each the other's peer."""
    return _two(MessageConnection, lambda a, b: _library.lipc_pair(_MESSAGE, a, b))


def pipe():
    """Creates a pipe, and returns its reading end and its writing end."""
    return _two(Connection, lambda a, b: _library.lipc_pipe(None, a, b))


# ============================================= Listeners ==========================================


class Listener:
    """Listens on a name until it is closed, which also removes the socket file. "timeout" limits accept()."""

    def __init__(self, name, connection=Connection, mode=0, backlog=0, clients=None, group=None):
        self.timeout = None
        self._connection = connection
        self._listener = ctypes.c_void_p()
        parsed = _parsed(name)
        options = _ListenOptions(
            size=ctypes.sizeof(_ListenOptions),
            mode=mode,
            backlog=backlog,
            kind=_STREAM if connection is Connection else _MESSAGE,
            clients=_pointer(clients),
            group=None if group is None else ctypes.pointer(ctypes.c_uint32(group)),
        )
        listen_ = _library.lipc_listen
        _checked(
            listen_(ctypes.byref(parsed), ctypes.byref(options), ctypes.byref(self._listener)), "listening", name
        )

    def _open(self):
        if not self._listener:
            raise ValueError("the listener is closed")
        return self._listener

    def accept(self):
        """Returns the next connection, which has no timeout."""
        owner, listener, accept = _Owner(), self._open(), _library.lipc_accept
        _checked(_Wait(self.timeout).call(lambda time: accept(listener, time, None, owner.reference())), "accepting")
        return self._connection(owner)

    def fileno(self):
        return _library.lipc_listener_handle(self._open())

    def name(self):
        found = _Name()
        _library.lipc_listener_name(self._open(), ctypes.byref(found))
        return _text(found)

    def close(self):
        listener, self._listener = self._listener, ctypes.c_void_p()
        _library.lipc_listener_close(listener)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def __del__(self):
        if hasattr(self, "_listener"):
            self.close()


def listen(name, mode=0, backlog=0, clients=None, group=None):
    """Returns a Listener for Connections. The default mode lets in only the owner. The default backlog is as many as
    the system allows. The PeerPolicy says whom accept() admits, of those that the mode lets connect; None admits all.
    The group, a number, is that of the socket file; None leaves it to the system."""
    return Listener(name, Connection, mode, backlog, clients, group)


def listen_message(name, mode=0, backlog=0, clients=None, group=None):
    """Returns a Listener for MessageConnections, as listen() does."""
    return Listener(name, MessageConnection, mode, backlog, clients, group)
