package poll

import (
	"io"
	"math"
	"os"
	"sync"
)

// A Stream is a connection as copies see it. Its Read and Write return errors in the form that its users expect. It has
// neither ReadFrom nor WriteTo.
type Stream interface {
	io.ReadWriter
	Endpoint() *Endpoint
	WriteError(error) error // gives an error of the endpoint that form
}

// CopyToFile copies what can be read from a connection to a file, until the end.
func CopyToFile(from Stream, to *os.File) (int64, error) {
	return newFileCopier(from, to).run(math.MaxInt64)
}

// A copier copies from a connection or a file to another. Each part goes through a buffer, which is small as long as
// little arrives, because there may be many copies, and most of them wait. If a part fills the larger buffer there is
// more to read, which bulk moves at less cost per byte.
type copier struct {
	from      io.Reader
	to        io.Writer
	buffers   *sync.Pool                          // for the next part
	much      bool                                // there is much to read, which bulk is to move
	bulk      func(most int64) (n int, err error) // 0: a step must move it instead
	unwritten int64                               // how many bytes were read and could not be written
}

// The largest buffer is for files, where a system call takes long even for few bytes.
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

// newFileCopier returns a copier to a file.
func newFileCopier(from Stream, to io.Writer) *copier {
	c := &copier{from: from, to: to, buffers: smallBuffers}
	atHand := from.Endpoint().readAtHand(from)
	c.bulk = func(most int64) (int, error) { return c.step(largeBuffers, atHand, most) }
	return c
}

// run copies until the end, but at most limit bytes.
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

// step writes what one read returns, through one of the buffers.
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
