package ipc

// What Windows alone has: the options and operations of named pipes.

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"time"

	"github.com/lipc/ipc/internal/core"
)

// A PipeDirection says which way data goes through a named pipe.
type PipeDirection int

// The directions. The numbers are those of the C library's enum lipc_pipe_direction.
const (
	DefaultDirection PipeDirection = iota // listening: Duplex; dialling: as the server has it
	Duplex                                // both ways
	ClientToServer                        // the client only writes, the server only reads
	ServerToClient                        // the client only reads, the server only writes
)

// SysListen holds the options of listening that Windows alone has; CreateNamedPipe tells more of each. The zero value is the
// safe default. What is out of range is [syscall.EINVAL].
type SysListen struct {
	// Direction is which way data goes. Using the other fails with [syscall.EINVAL].
	Direction PipeDirection

	// InstanceLimit is how many connections there may be at a time, 1 to 254, those that wait to be accepted included.
	// Whoever dials beyond it waits. Zero is no limit. The system counts one instance more, to which nobody can
	// connect: it keeps the name while there is no connection.
	InstanceLimit int

	// InboundBuffer and OutboundBuffer are the sizes of the pipe's buffers in bytes, at most 1 GiB, as a request: data from
	// the client, and to it. Zero is 64 KiB.
	InboundBuffer, OutboundBuffer int

	// DefaultWait is how long programs wait for a free instance that call WaitNamedPipe without a time, in whole milliseconds.
	// Zero is the system's default, 50 ms. Dial does not go by it.
	DefaultWait time.Duration

	// AcceptRemote lets clients on other machines in, who dial \\host\pipe\name.
	AcceptRemote bool

	// WriteThrough makes a write to a client on another machine end only when the data is there (FILE_FLAG_WRITE_THROUGH).
	WriteThrough bool

	// Inherit makes child processes inherit the handles of accepted connections, if they are started so that they inherit
	// any; package os/exec names those it passes, see [syscall.SysProcAttr].
	Inherit bool

	// SecurityDescriptor says who may do what with the pipe, in the security descriptor definition language, in place of
	// [ListenConfig].Mode: "D:P(A;;GA;;;SY)(A;;GA;;;OW)(A;;0x12019b;;;AU)" lets in everybody who has logged in.
	// 0x12019b is all that reading and writing take; GW would be too much, since it holds the right to make instances of the
	// pipe (FILE_CREATE_PIPE_INSTANCE), and so to pose as the server.
	SecurityDescriptor string
}

// An ImpersonationLevel is what a server may do in the name of its client.
type ImpersonationLevel int

// The impersonation levels. The numbers are those of the C library's enum lipc_impersonation.
const (
	DefaultImpersonation     ImpersonationLevel = iota // ImpersonationIdentify
	ImpersonationAnonymous                             // not even learn who it is
	ImpersonationIdentify                              // learn who it is, not act as it
	ImpersonationImpersonate                           // act as it, on this machine
	ImpersonationDelegate                              // and on others
)

// SysDial holds the options of dialling that Windows alone has. The zero value is the safe default. What is out of range is
// [syscall.EINVAL].
type SysDial struct {
	// Direction is which way data goes. By default Dial finds out; a direction that the pipe does not have is
	// [fs.ErrPermission].
	Direction PipeDirection

	// Impersonation is what the server may do in this process's name.
	Impersonation ImpersonationLevel

	// WriteThrough makes a write to a server on another machine end only when the data is there (FILE_FLAG_WRITE_THROUGH).
	WriteThrough bool

	// Inherit makes child processes inherit the handle, see [SysListen].
	Inherit bool
}

// SysPipe holds the options of unnamed pipes that Windows alone has.
type SysPipe struct {
	// SecurityDescriptor says who may do what with the pipe, see [SysListen]. By default it is the user's alone.
	SecurityDescriptor string
}

func (d PipeDirection) check() error {
	if d < DefaultDirection || d > ServerToClient {
		return core.Invalidf("Direction %d does not exist", d)
	}
	return nil
}

func (s *SysListen) check() error {
	if s == nil {
		return nil
	}
	switch {
	case s.InstanceLimit < 0 || s.InstanceLimit > 254:
		return core.Invalidf("InstanceLimit %d is not between 0 and 254", s.InstanceLimit)
	case s.InboundBuffer < 0 || s.InboundBuffer > 1<<30 || s.OutboundBuffer < 0 || s.OutboundBuffer > 1<<30:
		return core.Invalidf("InboundBuffer or OutboundBuffer is negative, or over 1 GiB")
	case s.DefaultWait < 0 || s.DefaultWait.Milliseconds() >= math.MaxUint32:
		return core.Invalidf("DefaultWait %v is negative, or over 49 days", s.DefaultWait)
	}
	return s.Direction.check()
}

