// Package ipc lets programs on one machine talk to each other: over Unix domain sockets on Linux, macOS and the BSDs, over
// named pipes on Windows. It is a thin layer over the C library lipc, whose sources it carries and compiles; it needs cgo
// and a C compiler.
//
// A server listens on a [Name], a client dials it:
//
//	l, err := ipc.Listen(ipc.Namespaced("greeter"))
//	…
//	c, err := ipc.Dial(ctx, ipc.Namespaced("greeter"))
//
// [Conn] is a [net.Conn] and [Listener] a [net.Listener], so that net/http, net/rpc, crypto/tls and the like run on
// them, and the other side may be any program that opens a Unix domain socket, or a named pipe.
//
// Beyond bytes there are messages ([MessageConn]), datagrams ([DatagramConn]), and open files, credentials and other data
// that travel with any of them ([Message]). [Pipe] and [OpenFIFOReader] make pipes whose deadlines work, and [Activated]
// returns the sockets that a service manager passed.
//
// What is promised on every system:
//
//   - A listener is its owner's alone unless [ListenConfig].Mode says otherwise.
//   - What a crashed server left behind does not stop the next one, and a living server never loses its name. (On
//     Windows the next one has to listen with the same options while clients of the last have their ends open, see
//     [ListenConfig.Listen].)
//   - Dialling a busy server waits until the context ends; an absent one is an error at once.
//   - Descriptors are close-on-exec, received ones too, and no write raises SIGPIPE.
//   - A file that is passed arrives once, or is closed: none is left open that nobody knows of.
//   - Close and deadlines end whatever waits, and a context ends what takes one: dialling, accepting, opening a FIFO.
//     Reading and writing take none; Close and SetDeadline end them from any goroutine.
//   - Waiting takes no thread, reading and writing no allocation.
//
// Errors are of type [*net.OpError] and match the sentinels of the standard library: [net.ErrClosed],
// [os.ErrDeadlineExceeded], [fs.ErrNotExist], [fs.ErrPermission], [syscall.ECONNREFUSED], [syscall.EADDRINUSE],
// [syscall.EPIPE], [errors.ErrUnsupported], [context.Canceled] and [context.DeadlineExceeded]. Where the system's
// poller takes no more descriptors, what opens one fails with [syscall.ENOSPC] (Linux: fs.epoll.max_user_watches) or
// ENOMEM, and the error is Temporary. An argument that cannot be is [syscall.EINVAL], a name that is too long
// [syscall.ENAMETOOLONG], a file that is no such socket [syscall.ENOTSOCK].
package ipc
