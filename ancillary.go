package ipc

import (
	"bytes"
	"context"
	"os"

	"github.com/lipc/ipc/internal/core"
)

// A Message is a payload, and what travels with it: above all open files. It is for connections of bytes, messages and
// datagrams alike. One Message may be used again and again, but only by one call at a time.
type Message struct {
	// Buffers hold the payload, at most 1024 of them. Sending gathers the payload from them. Receiving fills them in
	// order, and does not cut them. More than five buffers cost an allocation, in [runtime.Pinner].
	Buffers [][]byte

	// Files are open files, at most 253. Sending: they stay the caller's. If one is closed meanwhile, that takes effect
	// once the message is sent. Receiving: they belong to the caller, and are close-on-exec. The slice's memory is used
	// again if there is room.
	Files []*os.File

	// MaxFiles is how many files a receive accepts, at most 253. If more files arrive, the error is [ErrFilesLost]. If
	// MaxFiles is 0, files that arrive are closed, without an error.
	MaxFiles int

	// Credentials are not received or sent if nil. Receiving: the sender's credentials, supplied by the kernel, if
	// SetPassCredentials asked for them before the message was sent; otherwise the IDs are -1. Groups are not reported.
	//
	// Sending: the credentials to claim, where -1 stands for the actual value. The kernel refuses ([fs.ErrPermission])
	// IDs that are not this process's own, unless the process may change its IDs. A PID of 0 is [syscall.EINVAL]. Only
	// Linux can send credentials; other systems: [errors.ErrUnsupported].
	Credentials *Credentials

	// Peer is for datagrams. Sending: the receiver; the zero Name means the peer that the socket is connected to.
	// Receiving: the sender; the zero Name means that it is not bound.
	Peer Name

	// PIDFD is a pidfd of the sending process, see [Conn.PeerPIDFD], if SetPassPIDFD asked for it before the message
	// was sent; otherwise nil. It is only received, and belongs to the caller.
	PIDFD *os.File

	// Control is control data of other types. It is sent as it is, and received as it came.
	Control []ControlData
}

// ControlData is control data in the system's form, cmsg(3), of a type that [Message] has no field for.
type ControlData struct {
	Level, Type int
	Data        []byte
}

// check refuses what no system can send or receive.
func (m *Message) check() error {
	const maxBuffers = 1024 // IOV_MAX of every system
	switch {
	case len(m.Buffers) > maxBuffers:
		return core.Invalidf("%d buffers, at most %d in one message", len(m.Buffers), maxBuffers)
	case m.MaxFiles < 0:
		return core.Invalidf("negative MaxFiles")
	}
	return nil
}

// fill adds what m sends besides its payload and files.
func (m *Message) fill(a *core.Ancillary) error {
	if m.Credentials != nil {
		if err := a.SetCredentials(core.Credentials(*m.Credentials)); err != nil {
			return err
		}
	}
	if m.Peer != (Name{}) {
		if err := a.SetPeer(m.Peer.name); err != nil {
			return err
		}
	}
	for _, c := range m.Control {
		if err := a.AddControl(c.Level, c.Type, c.Data); err != nil {
			return err
		}
	}
	return nil
}

// clearReceived removes from m what an earlier receive stored.
func (m *Message) clearReceived() {
	m.Files, m.PIDFD, m.Control, m.Peer = m.Files[:0], nil, m.Control[:0], Name{}
	if m.Credentials != nil {
		*m.Credentials = Credentials{PID: -1, UID: -1, GID: -1}
	}
}

// take stores in m what came with the payload.
func (m *Message) take(a *core.Ancillary) {
	if m.Credentials != nil {
		*m.Credentials = Credentials(a.Credentials())
	}
	for _, handle := range a.Handles() {
		m.Files = append(m.Files, receivedFile(handle))
	}
	if pidfd, came := a.PIDFD(); came {
		m.PIDFD = os.NewFile(pidfd, "ipc: pidfd")
	}
	a.Control(func(level, typ int, data []byte) {
		m.Control = append(m.Control, ControlData{level, typ, bytes.Clone(data)})
	})
}

// takeFiles stores the files that came with a payload, and returns how many came.
func takeFiles(files []*os.File, a *core.Ancillary) int {
	for i, handle := range a.Handles() {
		files[i] = receivedFile(handle)
	}
	return len(a.Handles())
}

func receivedFile(handle uintptr) *os.File { return os.NewFile(handle, "ipc: received") }

// SendMessage sends a message, and returns the size of the payload that was sent.
//
// On a connection of bytes, files and credentials go with the first byte of the payload. If the payload is empty, they
// go with one byte of value 0, as in package net: the peer receives that byte as payload, and n is 0. An error can come
// after a part of the payload was sent. If n is over 0, files and credentials have gone, and must not be sent again
// with the rest.
//
// When too many files are on their way, the error matches [syscall.ETOOMANYREFS] and is Temporary: the system takes
// more when some have been received.
//
// On Windows only a payload can be sent ([errors.ErrUnsupported]), and nothing else is received. For files use GiveFile
// and TakeFile.
func (c *conn) SendMessage(m *Message) (int, error) {
	return c.SendMessageContext(context.Background(), m)
}