func (s *SysListen) options() *core.ListenSystem {
	if s == nil {
		return nil
	}
	return &core.ListenSystem{Direction: int(s.Direction), Instances: s.InstanceLimit, InboundBuffer: s.InboundBuffer,
		OutboundBuffer: s.OutboundBuffer, DefaultWait: s.DefaultWait, AcceptRemote: s.AcceptRemote,
		WriteThrough: s.WriteThrough, Inherit: s.Inherit, SecurityDescriptor: s.SecurityDescriptor}
}

func (s *SysDial) check() error {
	if s == nil {
		return nil
	}
	if s.Impersonation < DefaultImpersonation || s.Impersonation > ImpersonationDelegate {
		return core.Invalidf("Impersonation %d does not exist", s.Impersonation)
	}
	return s.Direction.check()
}

func (s *SysDial) options() *core.ConnectSystem {
	if s == nil {
		return nil
	}
	return &core.ConnectSystem{Direction: int(s.Direction), Impersonation: int(s.Impersonation),
		WriteThrough: s.WriteThrough, Inherit: s.Inherit}
}

func (s *SysPipe) options() *core.PipeSystem {
	if s == nil {
		return nil
	}
	return &core.PipeSystem{SecurityDescriptor: s.SecurityDescriptor}
}

// IsServer reports whether this is the end that was accepted, not the one that dialled. Of a pair, one is.
func (c *conn) IsServer() (is bool, err error) {
	err = c.end.Control(func(handle uintptr) core.Result {
		r := core.IsServer(handle)
		is = r > 0
		return r
	})
	return is, c.opError("get", err)
}

// ClientProcessID returns the ID of the process that dialled, -1 if this is the server's end and the client is on
// another machine.
func (c *conn) ClientProcessID() (int, error) {
	ids, err := c.ids()
	return ids.ClientProcess, err
}

// ClientSessionID returns the terminal services session of the process that dialled, -1 as for ClientProcessID.
func (c *conn) ClientSessionID() (int, error) {
	ids, err := c.ids()
	return ids.ClientSession, err
}

// ServerProcessID returns the ID of the process that listened, -1 if this is the client's end and the server is on
// another machine.
func (c *conn) ServerProcessID() (int, error) {
	ids, err := c.ids()
	return ids.ServerProcess, err
}

// ServerSessionID returns the terminal services session of the process that listened, -1 as for ServerProcessID.
func (c *conn) ServerSessionID() (int, error) {
	ids, err := c.ids()
	return ids.ServerSession, err
}

func (c *conn) ids() (ids core.PipeIDs, err error) {
	err = c.end.Control(func(handle uintptr) (r core.Result) {
		ids, r = core.GetPipeIDs(handle)
		return r
	})
	return ids, c.opError("get", err)
}

// Impersonate calls f, during which its thread acts as the client of this connection, as far as the client allows it:
// see [SysDial], whose default lets a server learn who the client is, and no more. Only the end that was accepted can
// do this. If the client asked for nothing when it connected, see [Conn.PeerCredentials], the error is [syscall.EAGAIN]
// until something was read from it. Goroutines that f starts act as this process. Within f there is no second
// Impersonate ([syscall.EINVAL]).
func (c *conn) Impersonate(f func()) error {
	runtime.LockOSThread()
	if err := c.end.Control(core.Impersonate); err != nil {
		runtime.UnlockOSThread()
		return c.opError("impersonate", err)
	}
	defer func() {
		if r := core.Revert(); r < 0 { // nothing may go on as somebody else
			fmt.Fprintln(os.Stderr, "ipc: cannot stop impersonating:", r.Err())
			os.Exit(2)
		}
		runtime.UnlockOSThread()
	}()
	f()
	return nil
}

// Flush waits until the peer has read all that was written. Before [Conn.Close] there is no need for it: what was written
// stays there to be read. The write deadline and Close end it.
func (c *conn) Flush() error { return c.opError("flush", c.end.Flush()) }

// Disconnect ends the connection at once: what has not been read is lost. Both sides read [io.EOF] from then on, and
// their writes fail with [syscall.EPIPE]. Only the end that was accepted can do this. The connection has still to be
// closed.
func (c *conn) Disconnect() error { return c.opError("disconnect", c.end.Control(core.Disconnect)) }

