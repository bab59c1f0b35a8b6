package ipc

// Ends that child processes inherit.

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/lipc/ipc/internal/core"
	"github.com/lipc/ipc/internal/poll"
)

// A passedEnd is what a parent passes to its child: a pipe or a connection.
type passedEnd struct {
	what     string
	variable string // followed by a name, the environment variable in which the child finds the number
}

var (
	passedPipe = passedEnd{"pipe", "IPC_PIPE_"}
	passedConn = passedEnd{"connection", "IPC_CONN_"}
)

func (p passedEnd) check(name string) error {
	if name == "" || strings.ContainsAny(name, "=\x00") {
		return core.Invalidf("%q cannot be the name of a %s: it is empty, or has a \"=\" or NUL in it", name, p.what)
	}
	return nil
}

// passTo passes an end to a process that has not been started yet.
func (p passedEnd) passTo(cmd *exec.Cmd, end *poll.Endpoint, name string) error {
	if err := p.check(name); err != nil {
		return err
	}
	variable := p.variable + name
	if cmd.Process != nil {
		return core.Invalidf("the process has been started already")
	}
	if slices.ContainsFunc(cmd.Env, func(one string) bool { return strings.HasPrefix(one, variable+"=") }) {
		return core.Invalidf("%s is set already", variable)
	}
	number, err := handTo(cmd, end)
	if err != nil {
		return err
	}
	text := fmt.Sprint(number)
	env := slices.DeleteFunc(cmd.Environ(), func(one string) bool { // of an end that this process has not taken
		name, value, _ := strings.Cut(one, "=")
		return value == text && (strings.HasPrefix(name, passedPipe.variable) || strings.HasPrefix(name, passedConn.variable))
	})
	cmd.Env = append(env, variable+"="+text)
	return nil
}

// inherit opens an end on the descriptor that the parent process passed, and returns the names that it and its peer
// have.
func (p passedEnd) inherit(end *poll.Endpoint, name string, kind core.Kind) (local, peer core.Name, err error) {
	if err := p.check(name); err != nil {
		return local, peer, err
	}
	value, found := os.LookupEnv(p.variable + name)
	if !found {
		return local, peer, fmt.Errorf("no %s %q was passed to this process: %w", p.what, name, fs.ErrNotExist)
	}
	local, peer, err = end.AdoptNumber(value, kind)
	if err != nil {
		return local, peer, fmt.Errorf("%s %q, descriptor %q: %w", p.what, name, value, err)
	}
	os.Unsetenv(p.variable + name)
	return local, peer, nil
}

// PassTo passes the connection to a process that has not been started yet. The name is a word for the connection that
// both programs know, not a [Name]. The process finds the connection by it, with [InheritedConn],
// [InheritedMessageConn] or [InheritedDatagramConn]. Programs without this package find the number of its descriptor in
// the environment variable IPC_CONN_name. A parent keeps one end of a [Pair] and passes the other:
//
//	ours, theirs, err := ipc.Pair()
//	err = theirs.PassTo(cmd, "work")
//	err = cmd.Start()
//	err = theirs.Close() // the child has it; without this, ours does not end when the child does
//
// For a [Channel] the parent then calls [Conn.Channel] on its end, and the child calls [InheritedChannel]. Exactly one
// of them sets [ChannelConfig].Server.
//
// PassTo adds the connection to cmd.ExtraFiles, where it becomes the descriptor 2+len(cmd.ExtraFiles), and the variable
// to cmd.Env. A nil cmd.Env stands for os.Environ(). Set cmd.Env before PassTo, not after. The error is
// [syscall.EINVAL] if cmd.Env has the variable already, the process has been started, or the name is empty or has a "="
// or NUL in it.
//
// After PassTo the connection is the child's. It is blocking, as programs expect. In this process, reading from it or
// writing to it fails with [syscall.EINVAL], also if it is under way, and it has no deadlines: [os.ErrNoDeadline]. Close
// leaves the socket file of a [DatagramConn], which the next [ListenDatagram] of the name replaces. To the peer,
// [Conn.PeerCredentials] reports the process that opened the connection, not the child. For a Pair that is this process,
// at both ends.
//
// On Windows the number is that of a handle for overlapped operation, which PassTo adds to
// cmd.SysProcAttr.AdditionalInheritedHandles.
func (c *conn) PassTo(cmd *exec.Cmd, name string) error {
	return c.opError("pass", passedConn.passTo(cmd, &c.end, name))
}

// InheritedConn returns the connection that the parent process passed by that name with [Conn.PassTo]. It can be taken
// once. If there is none, the error is [fs.ErrNotExist]; if it is not one of bytes, [syscall.ENOTSOCK].
func InheritedConn(name string) (*Conn, error) {
	c := new(Conn)
	if err := c.inherit(name, core.KindStream); err != nil {
		return nil, err
	}
	return c, nil
}

// InheritedMessageConn is [InheritedConn] for a connection of messages.
func InheritedMessageConn(name string) (*MessageConn, error) {
	c := new(MessageConn)
	if err := c.inherit(name, core.KindMessage); err != nil {
		return nil, err
	}
	return c, nil
}

// InheritedDatagramConn is [InheritedConn] for a datagram socket.
func InheritedDatagramConn(name string) (*DatagramConn, error) {
	c := newDatagramConn()
	if err := c.inherit(name, core.KindDatagram); err != nil {
		return nil, err
	}
	return c, nil
}

// InheritedChannel returns a channel over the connection that the parent process passed by that name with
// [Conn.PassTo]. It waits until the parent has called [Conn.Channel] on the other end. Exactly one of parent and child
// sets [ChannelConfig].Server. A nil config means the defaults. Errors are those of [InheritedConn] and of
// Conn.Channel.
func InheritedChannel(ctx context.Context, name string, config *ChannelConfig) (*Channel, error) {
	c, err := InheritedConn(name)
	if err != nil {
		return nil, err
	}
	return c.Channel(ctx, config)
}

func (c *conn) inherit(name string, kind core.Kind) error {
	local, peer, err := passedConn.inherit(&c.end, name, kind)
	c.setNames(local, peer)
	return opError("inherit", Name{}, Name{}, err)
}
