package ipc

import (
	"github.com/lipc/ipc/internal/core"
	"github.com/lipc/ipc/internal/poll"
)

// ControlSize is the size of a buffer that takes whatever control data a message can bring: 253 files, credentials, a
// pidfd, and some more.
const ControlSize = 2048

var _ = [1]struct{}{}[ControlSize-core.ControlSize]

// A ControlWriter lays control data, cmsg(3), out in a buffer of the caller's, for [Conn.SendControl]. It is for those to
// whom [Message] is not plain enough: it knows descriptors as numbers, and allocates nothing.
type ControlWriter struct{ buffer core.ControlBuffer }

// NewControlWriter returns a writer into buffer, which needs no alignment.
func NewControlWriter(buffer []byte) *ControlWriter {
	return &ControlWriter{core.ControlBuffer{Memory: buffer}}
}

// Reset empties the buffer.
func (w *ControlWriter) Reset() { w.buffer.Length = 0 }

// Bytes returns what was written.
func (w *ControlWriter) Bytes() []byte { return w.buffer.Memory[:w.buffer.Length] }

func controlError(err error) error { return opError("control", Name{}, Name{}, err) }

// Add adds data of a level and type. If it does not fit the error is [syscall.EMSGSIZE], and the buffer is as it was; the
// same holds for the other methods.
func (w *ControlWriter) Add(level, typ int, data []byte) error {
	return controlError(w.buffer.Add(level, typ, data).Err())
}

// AddFDs adds file descriptors, at most 253. They are lent: they must stay open until the message has been sent.
func (w *ControlWriter) AddFDs(fds ...int) error {
	if err := poll.CheckFiles(len(fds)); err != nil {
		return controlError(err)
	}
	var handles [core.MaxFiles]uintptr
	for i, fd := range fds {
		handles[i] = uintptr(fd)
	}
	return controlError(w.buffer.AddHandles(handles[:len(fds)]).Err())
}

// AddCredentials adds credentials, see [Message].Credentials.
func (w *ControlWriter) AddCredentials(c Credentials) error {
	return controlError(w.buffer.AddCredentials(core.Credentials(c)).Err())
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
	item     core.ControlItem
	result   core.Result // of the last step
}

// NewControlReader returns a reader with room for as much as fits buffer, which needs no alignment; [ControlSize] bytes
// are always enough. On Linux credentials come first, of 32 bytes, and with the messages of a [MessageConn] they always
// come.
func NewControlReader(buffer []byte) *ControlReader { return &ControlReader{buffer: buffer} }

// Next goes to the next item, and reports whether there is one.
func (r *ControlReader) Next() bool {
	r.result = core.NextControl(r.buffer[:r.length], &r.position, &r.item)
	return r.result > 0
}

// Err returns the error that ended Next, [syscall.EINVAL] for what is no control data, which no system sends; or nil.
func (r *ControlReader) Err() error { return controlError(r.result.Err()) }

// Level returns the level of the item.
func (r *ControlReader) Level() int { return r.item.Level() }

// Type returns the type of the item.
func (r *ControlReader) Type() int { return r.item.Type() }

// Data returns the item's data, within the buffer.
func (r *ControlReader) Data() []byte { return r.item.Data(r.buffer) }

// TakeFDs takes descriptors out of the item, which are the caller's from then on, close-on-exec: files (SCM_RIGHTS) or a
// pidfd (SCM_PIDFD). It returns how many; called again, it gives those that are left. Of other items it is 0.
func (r *ControlReader) TakeFDs(fds []int) int {
	var handles [core.MaxFiles]uintptr
	n := r.item.Take(r.buffer[:r.length], handles[:min(len(fds), core.MaxFiles)])
	for i, handle := range handles[:n] {
		fds[i] = int(handle)
	}
	return n
}

// Credentials returns the credentials that the item is, -1 for what is not known. ok is false for other items.
func (r *ControlReader) Credentials() (c Credentials, ok bool) {
	credentials, ok := r.item.Credentials(r.buffer[:r.length])
	return Credentials(credentials), ok
}

// Close closes the descriptors that nobody took, and empties the reader, which can then receive again.
func (r *ControlReader) Close() error {
	core.CloseControl(r.buffer[:r.length])
	*r = ControlReader{buffer: r.buffer}
	return nil
}

// SendControl sends b with the control data in w. It is the plainer form of [Conn.SendMessage], and like it in all else.
func (c *conn) SendControl(b []byte, w *ControlWriter) (int, error) {
	n, err := c.end.SendControl(b, w.Bytes())
	return n, c.opError("write", err)
}

// ReceiveControl receives into b, and control data into r, whose former content is closed. It is the plainer form of
// [Conn.ReceiveMessage], and like it in all else: descriptors for which r has no room, or which the process may not
// open, are [ErrFilesLost], after which r is empty.
func (c *conn) ReceiveControl(b []byte, r *ControlReader) (int, error) {
	r.Close()
	n, length, err := c.end.ReceiveControl(b, r.buffer)
	r.length = length
	return c.readResult(n, err)
}
