//go:build cgo && unix

package ipc

// Copying within the system. What it refuses, and what fails there, is left to the ordinary copy, which does it or knows whose
// error it is: a call that fails has moved nothing. That the peer is gone is an error at once, so that nothing is read for it.

import (
	"io"
	"io/fs"
	"math"
	"reflect"
	"sync"
	"syscall"
)

// readFromSystem has the system write what it can take from r by itself. done: there is no more to do.
func (c *Conn) readFromSystem(r io.Reader) (n int64, done bool, err error) {
	limit := int64(math.MaxInt64)
	limited, _ := r.(*io.LimitedReader)
	if limited != nil {
		r, limit = limited.R, limited.N
	}
	switch source := r.(type) {
	case *Conn:
		n, err = relay(source, c, limit)
		done = true
	case connReader:
		n, err = relay(source.conn, c, limit)
		done = true
	default:
		if f, ok := regularFile(r); ok {
			n, done, err = c.sendFile(f, limit)
		}
	}
	if limited != nil {
		limited.N -= n
	}
	return n, done, err
}

// attempt makes attempts until one comes to an end, which it reports, and waits in between, as an operation does.
func (e *endpoint) attempt(d *direction, attempt func(fd uintptr) bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := e.usable(); err != nil {
		return err
	}
	if d == &e.in {
		return rawConn{e}.Read(attempt)
	}
	return rawConn{e}.Write(attempt)
}

// A file is what package os has: an *os.File, or what it gives io.Copy in place of one.
type file interface {
	syscall.Conn
	Stat() (fs.FileInfo, error)
}

// regularFile returns r if it is a regular file. Types from elsewhere that embed a file may read in a way of their own.
func regularFile(r io.Reader) (file, bool) {
	f, ok := r.(file)
	if !ok {
		return nil, false
	}
	t := reflect.TypeOf(r)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.PkgPath() != "os" {
		return nil, false
	}
	info, err := f.Stat()
	return f, err == nil && info.Mode().IsRegular()
}

// sendMost is how many bytes of a file are sent before others may write.
const sendMost = 1 << 20

// sendFile writes what is left of a file. One that seems to be at its end may be one whose size nobody knows, as those in
// /proc, and is left to the ordinary copy.
func (c *Conn) sendFile(f file, limit int64) (sent int64, done bool, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, false, nil
	}
	var handle uintptr
	var r result
	var fileErr error
	send := func(fd uintptr) bool {
		r = coreSendFile(handle, fd, min(limit-sent, sendMost))
		return true
	}
	attempt := func(fd uintptr) bool {
		handle = fd
		fileErr = raw.Read(send)
		return fileErr != nil || !r.busy()
	}
	for sent < limit {
		switch err := c.end.attempt(&c.end.out, attempt); {
		case err != nil:
			return sent, true, c.opError("write", err)
		case fileErr != nil:
			return sent, false, nil
		case r.gone():
			return sent, true, c.opError("write", r.err())
		case r < 0:
			return sent, false, nil
		case r == 0:
			return sent, sent > 0, nil
		}
		sent += int64(r)
	}
	return sent, true, nil
}

// Bytes that come in small parts go through a buffer, which takes fewer system calls than a pipe, and no pipe. Those that fill
// the buffer are followed through a pipe, which the system gives to a user only so many of at that size.
const (
	relayBufferSize = 32 << 10
	largestPipe     = 1 << 20
	smallestPipe    = 128 << 10 // through a smaller one it takes as long as through the buffer
)

var relayBuffers = sync.Pool{New: func() any { return new([relayBufferSize]byte) }}

// relay writes to one connection what is read from another, at most so many bytes.
func relay(from, to *Conn, limit int64) (written int64, err error) {
	s := splicer{from: from, to: to}
	return s.run(limit)
}

// A splicer moves bytes from one connection to another.
type splicer struct {
	from, to    *Conn
	read, write uintptr // the pipe's ends
	size        int64   // of the pipe; 0: there is none
	refused     bool    // by the system
	most, left  int64   // how many bytes to take into the pipe, and how many are in it
	spliced     int64   // how many went through it
	result      result
}

func (s *splicer) run(limit int64) (written int64, err error) {
	buffer := relayBuffers.Get().(*[relayBufferSize]byte)
	defer relayBuffers.Put(buffer)
	defer s.close()
	for bulk := false; written < limit; {
		var n int64
		if bulk && s.open() {
			n, err = s.splice(limit-written, buffer[:])
		} else {
			n, err = s.copy(buffer[:min(limit-written, relayBufferSize)])
		}
		written += n
		if err == io.EOF {
			return written, nil
		}
		if err != nil {
			return written, err
		}
		bulk = n >= relayBufferSize
	}
	return written, nil
}

// copy moves what can be read at once through the buffer.
func (s *splicer) copy(buffer []byte) (int64, error) {
	n, err := s.from.Read(buffer)
	if err != nil {
		return 0, err
	}
	n, err = s.to.Write(buffer[:n])
	return int64(n), err
}

// splice moves what can be read at once, at most so many bytes, through the pipe.
func (s *splicer) splice(most int64, buffer []byte) (moved int64, err error) {
	s.most = min(most, s.size)
	if err := s.from.end.attempt(&s.from.end.in, s.fill); err != nil {
		return 0, s.from.opError("read", err)
	}
	if s.result == 0 {
		return 0, io.EOF
	}
	if s.result < 0 {
		s.refused = true
		return 0, nil
	}
	filled := int64(s.result)
	s.left = filled
	err = s.to.end.attempt(&s.to.end.out, s.drain)
	moved = filled - s.left
	s.spliced += moved
	if err == nil && s.result.gone() {
		err = s.result.err()
	}
	if err != nil || s.left == 0 {
		return moved, s.to.opError("write", err)
	}
	rest, err := s.rescue(buffer)
	return moved + rest, err
}

// fill takes bytes into the pipe, which is empty: it is the connection that has to be waited for.
func (s *splicer) fill(fd uintptr) bool {
	s.result = coreSplice(fd, s.write, s.most)
	return !s.result.busy()
}

// drain gives what is in the pipe to the connection.
func (s *splicer) drain(fd uintptr) bool {
	for s.left > 0 {
		if s.result = coreSplice(s.read, fd, s.left); s.result <= 0 {
			return !s.result.busy()
		}
		s.left -= int64(s.result)
	}
	return true
}

// rescue writes what is in the pipe by way of the buffer, when the system refuses to.
func (s *splicer) rescue(buffer []byte) (moved int64, err error) {
	s.refused = true
	for s.left > 0 {
		r := corePipeRead(s.read, buffer[:min(s.left, int64(len(buffer)))])
		if r < 0 {
			return moved, s.from.opError("read", r.err())
		}
		s.left -= int64(r)
		n, err := s.to.Write(buffer[:r])
		moved += int64(n)
		if err != nil {
			return moved, err
		}
	}
	return moved, nil
}

// open makes the pipe, of what size the system allows, and reports whether there is one to be used.
func (s *splicer) open() bool {
	for size := largestPipe; s.size == 0 && !s.refused; size /= 2 {
		var r result
		if s.read, s.write, r = corePipe(&PipeConfig{BufferSize: size}); r >= 0 {
			s.size = int64(size)
		}
		s.refused = s.size == 0 && size == smallestPipe
	}
	return !s.refused
}

func (s *splicer) close() {
	if s.size > 0 {
		coreClose(s.read)
		coreClose(s.write)
	}
}
