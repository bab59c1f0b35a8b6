//go:build cgo && unix

package ipc

// What travels with a payload, on Unix.

import (
	"bytes"
	"fmt"
	"os"
	"unsafe"
)

// lend calls send with the descriptors of files in handles. None of them can be closed, and its number used again for
// another file, before send has returned.
func lend(files []*os.File, handles []coreHandle, send func() error) error {
	if len(files) == 0 {
		return send()
	}
	raw, err := files[0].SyscallConn()
	if err != nil {
		return fmt.Errorf("a file to send is nil: %w", err)
	}
	var sent error
	if raw.Control(func(fd uintptr) {
		handles[0] = coreHandle(fd)
		sent = lend(files[1:], handles[1:], send)
	}) != nil {
		return fmt.Errorf("a file to send, %s: %w", files[0].Name(), os.ErrClosed)
	}
	return sent
}

// needAncillary makes the direction's memory for what travels with a payload, unless it is there.
func (d *direction) needAncillary() *coreAncillary {
	d.needExtras()
	if d.ancillary == nil {
		d.ancillary = new(coreAncillary)
	}
	return d.ancillary
}

// set fills in what m sends.
func (a *coreAncillary) set(m *Message) error {
	a.c.handle_count, a.c.control_length = coreSize(len(m.Files)), 0
	a.c.with_credentials = m.Credentials != nil
	if m.Credentials != nil {
		a.setCredentials(m.Credentials)
	}
	a.c.with_peer = m.Peer != (Name{})
	if m.Peer != (Name{}) {
		if err := m.Peer.check(); err != nil {
			return err
		}
		a.setPeer(m.Peer)
	}
	for _, c := range m.Control {
		n, r := coreControlAdd(a.controlData(), int(a.c.control_length), c.Level, c.Type, c.Data)
		if r < 0 {
			return fmt.Errorf("control data: %w", r.err())
		}
		a.c.control_length = coreSize(n)
	}
	return nil
}

// checkFiles finds more files than one message carries.
func checkFiles(files []*os.File) error {
	if len(files) > maxFiles {
		return &optionError{fmt.Sprintf("%d files, at most %d in one message", len(files), maxFiles)}
	}
	return nil
}

func (e *endpoint) sendMessage(m *Message) (int, error) {
	if err := m.check(); err != nil {
		return 0, err
	}
	if err := checkFiles(m.Files); err != nil {
		return 0, err
	}
	d := &e.out
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.needAncillary()
	if err := a.set(m); err != nil {
		return 0, err
	}
	d.pin(m.Buffers)
	defer d.unpin()
	n := 0
	err := lend(m.Files, a.c.handles[:], func() (err error) {
		n, err = e.run(d, opSendMessage)
		return err
	})
	return n, e.explainEmpty(m.size(), e.explainSize(m.size(), err))
}

func (e *endpoint) receiveMessage(m *Message) (int, error) {
	m.Files, m.PIDFD, m.Control, m.Peer = m.Files[:0], nil, m.Control[:0], Name{}
	if m.Credentials != nil {
		*m.Credentials = Credentials{PID: -1, UID: -1, GID: -1}
	}
	if err := m.check(); err != nil {
		return 0, err
	}
	d := &e.in
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.needAncillary()
	a.c.handle_count = coreSize(min(m.MaxFiles, maxFiles))
	d.pin(m.Buffers)
	defer d.unpin()
	n, err := e.run(d, opReceiveMessage)
	lacking := d.result.truncated() || d.result.filesLost()
	if err != nil && !lacking {
		return n, e.explainEmpty(m.size(), err)
	}
	m.Peer = d.peerNamed(&a.c.peer).name
	if m.Credentials != nil {
		*m.Credentials = a.senderCredentials()
	}
	if lacking {
		return int(a.c.length), err
	}
	for _, handle := range a.c.handles[:a.c.handle_count] {
		m.Files = append(m.Files, os.NewFile(uintptr(handle), "ipc: received"))
	}
	if a.c.pidfd >= 0 {
		m.PIDFD = os.NewFile(uintptr(a.c.pidfd), "ipc: pidfd")
	}
	var item coreItem
	for control, at := a.controlData()[:a.c.control_length], 0; coreControlNext(control, &at, &item) > 0; {
		if item.isOther() {
			start, end := item.bounds()
			m.Control = append(m.Control, ControlData{item.levelNumber(), item.typeNumber(), bytes.Clone(control[start:end])})
		}
	}
	return n, nil
}

// explainEmpty says what is invalid about a payload of no bytes on a stream.
func (e *endpoint) explainEmpty(size int, err error) error {
	if size > 0 || err != errInvalid {
		return err
	}
	return fmt.Errorf("a stream needs a payload of at least one byte: %w", err)
}

func (e *endpoint) sendControl(b, control []byte) (int, error) {
	d := &e.out
	d.mu.Lock()
	defer d.mu.Unlock()
	d.needExtras()
	d.data, d.control = b, control
	n, err := e.run(d, opSendControl)
	d.data, d.control = nil, nil
	return n, e.explainEmpty(len(b), e.explainSize(len(b), err))
}

func (e *endpoint) receiveControl(b, control []byte) (n, length int, err error) {
	d := &e.in
	d.mu.Lock()
	defer d.mu.Unlock()
	d.needExtras()
	d.data, d.control, d.length = b, control, 0
	n, err = e.run(d, opReceiveControl)
	d.data, d.control = nil, nil
	return n, d.length, err
}

func (e *endpoint) setPassCredentials(on bool) error {
	return e.control(func(fd uintptr) result { return coreSetPassCredentials(fd, on) })
}

func (e *endpoint) setPassPIDFD(on bool) error {
	return e.control(func(fd uintptr) result { return coreSetPassPIDFD(fd, on) })
}

func (e *endpoint) peerPIDFD() (*os.File, error) {
	var pidfd uintptr
	err := e.control(func(fd uintptr) (r result) {
		pidfd, r = corePeerPIDFD(fd)
		return r
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(pidfd, "ipc: pidfd"), nil
}

func (e *endpoint) sendTo(b []byte, peer Name) error {
	d := &e.out
	d.mu.Lock()
	d.needExtras()
	d.data, d.peer = b, peer
	_, err := e.run(d, opSendTo)
	d.data, d.peer = nil, Name{}
	d.mu.Unlock()
	if err != nil {
		if wrong := peer.check(); wrong != nil {
			return wrong
		}
	}
	return e.explainSize(len(b), err)
}

func (e *endpoint) receiveFrom(b []byte) (int, datagramPeer, error) {
	d := &e.in
	d.mu.Lock()
	defer d.mu.Unlock()
	d.needExtras()
	if d.from == nil {
		d.from = new(coreName)
	}
	d.data = b
	n, err := e.run(d, opReceiveFrom)
	d.data = nil
	if err != nil && !d.result.truncated() {
		return n, datagramPeer{}, err
	}
	return n, d.peerNamed(d.from), err
}

// peerNamed returns who a datagram came from. It remembers some, so that hearing of them again allocates nothing.
func (d *direction) peerNamed(name *coreName) datagramPeer {
	const most = 256
	key := unsafe.Slice((*byte)(unsafe.Pointer(name)), keyLength(name)) // the type is part of it
	if peer, known := d.peers[string(key)]; known {
		return peer
	}
	if d.peers == nil || len(d.peers) == most {
		d.peers = map[string]datagramPeer{}
	}
	peer := datagramPeer{name: goName(name)}
	peer.addr = peer.name
	d.peers[string(key)] = peer
	return peer
}
