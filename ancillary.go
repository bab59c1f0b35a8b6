package ipc

import (
	"bytes"
	"os"

	"github.com/lipc/ipc/internal/core"
)

// A Message is a payload and what travels with it: open files above all. It goes over connections of bytes, messages
// and datagrams alike. One Message may be used again and again, but by one call at a time.
type Message struct {
	// Buffers are gathered when sent, and filled in order when received, but not cut. There may be 1024 of them. More
	// than five cost an allocation, in [runtime.Pinner].
	Buffers [][]byte

	// Files are lent when sent, at most 253 of them: they stay the caller's, and one that is closed meanwhile is closed
	// once the message is sent. When received they are the caller's, close-on-exec; the slice's memory is used again if
	// there is room.
	Files []*os.File

	// MaxFiles is how many files a receive accepts; more are taken for 253. Files that come when it is 0 are closed. If
	// more come than that the error is [ErrFilesLost].
	MaxFiles int

	// Credentials, if not nil, are filled in by a receive with those of the sender as the kernel vouches for them, if
	// SetPassCredentials asked for them before the message was sent; otherwise with -1. Groups are not told. A send
	// gives them to the kernel to vouch for, with -1 for what is so (a PID of 0 is [syscall.EINVAL]); it refuses
	// ([fs.ErrPermission]) what is not this process's own unless it may change its IDs. Only Linux lets one send them;
	// elsewhere that is [errors.ErrUnsupported].
	Credentials *Credentials

	// Peer is where a datagram is sent to, the zero Name being the peer that the socket is connected to; or where it
	// came from, the zero Name if the sender is bound to none.
	Peer Name

	// PIDFD, received only, is a pidfd of the sending process if SetPassPIDFD asked for it before the message was sent,
	// see [Conn.PeerPIDFD]. It is the caller's.
	PIDFD *os.File

	// Control is control data of other types: sent as it is, and received as it came.
	Control []ControlData
}

// ControlData is control data as the system has it, cmsg(3), of a type that [Message] has no field for.
type ControlData struct {
	Level, Type int
	Data        []byte
}

// check finds what no system can send or receive.
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

// fill adds what m sends beside its payload and files.
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

// forget makes m one that nothing has come with.
func (m *Message) forget() {
	m.Files, m.PIDFD, m.Control, m.Peer = m.Files[:0], nil, m.Control[:0], Name{}
	if m.Credentials != nil {
		*m.Credentials = Credentials{PID: -1, UID: -1, GID: -1}
	}
}

// take takes what came beside the payload.
func (m *Message) take(a *core.Ancillary) {
	if m.Credentials != nil {
		*m.Credentials = Credentials(a.Credentials())
	}
	for _, handle := range a.Handles() {
		m.Files = append(m.Files, os.NewFile(handle, "ipc: received"))
	}
	if pidfd, came := a.PIDFD(); came {
		m.PIDFD = os.NewFile(pidfd, "ipc: pidfd")
	}
	a.Control(func(level, typ int, data []byte) {
		m.Control = append(m.Control, ControlData{level, typ, bytes.Clone(data)})
	})
}

// SendMessage sends a message, and returns the size of the payload that was sent. On a connection of bytes an error can
// come after a part of it was: if n is over 0, files and credentials have gone, and must not be sent again with the
// rest. There they need a payload of at least one byte ([syscall.EINVAL]). When so many files are on their way that the
// system takes no more before some are received, the error is Temporary and matches [syscall.ETOOMANYREFS].
//
// On Windows nothing but a payload can be sent ([errors.ErrUnsupported]), and nothing else is received; for files there are
// GiveFile and TakeFile.
func (c *conn) SendMessage(m *Message) (int, error) {
	err, n := m.check(), 0
	if err == nil {
		n, err = c.end.SendMessage(m.Buffers, m.Files, m.fill)
	}
	addr := m.Peer
	if addr == (Name{}) {
		addr = c.peer()
	}
	return n, opError("write", c.localName(), addr, err)
}

// ReceiveMessage receives a message, and returns the size of its payload. On a connection of bytes that is what is there,
// and never goes beyond the bytes that files came with; there has to be room for at least one ([syscall.EINVAL]). After
// an error there is nothing in m but, with [ErrTruncated] and [ErrFilesLost], the payload and who sent it: files that came
// are closed. The end is [io.EOF].
func (c *conn) ReceiveMessage(m *Message) (int, error) {
	m.forget()
	err, n := m.check(), 0
	if err == nil {
		n, err = c.end.ReceiveMessage(m.Buffers, m.MaxFiles, func(a *core.Ancillary) {
			m.take(a)
			if c.senders != nil { // otherwise Linux reports the name of the whole connection's peer
				m.Peer = c.senders.named(a.Peer()).name
			}
		})
	}
	return c.readResult(n, err)
}

// SendFiles is [Conn.SendMessage] of b and files.
func (c *conn) SendFiles(b []byte, files ...*os.File) (int, error) {
	m := Message{Buffers: [][]byte{b}, Files: files}
	return c.SendMessage(&m)
}

// ReceiveFiles is [Conn.ReceiveMessage] into b and files: it accepts as many files as that has room for, and returns how
// many came.
func (c *conn) ReceiveFiles(b []byte, files []*os.File) (n, nfiles int, err error) {
	m := Message{Buffers: [][]byte{b}, Files: files[:0], MaxFiles: len(files)}
	n, err = c.ReceiveMessage(&m)
	if m.PIDFD != nil { // nobody could get at it
		m.PIDFD.Close()
	}
	return n, copy(files, m.Files), err
}

// SetPassCredentials says whether messages are to come with their sender's credentials, from those sent after this
// call on. Linux: SO_PASSCRED, which a [MessageConn] always has set. FreeBSD: LOCAL_CREDS_PERSISTENT, NetBSD: LOCAL_CREDS.
// Elsewhere the error is [errors.ErrUnsupported].
func (c *conn) SetPassCredentials(on bool) error {
	return c.opError("set", c.end.SetPassCredentials(on))
}

// SetPassPIDFD says whether messages are to come with a pidfd of their sender, from those sent after this call on. Linux
// 6.5 and later, SO_PASSPIDFD; elsewhere the error is [errors.ErrUnsupported].
func (c *conn) SetPassPIDFD(on bool) error { return c.opError("set", c.end.SetPassPIDFD(on)) }

// SetPassCredentials is [Conn.SetPassCredentials] for the connections that are accepted from now on, whenever they
// connected.
func (l *listener) SetPassCredentials(on bool) error {
	return l.opError("set", l.acceptor.SetPassCredentials(on))
}

// SetPassPIDFD is [Conn.SetPassPIDFD] for the connections that are accepted from now on, whenever they connected.
func (l *listener) SetPassPIDFD(on bool) error {
	return l.opError("set", l.acceptor.SetPassPIDFD(on))
}
