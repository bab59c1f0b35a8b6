package ipc

// The options and operations of named pipes, which only Windows has.

import (
	"fmt"
	"math"
	"net"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/lipc/ipc/internal/core"
)

// networks are the names of what connections are made of. .NET and others call it a pipe, too.
var networks = map[core.Kind]string{core.KindStream: "pipe", core.KindMessage: "pipe", core.KindDatagram: "pipe"}

// endAddress returns the address of an end. Both ends of a pipe have its name.
func endAddress(own, other Name, kind core.Kind) net.Addr {
	if own == (Name{}) {
		own = other
	}
	return endAddr{own, networks[kind]}
}

// String returns the path of the pipe, which is what other programs know.
func (a endAddr) String() string {
	if location, err := a.Location(); err == nil {
		return location
	}
	return a.Name.String()
}

const admins = "SYSTEM or an administrator"

// ownUser is the user of this process, as [Credentials] prints one.
func ownUser() string {
	token, err := syscall.OpenCurrentProcessToken()
	if err != nil {
		return "the user of this process"
	}
	defer token.Close()
	user, err := token.GetTokenUser()
	if err != nil {
		return "the user of this process"
	}
	sid, _ := user.User.Sid.String()
	return "user " + sid
}

// setGroup takes a group's security identifier.
func setGroup(o *core.ListenOptions, group string) error {
	if o.System == nil {
		o.System = new(core.ListenSystem)
	}
	o.System.Group = group
	return nil
}

// A PipeDirection is a direction in which a named pipe carries data.
type PipeDirection int

// The directions. The numbers are those of the C library's enum lipc_pipe_direction.
const (
	DefaultDirection PipeDirection = iota // listening: Duplex; dialling: the server's direction
	Duplex                                // both
	ClientToServer                        // the client only writes, the server only reads
	ServerToClient                        // the client only reads, the server only writes
)

// SysListen holds the options of listening that only Windows has. The system's documentation of CreateNamedPipe
// describes them in more detail. The zero value is the safe default. A value that is out of range is [syscall.EINVAL].
type SysListen struct {
	// Direction is the direction in which the pipe carries data. Using the other one fails with [syscall.EINVAL].
	Direction PipeDirection

	// InstanceLimit is how many connections may exist at a time, including those that wait to be accepted: 1 to 254.
	// Zero means no limit. Further clients wait. The system counts one instance more, to which nobody can connect: it
	// keeps the name while there is no connection.
	InstanceLimit int

	// InboundBuffer and OutboundBuffer are the sizes of the pipe's buffers in bytes, for data from the client and to
	// the client. They are requests to the system, at most 1 GiB. Zero means 64 KiB.
	InboundBuffer, OutboundBuffer int

	// DefaultWait is how long clients that call WaitNamedPipe without a time wait for a free instance, in whole
	// milliseconds. Zero means the system's 50 ms. It has no effect on Dial.
	DefaultWait time.Duration

	// AcceptRemote lets clients on other machines connect. They dial \\host\pipe\name.
	AcceptRemote bool

	// WriteThrough makes a write to a client on another machine wait until the data is there (FILE_FLAG_WRITE_THROUGH).
	WriteThrough bool

	// Inherit makes child processes inherit the handles of accepted connections, if they are started to inherit any.
	// Package os/exec names the handles that it passes, see [syscall.SysProcAttr].
	Inherit bool

	// SecurityDescriptor is the pipe's security descriptor, in the security descriptor definition language. It replaces
	// [ListenConfig].Mode. "D:P(A;;GA;;;SY)(A;;GA;;;OW)(A;;0x12019b;;;AU)" lets everybody who has logged in connect.
	// 0x12019b is all the rights that reading and writing take. GW would be too much: it includes the right to create
	// instances of the pipe (FILE_CREATE_PIPE_INSTANCE), and so to pose as the server.
	SecurityDescriptor string
}

// An ImpersonationLevel is what a server may do as its client.
type ImpersonationLevel int

// The impersonation levels. The numbers are those of the C library's enum lipc_impersonation.
const (
	DefaultImpersonation     ImpersonationLevel = iota // ImpersonationIdentify
	ImpersonationAnonymous                             // not even learn who the client is
	ImpersonationIdentify                              // learn who the client is, but not act as the client
	ImpersonationImpersonate                           // act as the client on this machine
	ImpersonationDelegate                              // act as the client on other machines, too
)

