//go:build unix

package poll

// Copying by the kernel. If the kernel refuses a copy, or a call fails, reads and writes take over: they either do the
// work, or report which side's error it is. A call that fails has moved nothing.

import (
	"io"
	"io/fs"
	"reflect"
	"sync"
	"syscall"

	"github.com/lipc/ipc/internal/core"
)

// CopyFrom copies what the kernel can move from r to a connection, at most limit bytes. done means that nothing is left
// to do.
func CopyFrom(to Stream, r io.Reader, limit int64) (n int64, done bool, err error) {
	s := newSplicer(to)
	if from, ok := r.(Stream); ok {
		s.readStream(from)
	} else if file, size, ok := regularFile(r); ok {
		s.readFile(file, size)
	} else {
		return 0, false, nil
	}
	n, err = s.run(limit)
	return n, true, err
}

// attempt repeats a call until it returns true, and waits in between, as an operation does.
func (e *Endpoint) attempt(d *direction, attempt func(fd uintptr) bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := e.Usable(); err != nil {
		return err
	}
	if d == &e.in {
		return e.waitedErr(e.raw.Read(attempt))
	}
	return e.waitedErr(e.raw.Write(attempt))
}

// readAtHand returns a function that reads what is there, and does not wait. It returns 0 if nothing is there. It
// leaves errors to the next Read of the connection.
func (e *Endpoint) readAtHand(io.Reader) func(b []byte) (int, error) {
	return func(b []byte) (int, error) {
		var r core.Result
		e.attempt(&e.in, func(fd uintptr) bool { r = core.Read(fd, b); return true })
		return max(int(r), 0), nil
	}
}

// A file is an *os.File, or what that passes to io.Copy in its place.
type file interface {
	io.ReadSeeker
	syscall.Conn
	Stat() (fs.FileInfo, error)
}

// regularFile returns r and its size if r is a regular file. It accepts only types of package os, because others that
// embed a file may read in a way of their own.
func regularFile(r io.Reader) (f file, size int64, ok bool) {
	if f, ok = r.(file); !ok {
		return nil, 0, false
	}
	t := reflect.TypeOf(r)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.PkgPath() != "os" {
		return nil, 0, false
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, 0, false
	}
	return f, info.Size(), true
}

// A splicer copies to a connection, and moves larger amounts through a pipe. It fills the pipe in the turn of the
// readers, and drains it in the turn of the writers, so that neither turn is held while the other side takes long.
type splicer struct {
	copier
	fill    func()
	drain   func() error
	pipe    pipe
	refused bool  // the kernel does not splice here
	most    int64 // how many bytes to move into the pipe
	left    int64 // how many bytes are in it
	spliced int64 // how many bytes went through it
	result  core.Result
}

func newSplicer(to Stream) *splicer {
	s := &splicer{copier: copier{to: to}}
	s.bulk = s.splice
	end := to.Endpoint()
	s.drain = func() error { return to.WriteError(end.attempt(&end.out, s.drainTo)) }
	return s
}

func (s *splicer) readStream(from Stream) {
	s.from, s.buffers = from, smallBuffers
	end := from.Endpoint()
	s.fill = func() { end.attempt(&end.in, s.fillFrom) }
}

// readFile sets a file of about size bytes as the source. The size is only an estimate: Read finds the end.
func (s *splicer) readFile(from file, size int64) {
	s.from, s.buffers, s.much = from, mediumBuffers, size > mediumBuffer
	raw, err := from.SyscallConn()
	s.refused = err != nil
	s.fill = func() {
		if s.most = min(s.most, size); s.most > 0 {
			raw.Read(s.fillFrom)
			size -= max(int64(s.result), 0)
		}
	}
}

func (s *splicer) run(limit int64) (written int64, err error) {
	pipes.begin()
	defer pipes.end()
	written, err = s.copier.run(limit)
	if file, ok := s.from.(io.Seeker); ok && s.unwritten > 0 {
		file.Seek(-s.unwritten, io.SeekCurrent)
	}
	return written, err
}