// GiveFile gives the peer's process a duplicate of f's handle, and returns its number there; f stays the caller's. What
// passes the number on, and says what it is for, is the payload, whose form is up to the two programs; the peer makes a
// file of it with [os.NewFile]. That is safe only if it trusts this process: a number that was never given would be one
// of its own handles. See TakeFile for what this process could do with the file that both then have.
//
// This process must be allowed to duplicate handles into the peer's (PROCESS_DUP_HANDLE), as it is for processes of the
// same user; otherwise the error is [fs.ErrPermission]. The peer's process is the one that has its ID, unless it was
// created after this end was accepted or dialled: then the peer's has ended, [fs.ErrNotExist]. (That a client ended,
// and its ID was reused, while it waited to be accepted is not noticed.) Nothing can be given to a peer on another
// machine: [errors.ErrUnsupported].
//
// A file that the runtime polls, such as one that [os.NewFile] made of a handle for overlapped operation, is
// [errors.ErrUnsupported]: what the peer does with it would be reported to the runtime, and end this process. (A
// deadline of such a file is reset.) The File of a connection or pipe of this package can be given.
func (c *conn) GiveFile(f *os.File) (number uintptr, err error) {
	number, err = give(f, c.end.GiveHandle)
	return number, c.opError("give", err)
}

// GiveFileTo is [Conn.GiveFile] to any process, which the caller has kept from ending: an ID can be reused once its
// process has ended. A process that does not exist is [fs.ErrNotExist].
func GiveFileTo(process int, f *os.File) (number uintptr, err error) {
	if process < 0 || process > math.MaxInt32 {
		err = core.Invalidf("%d is no process ID", process)
	} else {
		number, err = give(f, func(handle uintptr) (uintptr, error) {
			number, r := core.DuplicateInto(handle, process)
			return number, r.Err()
		})
	}
	return number, opError("give", Name{}, Name{}, err)
}

func give(f *os.File, duplicate func(handle uintptr) (uintptr, error)) (number uintptr, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	if f.SetDeadline(time.Time{}) == nil { // the one way to learn it
		return 0, fmt.Errorf("the runtime polls the file, which the peer could end this process with: %w", core.Unsupported())
	}
	var given error
	err = raw.Control(func(handle uintptr) { number, given = duplicate(handle) })
	if err == nil {
		err = given
	}
	return number, err
}

// TakeFile returns a duplicate of a handle of the peer's process, by its number there. It is the counterpart of
// GiveFile for a process that may duplicate the peer's handles, and finds the peer's process as that does. The peer
// may lie about what the number is, as far as the handles of its process reach. Errors, besides those of GiveFile:
//
//   - [syscall.EBADF]: it has no such handle, or one that means something else to every process, as those of the
//     process itself do, or one that is no file: an event, a process, a section.
//   - [errors.ErrUnsupported]: the file was opened for overlapped operation (FILE_FLAG_OVERLAPPED). The runtime would
//     poll it, and the system would report the peer's operations to the runtime, too: one of them would end this
//     process. A connection is for [Conn.TakeConn] and [Conn.TakeMessageConn].
//
// The caller has to look what the file is: it may be a file of a file system, a directory, a console, an end of a pipe.
// The two processes share its position. While an operation of the peer's goes on, all that is done with the file waits,
// and TakeFile does, too: a peer that reads from a pipe to which nobody writes can make it wait for ever.
func (c *conn) TakeFile(number uintptr) (*os.File, error) {
	handle, err := c.end.TakeHandle(number)
	if err == nil {
		switch r := core.IsOverlapped(handle); {
		case r < 0:
			err = r.Err()
		case r > 0:
			err = fmt.Errorf("the file was opened for overlapped operation, and the peer could end this process with it: %w",
				core.Unsupported())
		default:
			return os.NewFile(handle, "ipc: received"), nil
		}
		core.Close(handle)
	}
	return nil, c.opError("take", err)
}

// TakeConn is TakeFile of a connection: the end of a named pipe in byte mode that goes both ways, and was opened for
// overlapped operation, as a [Conn] of the peer's is. What the peer does with its own handle for that end harms nobody
// but the two: it can read what was meant for the other, write in between, or end the connection. A call of File on
// such a connection is [errors.ErrUnsupported], see TakeFile.
func (c *conn) TakeConn(number uintptr) (*Conn, error) {
	taken := new(Conn)
	if err := c.takeConn(&taken.conn, number, core.KindStream); err != nil {
		return nil, c.opError("take", err)
	}
	return taken, nil
}

// TakeMessageConn is TakeConn of a connection of messages, as a [MessageConn] of the peer's is.
func (c *conn) TakeMessageConn(number uintptr) (*MessageConn, error) {
	taken := new(MessageConn)
	if err := c.takeConn(&taken.conn, number, core.KindMessage); err != nil {
		return nil, c.opError("take", err)
	}
	return taken, nil
}

func (c *conn) takeConn(taken *conn, number uintptr, kind core.Kind) error {
	local, peer, err := c.end.TakeEndpoint(&taken.end, number, kind)
	taken.setNames(local, peer)
	return err
}