// SysDial holds the options of dialling that only Windows has. The zero value is the safe default. A value that is out
// of range is [syscall.EINVAL].
type SysDial struct {
	// Direction is the direction in which the pipe carries data. The default is the server's direction. A direction
	// that the pipe does not have is [fs.ErrPermission].
	Direction PipeDirection

	// Impersonation is what the server may do as this process.
	Impersonation ImpersonationLevel

	// WriteThrough makes a write to a server on another machine wait until the data is there (FILE_FLAG_WRITE_THROUGH).
	WriteThrough bool

	// Inherit makes child processes inherit the handle, see [SysListen].
	Inherit bool
}

// SysPipe holds the options of unnamed pipes that only Windows has.
type SysPipe struct {
	// SecurityDescriptor is the pipe's security descriptor, see [SysListen]. By default only the user has access.
	SecurityDescriptor string
}

func (d PipeDirection) check(halfClose bool) error {
	switch {
	case d < DefaultDirection || d > ServerToClient:
		return core.Invalidf("Direction %d does not exist", d)
	case d > Duplex && halfClose:
		return core.Invalidf("HalfClose is for both directions, and cannot go with one")
	}
	return nil
}

func (s *SysListen) check(halfClose bool) error {
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
	return s.Direction.check(halfClose)
}

func (s *SysListen) options(halfClose bool) *core.ListenSystem {
	if s == nil {
		s = new(SysListen)
	}
	return &core.ListenSystem{Direction: int(s.Direction), Instances: s.InstanceLimit, InboundBuffer: s.InboundBuffer,
		OutboundBuffer: s.OutboundBuffer, DefaultWait: s.DefaultWait, AcceptRemote: s.AcceptRemote,
		WriteThrough: s.WriteThrough, Inherit: s.Inherit, SecurityDescriptor: s.SecurityDescriptor, HalfClose: halfClose}
}

func (s *SysDial) check(halfClose bool) error {
	if s == nil {
		return nil
	}
	if s.Impersonation < DefaultImpersonation || s.Impersonation > ImpersonationDelegate {
		return core.Invalidf("Impersonation %d does not exist", s.Impersonation)
	}
	return s.Direction.check(halfClose)
}

func (s *SysDial) options(halfClose bool) *core.ConnectSystem {
	if s == nil {
		s = new(SysDial)
	}
	return &core.ConnectSystem{Direction: int(s.Direction), Impersonation: int(s.Impersonation),
		WriteThrough: s.WriteThrough, Inherit: s.Inherit, HalfClose: halfClose}
}

func (s *SysPipe) options() *core.PipeSystem {
	if s == nil {
		return nil
	}
	return &core.PipeSystem{SecurityDescriptor: s.SecurityDescriptor}
}

// IsServer reports whether this is the server's end: the one that was accepted, not the one that dialled. One end of a
// pair is a server's.
func (c *conn) IsServer() (is bool, err error) {
	err = c.end.Control(func(handle uintptr) core.Result {
		r := core.IsServer(handle)
		is = r > 0
		return r
	})
	return is, c.opError("get", err)
}

// ClientProcessID returns the ID of the process that dialled. It is -1 if this is the server's end and the client is on
// another machine.
func (c *conn) ClientProcessID() (int, error) {
	ids, err := c.ids()
	return ids.ClientProcess, err
}

// ClientSessionID returns the terminal services session of the process that dialled. It is -1 where ClientProcessID is.
func (c *conn) ClientSessionID() (int, error) {
	ids, err := c.ids()
	return ids.ClientSession, err
}

// ServerProcessID returns the ID of the process that listened. It is -1 if this is the client's end and the server is
// on another machine.
func (c *conn) ServerProcessID() (int, error) {
	ids, err := c.ids()
	return ids.ServerProcess, err
}

// ServerSessionID returns the terminal services session of the process that listened. It is -1 where ServerProcessID
// is.
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

// Impersonate calls f on a thread that acts as the client of this connection. The client decides how far, see
// [SysDial]; by default the server may only learn who the client is. Only the end that was accepted can do this.
// Goroutines that f starts act as this process. Errors:
//
//   - [syscall.EAGAIN]: the client is not known before something was read from it, see [Conn.PeerCredentials].
//   - [syscall.EINVAL]: f called Impersonate again.
func (c *conn) Impersonate(f func()) error {
	runtime.LockOSThread()
	if err := c.end.Control(core.Impersonate); err != nil {
		runtime.UnlockOSThread()
		return c.opError("impersonate", err)
	}
	defer func() {
		if r := core.Revert(); r < 0 { // the thread must not go on as the client
			fmt.Fprintln(os.Stderr, "ipc: cannot stop impersonating:", r.Err())
			os.Exit(2)
		}
		runtime.UnlockOSThread()
	}()
	f()
	return nil
}

