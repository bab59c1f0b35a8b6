package ipc

// Copying by way of io.Copy, which asks the reader for a WriterTo, and then the writer for a ReaderFrom. Between the
// two of a Conn nothing goes back and forth: what either hands on has the other's method hidden.

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

// ReadFrom writes what r gives until its end, which is no error; it returns how many bytes were written. [io.Copy] to a
// connection comes down to it.
//
// On Linux the system moves the bytes by itself, splice(2), if r is a regular file, an [*os.File], or another Conn, or
// an [io.LimitedReader] of these, and gives 32 KiB or more at a time. It does so through pipes of 1 MiB, of which all
// copies of the process have at most 8. What is changed in the file before the peer has read it may reach the peer
// changed. Where the pipes are in use, or the user may have no more of them (fs.pipe-user-pages-soft, pipe(7)), and on
// other systems, the bytes go through a buffer. A copy that waits for r holds no pipe.
//
// A regular file's position is behind what was written, on Unix also after an error. What was read last from another r,
// a Conn too, is lost if it cannot be written.
//
// Reading r holds up nothing else: other writes may come between the parts of a long copy, of at most 1 MiB. Close and
// a write deadline end a copy that waits for room, and one that waits for r as soon as there is something to write.
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

// WriteTo writes to w what can be read until the end, which is no error; it returns how many bytes were written.
// [io.Copy] from a connection comes down to it. To another Conn it is that one's ReadFrom. To an [*os.File] it goes
// through a buffer of 4 to 512 KiB, the larger the more there is to read; on Unix a copy that waits has one of 32 KiB
// at most.
//
// Errors are those of Read and of w. Files that come with the bytes are closed, as Read does.
func (c *Conn) WriteTo(w io.Writer) (int64, error) {
	if file, ok := w.(*os.File); ok {
		return poll.CopyToFile(stream{c}, file)
	}
	return io.Copy(w, stream{c})
}

// A stream is what a connection is without its ReadFrom and WriteTo, for copies.
type stream struct{ conn *Conn }

func (s stream) Read(b []byte) (int, error)  { return s.conn.Read(b) }
func (s stream) Write(b []byte) (int, error) { return s.conn.Write(b) }
func (s stream) Endpoint() *poll.Endpoint    { return &s.conn.end }
func (s stream) WriteError(err error) error  { return s.conn.opError("write", err) }
