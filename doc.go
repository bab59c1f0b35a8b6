// Package ipc lets programs on one machine talk to each other: over Unix domain sockets on Linux, macOS and the BSDs,
// and over named pipes on Windows. It is a thin binding of the C library lipc, whose sources it contains and compiles.
// It needs cgo and a C compiler.
//
// A server listens on a [Name], and a client dials it:
//
//	l, err := ipc.Listen(ipc.UserName("greeter"))
//	…
//	c, err := ipc.Dial(ctx, ipc.UserName("greeter"))
//
// Nobody else can pose as the server of a user's own name ([UserName]) or of a daemon of the machine ([SystemName]). A
// [PeerPolicy] decides who may be at the other end of a connection.
//
// [Conn] is a [net.Conn] and [Listener] is a [net.Listener], so net/http, net/rpc, crypto/tls and other packages that
// take these work without changes. The peer can be any program that opens a Unix domain socket or a named pipe.
//
// Besides connections of bytes there are connections of messages ([MessageConn]) and datagrams ([DatagramConn]). Open
// files, credentials and other control data travel with any of them ([Message]). [Pipe] and [OpenFIFOReader] return
// pipes with deadlines. [Conn.PassTo] passes a connection to a child process. [ListenActivated] and [Activated] return
// the sockets that a service manager passed.
//
// A [Channel] carries messages, or bytes, through memory that both processes share, and is the fastest connection.
//
// These promises hold on every system:
//
//   - Only the owner of a listener, and administrators, may connect to it, unless [ListenConfig].Mode says otherwise.
//   - A server that crashed does not keep the next one from listening on the same name, and a living server never loses
//     its name. On Windows the next server must listen with the same options while clients of the last one have their
//     ends open, see [ListenConfig.Listen].
//   - Dial waits while the listener's backlog is full, until the context ends. If nothing listens on the name, it fails
//     at once.
//   - Descriptors are close-on-exec, including received ones. No write raises SIGPIPE.
//   - A file that is passed arrives once, or is closed. None stays open without the program's knowledge.
//   - Close and deadlines end everything that waits, from any goroutine. A context ends the calls that take one:
//     dialling, accepting, opening a FIFO, and the methods whose names end in Context.
//   - Waiting takes no thread. Reading and writing allocate no memory.
//
// Errors are of type [*net.OpError]. They match the sentinels of the standard library: [net.ErrClosed],
// [os.ErrDeadlineExceeded], [fs.ErrNotExist], [fs.ErrPermission], [syscall.ECONNREFUSED], [syscall.EADDRINUSE],
// [syscall.EPIPE], [errors.ErrUnsupported], [context.Canceled] and [context.DeadlineExceeded]. These
// mean the same everywhere:
//
//   - [syscall.EINVAL]: an argument is invalid.
//   - [syscall.ENAMETOOLONG]: a name is too long.
//   - [syscall.ENOTSOCK]: a file is not a socket of the kind needed.
//   - [syscall.ENOSPC] (Linux: fs.epoll.max_user_watches) or [syscall.ENOMEM]: the system's poller takes no more
//     descriptors, so the call could not open one. The error is Temporary.
package ipc