// Flush waits until the peer has read all that was written. A program need not flush before [Conn.Close], because
// closing does not lose what the peer has not read yet. It must flush before Disconnect, which does. The write deadline
// and Close end the wait.
func (c *conn) Flush() error { return c.opError("flush", c.end.Flush()) }

// Disconnect ends the connection at once. Data that has not been read is lost. On both sides reads return [io.EOF] from
// then on, and writes fail with [syscall.EPIPE]. Only the end that was accepted can do this. The connection must still
// be closed.
func (c *conn) Disconnect() error { return c.opError("disconnect", c.end.Control(core.Disconnect)) }

// GiveFile gives the peer's process a duplicate of f's handle, and returns its number there. f stays the caller's. The
// caller sends the peer the number and what it is for, in a form that the two programs agree on. The peer passes the
// number to [os.NewFile]. That is safe only if the peer trusts this process, because a number that was never given
// could be one of the peer's own handles. TakeFile describes what this process could do with the file that both then
// have.
//
// The peer's process is the one that has its ID. If that process was created after this end was accepted or dialled, it
// is not the peer, which has ended. The system does not report whether a client that waited to be accepted had ended by
// then and its ID had been reused.
//
// Errors:
//
//   - [fs.ErrPermission]: this process may not duplicate handles into the peer's (PROCESS_DUP_HANDLE). Users may do so
//     for their own processes.
//   - [fs.ErrNotExist]: the peer's process has ended.
//   - [errors.ErrUnsupported]: the peer is on another machine.
//   - [errors.ErrUnsupported]: the runtime polls the file, for instance because [os.NewFile] got a handle for
//     overlapped operation. What the peer does with it would be reported to the runtime, and would end this process.
//     The call resets a deadline of such a file. The File of a connection or pipe of this package can be given.
func (c *conn) GiveFile(f *os.File) (number uintptr, err error) {
	number, err = give(f, c.end.GiveHandle)
	return number, c.opError("give", err)
}

// GiveFileTo gives a file to any process, as [Conn.GiveFile] gives one to the peer's. The caller must make sure that
// the process has not ended, because its ID could then be another's. If there is no such process, the error is
// [fs.ErrNotExist].
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
	if f.SetDeadline(time.Time{}) == nil { // only a file that the runtime polls has deadlines
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
// GiveFile, for a process that may duplicate the peer's handles. It finds the peer's process as GiveFile does.
//
// The number is only the peer's claim: it can be that of any handle of the peer's process. The caller must check what
// the file is: it may be a file of a file system, a directory, a console, or an end of a pipe. The two processes share
// its position. While an operation of the peer on the file is under way, everything that is done with the file waits,
// including TakeFile. A peer that reads from a pipe that nobody writes to can make it wait for ever.
//
// Errors, besides those of GiveFile:
//
//   - [syscall.EBADF]: the peer has no such handle. Or the number means something else in each process, such as the
//     handle of the process itself. Or the handle is not a file, but an event, a process or a section.
//   - [errors.ErrUnsupported]: the file was opened for overlapped operation (FILE_FLAG_OVERLAPPED). The runtime would
//     poll it, and the system would report the peer's operations to the runtime, too; one of them would end this
//     process. For connections use [Conn.TakeConn] and [Conn.TakeMessageConn].
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

// TakeConn takes a connection as TakeFile takes a file. The handle must be an end of a named pipe in byte mode that
// carries data both ways and was opened for overlapped operation, as a [Conn] of the peer is. The peer keeps a handle
// for the same end. With it the peer can read what was meant for this process, write in between, or end the connection,
// but it can harm only the two processes. File fails on such a connection with [errors.ErrUnsupported], see TakeFile.
func (c *conn) TakeConn(number uintptr) (*Conn, error) {
	taken := new(Conn)
	if err := c.takeConn(&taken.conn, number, core.KindStream); err != nil {
		return nil, c.opError("take", err)
	}
	return taken, nil
}

// TakeMessageConn takes a connection of messages as TakeConn takes one of bytes.
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
