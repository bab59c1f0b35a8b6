package ipc

// Copying by io.Copy. It calls the reader's WriteTo, or else the writer's ReadFrom. A Conn has both, so each of them
// passes a Conn on as a stream, which has neither: otherwise they would call each other for ever.

import (
	"io"
	"math"
	"os"

	"github.com/lipc/ipc/internal/poll"
)

var (
	_ io.ReaderFrom = (*Conn)(nil)
	_ io.WriterTo   = (*Conn)(nil)
)

// ReadFrom writes what r returns until its end, which is not an error. It returns the number of bytes written.
// [io.Copy] to a connection calls it.
//
// On Linux the kernel moves the bytes, splice(2), if r is a regular file (an [*os.File]), another Conn, or an
// [io.LimitedReader] of one of these, and returns 32 KiB or more at a time. They go through pipes of 1 MiB, at most 8
// for all copies of the process. If the file is changed before the peer has read the bytes, the peer may read the
// changed ones. If the pipes are in use, or the user may have no more of them (fs.pipe-user-pages-soft, pipe(7)), the
// bytes go through a buffer, as on other systems. A copy that waits for r holds no pipe.
//
// The position of a regular file ends up behind what was written, on Unix also after an error. From any other r,
// including a Conn, what was read last is lost if it cannot be written.
//
// Reading r holds up nothing else: other writes may come between the parts of a long copy, which are at most 1 MiB.
// Close and a write deadline end a copy that waits for room. A copy that waits for r ends as soon as there is something
// to write.
//
// Errors are those of Write and of r.
func (c *Conn) ReadFrom(r io.Reader) (int64, error) {
	if err := c.end.Usable(); err != nil {
		return 0, c.opError("write", err)
	}
	source, limit := r, int64(math.MaxInt64)
	limited, _ := r.(*io.LimitedReader)
	if limited != nil {
		source, limit = limited.R, limited.N
	}
	if from, ok := source.(*Conn); ok {
		source = stream{from}
	}
	n, done, err := poll.CopyFrom(stream{c}, source, limit)
	if limited != nil {
		limited.N -= n
	}
	if done {
		return n, err
	}
	return io.Copy(stream{c}, r)
}

// WriteTo writes to w what it reads until end of stream, which is not an error. It returns the number of bytes written.
// [io.Copy] from a connection calls it. If w is another Conn, it uses the ReadFrom of w. To an [*os.File] the bytes go
// through a buffer of 4 to 512 KiB, which is larger the more there is to read. On Unix a copy that waits has a buffer
// of at most 32 KiB.
//
// Errors are those of Read and of w. Open files that arrive with the bytes are closed, as in Read.
func (c *Conn) WriteTo(w io.Writer) (int64, error) {
	if file, ok := w.(*os.File); ok {
		return poll.CopyToFile(stream{c}, file)
	}
	return io.Copy(w, stream{c})
}

// A stream is a connection without its ReadFrom and WriteTo, for copies.
type stream struct{ conn *Conn }

func (s stream) Read(b []byte) (int, error)  { return s.conn.Read(b) }
func (s stream) Write(b []byte) (int, error) { return s.conn.Write(b) }
func (s stream) Endpoint() *poll.Endpoint    { return &s.conn.end }
func (s stream) WriteError(err error) error  { return s.conn.opError("write", err) }