// SendMessageContext is SendMessage with a context, see [Conn.ReadContext].
func (c *conn) SendMessageContext(ctx context.Context, m *Message) (int, error) {
	err, n := m.check(), 0
	if err == nil {
		n, err = c.end.SendMessage(ctx, m.Buffers, m.Files, m.fill)
	}
	addr := m.Peer
	if addr == (Name{}) {
		addr = c.peer()
	}
	return n, opError("write", c.localName(), addr, err)
}

// ReceiveMessage receives a message, and returns the size of its payload. It returns [io.EOF] at end of stream.
//
// On a connection of bytes the payload is the bytes that are there, and it ends with the bytes that files came with.
// There must be room for at least one byte ([syscall.EINVAL]).
//
// After an error all files that came are closed, and m has nothing of the message. With [ErrTruncated] and
// [ErrFilesLost], though, it has the payload and the sender's credentials and name.
func (c *conn) ReceiveMessage(m *Message) (int, error) {
	return c.ReceiveMessageContext(context.Background(), m)
}

// ReceiveMessageContext is ReceiveMessage with a context, see [Conn.ReadContext].
func (c *conn) ReceiveMessageContext(ctx context.Context, m *Message) (int, error) {
	return c.receiveMessage(ctx, m, false)
}

// PeekMessage receives a message as ReceiveMessage does, but does not remove it. So a program can look at what travels
// with a message, such as how many files, before it decides what receives it. The files in m are duplicates, which the
// caller closes; the next receive returns files of its own for the same open files. PeekMessage performs one system
// call and, if MaxFiles is over 0, takes as many descriptors as files came. On Windows, where nothing travels with a
// message, the error is [errors.ErrUnsupported]: use [MessageConn.Peek].
func (c *conn) PeekMessage(m *Message) (int, error) {
	return c.receiveMessage(context.Background(), m, true)
}

func (c *conn) receiveMessage(ctx context.Context, m *Message, peek bool) (int, error) {
	m.clearReceived()
	err, n := m.check(), 0
	if err == nil {
		received := func(a *core.Ancillary) {
			m.take(a)
			if c.senders != nil { // otherwise Linux reports the name of the whole connection's peer
				m.Peer = c.senders.named(a.Peer()).name
			}
		}
		if peek {
			n, err = c.end.PeekMessage(ctx, m.Buffers, m.MaxFiles, received)
		} else {
			n, err = c.end.ReceiveMessage(ctx, m.Buffers, m.MaxFiles, received)
		}
	}
	return c.readResult(n, err)
}

// SendFiles sends b with files, as [Conn.SendMessage] does.
func (c *conn) SendFiles(b []byte, files ...*os.File) (int, error) {
	n, err := c.end.SendMessage(context.Background(), [][]byte{b}, files, new(Message).fill)
	return n, c.opError("write", err)
}

// ReceiveFiles receives into b and files, as [Conn.ReceiveMessage] does. It accepts at most len(files) files, and
// returns how many came.
func (c *conn) ReceiveFiles(b []byte, files []*os.File) (n, nfiles int, err error) {
	n, err = c.end.ReceiveMessage(context.Background(), [][]byte{b}, len(files), func(a *core.Ancillary) {
		nfiles = takeFiles(files, a)
		if pidfd, came := a.PIDFD(); came { // the caller has no way to get it
			core.Close(pidfd)
		}
	})
	n, err = c.readResult(n, err)
	return n, nfiles, err
}

// SetPassCredentials sets whether messages are received with their sender's credentials, beginning with those sent
// after this call. Linux: SO_PASSCRED, which is always on for a [MessageConn]. FreeBSD: LOCAL_CREDS_PERSISTENT. NetBSD:
// LOCAL_CREDS. Other systems: [errors.ErrUnsupported].
func (c *conn) SetPassCredentials(on bool) error {
	return c.opError("set", c.end.SetPassCredentials(on))
}

// SetPassPIDFD sets whether messages are received with a pidfd of their sender, beginning with those sent after this
// call. Linux 6.5 and later: SO_PASSPIDFD. Other systems: [errors.ErrUnsupported].
func (c *conn) SetPassPIDFD(on bool) error { return c.opError("set", c.end.SetPassPIDFD(on)) }

// SetPassCredentials is [Conn.SetPassCredentials] for the connections accepted after this call, even those that
// connected before it.
func (l *listener) SetPassCredentials(on bool) error {
	return l.opError("set", l.acceptor.SetPassCredentials(on))
}

// SetPassPIDFD is [Conn.SetPassPIDFD] for the connections accepted after this call, even those that connected before
// it.
func (l *listener) SetPassPIDFD(on bool) error {
	return l.opError("set", l.acceptor.SetPassPIDFD(on))
}