// splice moves what is there, up to the given number of bytes. It returns 0 if there is no pipe, at the end, and if
// reading fails; the next Read then finds the end or the error again.
func (s *splicer) splice(most int64) (moved int, err error) {
	if s.refused {
		return 0, nil
	}
	s.most, s.result = most, 0
	if s.fill(); s.result <= 0 {
		return 0, nil
	}
	defer func() { pipes.give(s.pipe, s.left == 0) }()
	filled := int64(s.result)
	s.left = filled
	err = s.drain()
	s.spliced += filled - s.left
	for err == nil && s.left > 0 { // the kernel refuses: a Write moves the rest, or returns the error
		s.refused = true
		_, err = s.step(mediumBuffers, s.readPipe, s.left)
	}
	s.unwritten += s.left
	return int(filled - s.unwritten), err
}

// fillFrom moves what is there into a pipe. It keeps the pipe only if it moved something, so that other copies can have
// the pipe while this one waits.
func (s *splicer) fillFrom(fd uintptr) bool {
	s.pipe, s.refused = pipes.take()
	if s.pipe.size == 0 {
		s.result = 0
		return true
	}
	s.result = core.Splice(fd, s.pipe.write, min(s.most, s.pipe.size))
	if s.result <= 0 {
		pipes.give(s.pipe, true)
		s.refused = s.result < 0 && !s.result.Busy()
	}
	return !s.result.Busy()
}

// drainTo moves what is in the pipe to the connection.
func (s *splicer) drainTo(fd uintptr) bool {
	for s.left > 0 {
		if s.result = core.Splice(s.pipe.read, fd, s.left); s.result <= 0 {
			return !s.result.Busy()
		}
		s.left -= int64(s.result)
	}
	return true
}

func (s *splicer) readPipe(b []byte) (int, error) {
	r := core.ReadPipe(s.pipe.read, b)
	s.left -= max(int64(r), 0)
	return max(int(r), 0), r.Err()
}

// A pipe is empty while no copy holds it.
type pipe struct {
	read, write uintptr
	size        int64
}

// A pipe smaller than smallestPipe is no faster than a buffer. On Linux the processes of an unprivileged user may have
// 64 pipes of largestPipe (fs.pipe-user-pages-soft, pipe(7)). With at most mostPipes this process leaves some to
// others.
const (
	largestPipe  = 1 << 20
	smallestPipe = 128 << 10
	mostPipes    = 8
)

// A pipePool holds the pipes of all copies. A copy that waits for something to read holds none. Free pipes are closed
// when no copy is under way.
type pipePool struct {
	mu     sync.Mutex
	copies int // how many are under way
	taken  int
	free   []pipe
}

var pipes pipePool

func (p *pipePool) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.copies++
}

func (p *pipePool) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.copies--; p.copies == 0 {
		for _, free := range p.free {
			free.close()
		}
		p.free = p.free[:0]
	}
}

// take returns a pipe. The pipe's size is 0 if other copies hold all pipes, or if the system refuses one.
func (p *pipePool) take() (taken pipe, refused bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken == mostPipes {
		return pipe{}, false
	}
	if last := len(p.free) - 1; last >= 0 {
		taken, p.free = p.free[last], p.free[:last]
	} else if taken = newPipe(); taken.size == 0 {
		return taken, true
	}
	p.taken++
	return taken, false
}

// give returns a pipe to the pool. A pipe that is not empty is closed.
func (p *pipePool) give(given pipe, empty bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	if empty {
		p.free = append(p.free, given)
	} else {
		given.close()
	}
}

// newPipe creates a pipe of the largest size that the system allows. It returns the zero pipe if there is none.
func newPipe() pipe {
	for size := int64(largestPipe); size >= smallestPipe; size /= 2 {
		if read, write, err := core.Pipe(false, false, int(size), nil); err == nil {
			return pipe{read, write, size}
		}
	}
	return pipe{}
}

func (p pipe) close() {
	core.Close(p.read)
	core.Close(p.write)
}
