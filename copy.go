//go:build cgo

package ipc

// Copying by way of io.Copy, which asks the reader for a WriterTo, and then the writer for a ReaderFrom. Between the two of a
// Conn nothing goes back and forth: what either hands on has the other's method hidden.

import (
	"io"
	"os"
	"sync"
)

var (
	_ io.ReaderFrom = (*Conn)(nil)
	_ io.WriterTo   = (*Conn)(nil)
)

// ReadFrom writes what r gives until its end, which is no error; it returns how many bytes were written. [io.Copy] to a
// connection comes down to it. On Linux the system moves the bytes by itself, several times as fast as small reads and writes
// do, if r is a regular file, an [*os.File] (sendfile(2)), or another Conn (splice(2)); and so if it is an [io.LimitedReader]
// of these. The file's position is then behind what was written, and what is changed in the file before the peer has read it
// may reach the peer changed. Otherwise, and on other systems, it goes through a buffer, as [io.Copy] does it: what was
// read last is lost if it cannot be written, which goes for what comes from a Conn everywhere.
//
// Errors are those of Write and of r. Other writes may come between the parts of a long copy.
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

// WriteTo writes to w what can be read until the end, which is no error; it returns how many bytes were written. [io.Copy]
// from a connection comes down to it. To another Conn it is that one's ReadFrom, to an [*os.File] it goes through a large buffer.
//
// Errors are those of Read and of w. Files that come with the bytes are closed, as Read does.
func (c *Conn) WriteTo(w io.Writer) (int64, error) {
	if file, ok := w.(*os.File); ok {
		buffer := fileBuffers.Get().(*[fileBufferSize]byte)
		defer fileBuffers.Put(buffer)
		return io.CopyBuffer(struct{ io.Writer }{file}, connReader{c}, buffer[:])
	}
	return io.Copy(w, connReader{c})
}

// What goes to a file goes there by system calls that take long for few bytes.
const fileBufferSize = 512 << 10

var fileBuffers = sync.Pool{New: func() any { return new([fileBufferSize]byte) }}

// A connWriter is what a connection is without its ReadFrom, a connReader what it is without its WriteTo.
type (
	connWriter struct{ conn *Conn }
	connReader struct{ conn *Conn }
)

func (w connWriter) Write(b []byte) (int, error) { return w.conn.Write(b) }
func (r connReader) Read(b []byte) (int, error)  { return r.conn.Read(b) }
