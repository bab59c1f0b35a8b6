package ipc

import (
	"github.com/lipc/ipc/internal/core"
	"github.com/lipc/ipc/internal/poll"
)

// ControlSize is the size of a buffer that has room for all control data that one message can bring: 253 files,
// credentials, a pidfd, and some more.
const ControlSize = 2048

var _ = [1]struct{}{}[ControlSize-core.ControlSize]

// A ControlWriter writes control data, cmsg(3), into a buffer that the caller provides, for [Conn.SendControl]. It is a
// lower level than [Message]: descriptors are numbers, and nothing is allocated.
type ControlWriter struct{ buffer core.ControlBuffer }

// NewControlWriter returns a writer into buffer, which needs no alignment.
func NewControlWriter(buffer []byte) *ControlWriter {
	return &ControlWriter{core.ControlBuffer{Memory: buffer}}
}

// Reset empties the buffer.
func (w *ControlWriter) Reset() { w.buffer.Length = 0 }

// Bytes returns the control data that was written.
func (w *ControlWriter) Bytes() []byte { return w.buffer.Memory[:w.buffer.Length] }

func controlError(err error) error { return opError("control", Name{}, Name{}, err) }

// Add adds data of a level and type. If it does not fit, the error is [syscall.EMSGSIZE] and the buffer is unchanged.
// The same holds for AddFDs and AddCredentials.
func (w *ControlWriter) Add(level, typ int, data []byte) error {
	return controlError(w.buffer.Add(level, typ, data).Err())
}

// AddFDs adds file descriptors, at most 253. They stay the caller's, and must stay open until the message has been
// sent.
func (w *ControlWriter) AddFDs(fds ...int) error {
	if err := poll.CheckFiles(len(fds), core.MaxFiles); err != nil {
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

// A ControlReader reads the control data that [Conn.ReceiveControl] received, in a buffer that the caller provides. It
// allocates nothing. Close closes the descriptors that were not taken.
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

// NewControlReader returns a reader with room for as much as fits buffer, which needs no alignment. [ControlSize] bytes
// are always enough. On Linux credentials come first, and take 32 bytes; those of a [MessageConn] always come.
func NewControlReader(buffer []byte) *ControlReader { return &ControlReader{buffer: buffer} }

// Next reads the next item, and reports whether there is one.
func (r *ControlReader) Next() bool {
	r.result = core.NextControl(r.buffer[:r.length], &r.position, &r.item)
	return r.result > 0
}

// Err returns the error that ended Next, or nil. The error is [syscall.EINVAL] if what follows is not control data. No
// system sends that.
func (r *ControlReader) Err() error { return controlError(r.result.Err()) }

// Level returns the level of the item.
func (r *ControlReader) Level() int { return r.item.Level() }

// Type returns the type of the item.
func (r *ControlReader) Type() int { return r.item.Type() }

// Data returns the item's data, within the buffer.
func (r *ControlReader) Data() []byte { return r.item.Data(r.buffer) }

// TakeFDs takes descriptors out of the item: files (SCM_RIGHTS) or a pidfd (SCM_PIDFD). They then belong to the caller,
// and are close-on-exec. It returns how many it took. Called again, it takes those that are left. From other items it
// takes none.
func (r *ControlReader) TakeFDs(fds []int) int {
	var handles [core.MaxFiles]uintptr
	n := r.item.Take(r.buffer[:r.length], handles[:min(len(fds), core.MaxFiles)])
	for i, handle := range handles[:n] {
		fds[i] = int(handle)
	}
	return n
}

// Credentials returns the credentials in the item. An ID that is not known is -1. ok is false if the item is of another
// kind.
func (r *ControlReader) Credentials() (c Credentials, ok bool) {
	credentials, ok := r.item.Credentials(r.buffer[:r.length])
	return Credentials(credentials), ok
}

// Close closes the descriptors that were not taken, and empties the reader, which can then receive again.
func (r *ControlReader) Close() error {
	core.CloseControl(r.buffer[:r.length])
	*r = ControlReader{buffer: r.buffer}
	return nil
}

// SendControl sends b with the control data in w. It is the lower-level form of [Conn.SendMessage], and like it in all
// else.
func (c *conn) SendControl(b []byte, w *ControlWriter) (int, error) {
	n, err := c.end.SendControl(b, w.Bytes())
	return n, c.opError("write", err)
}

// ReceiveControl receives into b, and control data into r. It first closes r. It is the lower-level form of
// [Conn.ReceiveMessage], and like it in all else. If r has no room for all descriptors, or the process may open no
// more, the error is [ErrFilesLost] and r is empty.
func (c *conn) ReceiveControl(b []byte, r *ControlReader) (int, error) {
	r.Close()
	n, length, err := c.end.ReceiveControl(b, r.buffer)
	r.length = length
	return c.readResult(n, err)
}
