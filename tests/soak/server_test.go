//go:build unix

package soak

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
)

// goodbye is what a server acknowledges last, once it has read the end.
const goodbye = math.MaxUint32

// A server notes each message that it receives, then acknowledges it by its place.
type server struct {
	seed    uint64
	log     *os.File
	disk    sync.Mutex // held by whoever reads or writes regular files, which takes a thread
	buffers sync.Pool
	group   sync.WaitGroup

	mu      sync.Mutex // guards the fields below
	changed *sync.Cond // open has become less
	open    map[channel]bool
	closing bool
}

// serverChild answers "listening". It answers "base" and "check" with a census, and closes when its orders end.
func serverChild(dir string, seed uint64) error {
	startThreads(32)
	life := hold()
	log, err := openLog(filepath.Join(dir, "received"))
	if err != nil {
		return err
	}
	s := &server{seed: seed, log: log, open: map[channel]bool{}}
	s.changed = sync.NewCond(&s.mu)
	s.buffers.New = func() any { return new([maxSize + 1]byte) }
	bytes, err := ipc.Listen(streamName(dir))
	if err != nil {
		return err
	}
	listeners := []io.Closer{bytes}
	s.group.Go(func() { s.accept(func() (channel, error) { return overBytes(bytes.AcceptConn(context.Background())) }) })
	if hasMessages {
		lc := ipc.ListenConfig{Spin: 20 * time.Microsecond}
		messages, err := lc.ListenMessage(context.Background(), messageName(dir))
		if err != nil {
			return err
		}
		listeners = append(listeners, messages)
		s.group.Go(func() {
			s.accept(func() (channel, error) { return overMessages(messages.AcceptConn(context.Background())) })
		})
	}
	fmt.Println("listening")

	var held *holder
	for orders := bufio.NewScanner(os.Stdin); orders.Scan(); {
		s.waitForEnds()
		var left []string
		switch orders.Text() {
		case "base":
			held = hold()
		case "check":
			left = held.release()
		}
		if err := json.NewEncoder(os.Stdout).Encode(takeCensus(left)); err != nil {
			return err
		}
	}
	for _, l := range listeners {
		if err := l.Close(); err != nil {
			return err
		}
	}
	s.closeAll()
	s.group.Wait()
	log.Close()
	if left := life.release(); len(left) > 0 {
		return fmt.Errorf("after a life of a server %q", left)
	}
	return nil
}

// startThreads has the runtime start so many threads, which it keeps. It starts one whenever the system holds up a
// thread in a call, as it does often with 200 clients on few processors: 27 were seen. In the base these are no leak.
func startThreads(count int) {
	var started, ended sync.WaitGroup
	started.Add(count)
	for range count {
		ended.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			started.Done()
			started.Wait()
		})
	}
	ended.Wait()
}

// waitForEnds waits until all connections of processes that have ended have ended, too.
func (s *server) waitForEnds() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.open) > 0 {
		s.changed.Wait()
	}
}

func (s *server) closeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing = true
	for c := range s.open {
		c.Close()
	}
}

// accept serves until the listener is closed. An unexpected error ends the process.
func (s *server) accept(accept func() (channel, error)) {
	for {
		c, err := accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		exitOn(err)
		s.group.Go(func() {
			defer s.remove(c)
			if !s.add(c) {
				return
			}
			if err := s.serve(c); !gone(err) && !errors.Is(err, net.ErrClosed) {
				exitOn(err)
			}
		})
	}
}

func (s *server) add(c channel) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.open[c] = true
	return true
}

func (s *server) remove(c channel) {
	c.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
	s.changed.Broadcast()
}

// gone reports whether an error is one of those that a side gets whose peer has closed or died. Linux lets a connection
// without a peer be half-closed, other systems do not.
func gone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.EPIPE) ||
		runtime.GOOS != "linux" && errors.Is(err, syscall.ENOTCONN)
}

// serve receives who the client is and the place of its first message, then messages to the end.
func (s *server) serve(c channel) error {
	buffer := s.buffers.Get().(*[maxSize + 1]byte)
	defer s.buffers.Put(buffer)
	hello, _, err := c.receive(buffer[:12])
	if err != nil {
		return err
	}
	m := message{s.seed, binary.LittleEndian.Uint64(hello), binary.LittleEndian.Uint32(hello[8:])}
	for ; ; m.sequence++ {
		payload, files, err := c.receive(buffer[:])
		if err == io.EOF {
			return c.acknowledge(goodbye)
		}
		if err != nil {
			return err
		}
		if err := s.note(m, payload, files); err != nil {
			return err
		}
		if err := c.acknowledge(m.sequence); err != nil {
			return err
		}
	}
}

// note checks and records a message, and closes its files.
func (s *server) note(m message, payload []byte, files []*os.File) error {
	defer closeAll(files)
	if err := m.checkPayload(payload); err != nil {
		return err
	}
	r := record{
		Client: m.client, Sequence: m.sequence, Size: uint32(len(payload)), Sum: crc32.Checksum(payload, castagnoli),
		Files: uint32(len(files)), Event: received,
	}
	s.disk.Lock()
	defer s.disk.Unlock()
	if err := m.checkFiles(files); err != nil {
		return err
	}
	return r.appendTo(s.log)
}

func (c channel) acknowledge(sequence uint32) error {
	return c.send(c.frame(binary.LittleEndian.AppendUint32(nil, sequence)))
}

// A holder keeps what the process held at first, by leakcheck.
type holder struct {
	checks []func()
	left   []string
}

func hold() *holder {
	h := new(holder)
	leakcheck.Start(h)
	return h
}

func (*holder) Helper()                {}
func (h *holder) Cleanup(check func()) { h.checks = append(h.checks, check) }
func (h *holder) Errorf(format string, args ...any) {
	h.left = append(h.left, fmt.Sprintf(format, args...))
}
func (h *holder) Fatal(args ...any) { h.left = append(h.left, fmt.Sprint(args...)) }

// release waits for a while until the process holds no more than at first, and returns what it holds beyond that.
func (h *holder) release() []string {
	for _, check := range h.checks {
		check()
	}
	return h.left
}

// A census lists what a process holds.
type census struct {
	Descriptors, Threads, Goroutines int

	Heap, Resident uint64   // in bytes; resident memory is 0 where the system does not tell
	Left           []string // what leakcheck found beyond the base
}

func takeCensus(left []string) census {
	runtime.GC() // what pools hold goes at the second
	debug.FreeOSMemory()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	var size, resident uint64
	if statm, err := os.ReadFile("/proc/self/statm"); err == nil {
		fmt.Sscan(string(statm), &size, &resident)
	}
	return census{len(leakcheck.Descriptors()), leakcheck.Threads(), runtime.NumGoroutine(),
		memory.HeapAlloc, resident * uint64(os.Getpagesize()), left}
}

func (c census) String() string {
	return fmt.Sprintf("%d descriptors, %d threads, %d goroutines, %.2f MiB of heap, %.1f MiB resident",
		c.Descriptors, c.Threads, c.Goroutines, float64(c.Heap)/(1<<20), float64(c.Resident)/(1<<20))
}
