//go:build cgo

package ipc

import "fmt"

// ControlSize is the size of a buffer that takes whatever control data a message can bring: 253 files, credentials, a
// pidfd, and some more.
const ControlSize = 2048

// A ControlWriter lays control data, cmsg(3), out in a buffer of the caller's, for [Conn.SendControl]. It is for those to
// whom [Message] is not plain enough: it knows descriptors as numbers, and allocates nothing.
type ControlWriter struct {
	buffer []byte
	length int
}

// NewControlWriter returns a writer into buffer, which needs no alignment.
func NewControlWriter(buffer []byte) *ControlWriter { return &ControlWriter{buffer: buffer} }

// Reset empties the buffer.
func (w *ControlWriter) Reset() { w.length = 0 }

// Bytes returns what was written.
func (w *ControlWriter) Bytes() []byte { return w.buffer[:w.length] }

func (w *ControlWriter) added(length int, r result) error {
	w.length = length
	return opError("control", Name{}, Name{}, r.err())
}

// Add adds data of a level and type. If it does not fit the error is [syscall.EMSGSIZE], and the buffer is as it was; the
// same holds for the other methods.
func (w *ControlWriter) Add(level, typ int, data []byte) error {
	return w.added(coreControlAdd(w.buffer, w.length, level, typ, data))
}

// AddFDs adds file descriptors, at most 253. They are lent: they must stay open until the message has been sent.
func (w *ControlWriter) AddFDs(fds ...int) error {
	var handles [maxFiles]coreHandle
	if len(fds) > maxFiles {
		return opError("control", Name{}, Name{},
			&optionError{fmt.Sprintf("%d files, at most %d in one message", len(fds), maxFiles)})
	}
	for i, fd := range fds {
		handles[i] = coreHandle(fd)
	}
	return w.added(coreControlAddHandles(w.buffer, w.length, handles[:len(fds)]))
}

// AddCredentials adds credentials, see [Message].Credentials.
func (w *ControlWriter) AddCredentials(c Credentials) error {
	return w.added(coreControlAddCredentials(w.buffer, w.length, c))
}

// A ControlReader reads the control data that [Conn.ReceiveControl] received into a buffer of the caller's. It allocates
// nothing. Close closes the descriptors that nobody took.
//
//	r := ipc.NewControlReader(buffer)
//	defer r.Close()
//	n, err := c.ReceiveControl(b, r)
//	for r.Next() {
//		…
//	}
type ControlReader struct {
	buffer   []byte
	length   int
	position int
	item     coreItem
	result   result // of the last step
}

// NewControlReader returns a reader with room for as much as fits buffer, which needs no alignment; [ControlSize] bytes
// are always enough. On Linux credentials come first, of 32 bytes, and with the messages of a [MessageConn] they always
// come.
func NewControlReader(buffer []byte) *ControlReader { return &ControlReader{buffer: buffer} }

// Next goes to the next item, and reports whether there is one.
func (r *ControlReader) Next() bool {
	r.result = coreControlNext(r.buffer[:r.length], &r.position, &r.item)
	return r.result > 0
}

// Err returns the error that ended Next, [syscall.EINVAL] for what is no control data, which no system sends; or nil.
func (r *ControlReader) Err() error { return opError("control", Name{}, Name{}, r.result.err()) }

// Level returns the level of the item.
func (r *ControlReader) Level() int { return r.item.levelNumber() }

// Type returns the type of the item.
func (r *ControlReader) Type() int { return r.item.typeNumber() }

// Data returns the item's data, within the buffer.
func (r *ControlReader) Data() []byte {
	start, end := r.item.bounds()
	return r.buffer[start:end:end]
}

// TakeFDs takes descriptors out of the item, which are the caller's from then on, close-on-exec: files (SCM_RIGHTS) or a
// pidfd (SCM_PIDFD). It returns how many; called again, it gives those that are left. Of other items it is 0.
func (r *ControlReader) TakeFDs(fds []int) int {
	var handles [maxFiles]coreHandle
	n := coreControlTake(r.buffer[:r.length], &r.item, handles[:min(len(fds), maxFiles)])
	for i, handle := range handles[:n] {
		fds[i] = int(handle)
	}
	return n
}

// Credentials returns the credentials that the item is, -1 for what is not known. ok is false for other items.
func (r *ControlReader) Credentials() (c Credentials, ok bool) {
	return coreControlCredentials(r.buffer[:r.length], &r.item)
}

// Close closes the descriptors that nobody took, and empties the reader, which can then receive again.
func (r *ControlReader) Close() error {
	coreControlClose(r.buffer[:r.length])
	*r = ControlReader{buffer: r.buffer}
	return nil
}

// SendControl sends b with the control data in w. It is the plainer form of [Conn.SendMessage], and like it in all else.
func (c *conn) SendControl(b []byte, w *ControlWriter) (int, error) {
	n, err := c.end.sendControl(b, w.Bytes())
	return n, c.opError("write", err)
}

// ReceiveControl receives into b, and control data into r, whose former content is closed. It is the plainer form of
// [Conn.ReceiveMessage], and like it in all else: descriptors for which r has no room, or which the process may not
// open, are [ErrFilesLost], after which r is empty.
func (c *conn) ReceiveControl(b []byte, r *ControlReader) (int, error) {
	r.Close()
	n, length, err := c.end.receiveControl(b, r.buffer)
	r.length = length
	return c.readResult(n, err)
}
