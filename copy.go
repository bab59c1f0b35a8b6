//go:build cgo

package ipc

// Copying by way of io.Copy, which asks the reader for a WriterTo, and then the writer for a ReaderFrom. Between the
// two of a Conn nothing goes back and forth: what either hands on has the other's method hidden.

import (
	"io"
	"math"
	"os"
	"sync"
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
	if err := c.end.usable(); err != nil {
		return 0, c.opError("write", err)
	}
	n, done, err := c.readFromSystem(r)
	if done {
		return n, err
	}
	rest, err := io.Copy(connWriter{c}, r)
	return n + rest, err
}

// WriteTo writes to w what can be read until the end, which is no error; it returns how many bytes were written.
// [io.Copy] from a connection comes down to it. To another Conn it is that one's ReadFrom. To an [*os.File] it goes
// through a buffer of 4 to 512 KiB, the larger the more there is to read; on Unix a copy that waits has one of 32 KiB
// at most.
//
// Errors are those of Read and of w. Files that come with the bytes are closed, as Read does.
func (c *Conn) WriteTo(w io.Writer) (int64, error) {
	if file, ok := w.(*os.File); ok {
		return newFileCopier(c, file).run(math.MaxInt64)
	}
	return io.Copy(w, connReader{c})
}

// A copier copies from a connection or a file to another. Each part goes through a buffer, which is small as long as
// little comes: there may be many copies, and most of them wait. Where a part fills the larger buffer there is more,
// which bulk moves with less work for each byte.
type copier struct {
	from      io.Reader
	to        io.Writer
	buffers   *sync.Pool                          // for the next part
	much      bool                                // there is, and bulk is to move it
	bulk      func(most int64) (n int, err error) // 0: a step has to do it
	unwritten int64                               // what was read when it could not be written
}

// What goes to a file goes there by system calls that take long for few bytes.
const (
	smallBuffer  = 4 << 10
	mediumBuffer = 32 << 10
	largeBuffer  = 512 << 10
)

var (
	smallBuffers  = newBuffers(smallBuffer)
	mediumBuffers = newBuffers(mediumBuffer)
	largeBuffers  = newBuffers(largeBuffer)
)

func newBuffers(size int) *sync.Pool {
	return &sync.Pool{New: func() any { b := make([]byte, size); return &b }}
}

// newFileCopier makes a copier to a file.
func newFileCopier(from *Conn, to io.Writer) *copier {
	c := &copier{from: from, to: to, buffers: smallBuffers}
	c.bulk = func(most int64) (int, error) { return c.step(largeBuffers, from.readAtHand, most) }
	return c
}

// run copies until the end, at most so many bytes.
func (c *copier) run(limit int64) (written int64, err error) {
	for written < limit && err == nil {
		n := 0
		if c.much {
			n, err = c.bulk(limit - written)
		}
		if n == 0 && err == nil {
			n, err = c.step(c.buffers, c.from.Read, limit-written)
		}
		written += int64(n)
		c.much = n >= mediumBuffer
		c.buffers = smallBuffers
		if n >= smallBuffer {
			c.buffers = mediumBuffers
		}
	}
	if err == io.EOF {
		err = nil
	}
	return written, err
}

// step writes what one read gives, through one of the buffers.
func (c *copier) step(buffers *sync.Pool, read func(b []byte) (int, error), most int64) (written int, err error) {
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	b := (*buffer)[:min(most, int64(len(*buffer)))]
	n, err := read(b)
	if n == 0 || err != nil {
		return 0, err
	}
	written, err = c.to.Write(b[:n])
	c.unwritten = int64(n - written)
	return written, err
}

// A connWriter is what a connection is without its ReadFrom, a connReader what it is without its WriteTo.
type (
	connWriter struct{ conn *Conn }
	connReader struct{ conn *Conn }
)

func (w connWriter) Write(b []byte) (int, error) { return w.conn.Write(b) }
func (r connReader) Read(b []byte) (int, error)  { return r.conn.Read(b) }
