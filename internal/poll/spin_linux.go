package poll

// Endpoints that spin from the start, on Linux, are not on the runtime's poller. If such a socket were, each message
// would wake a thread that waits in the poller. That thread would wake in vain, because the goroutine that spins has
// the message by then. It would cost the sender a wake-up, and take a processor from the goroutines that spin.

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// A spinningConn lets an Endpoint wait whose socket is not on the runtime's poller. Each side has an epoll instance,
// which is on the runtime's poller in place of the socket. The instance watches the socket only while that side must
// wait.
type spinningConn struct {
	syscall.RawConn // of the socket, for Control
	file            *os.File
	in, out         spinningSide
}

func (c *spinningConn) Read(f func(fd uintptr) (done bool)) error  { return c.in.wait(f) }
func (c *spinningConn) Write(f func(fd uintptr) (done bool)) error { return c.out.wait(f) }

func (c *spinningConn) SetReadDeadline(t time.Time) error  { return c.in.file.SetReadDeadline(t) }
func (c *spinningConn) SetWriteDeadline(t time.Time) error { return c.out.file.SetReadDeadline(t) }
func (c *spinningConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// Close first ends the operations that wait, and then closes the socket, which nothing uses any more.
func (c *spinningConn) Close() error {
	return errors.Join(c.in.file.Close(), c.out.file.Close(), c.file.Close())
}

// A spinningSide is the reading side or the writing side.
type spinningSide struct {
	socket  syscall.RawConn
	file    *os.File // the epoll instance
	raw     syscall.RawConn
	events  uint32
	attempt func(epoll uintptr) (done bool) // bound once, as control is, so that an operation allocates nothing
	control func(fd uintptr)

	mu       sync.Mutex // held during a whole operation; guards the fields below
	call     func(fd uintptr) (done bool)
	epoll    uintptr
	done     bool
	err      error
	watching bool
	unwaited int // how many operations in a row did not have to wait
}

// After stopWatching operations in a row that did not have to wait, the epoll instance stops watching. After every
// reschedule such operations, the scheduler gets a turn. If the scheduler gets no turn for 10 ms, the runtime takes the
// processor away in the middle of a call, and then checks on this goroutine every 20 microseconds, which disturbs more.
const (
	stopWatching = 2
	reschedule   = 256
)

// openSpinning takes over a descriptor that nobody else has. If it fails, because the system does not provide what it
// needs, the descriptor remains the caller's.
func (e *Endpoint) openSpinning(handle uintptr) error {
	c := new(spinningConn)
	err := errors.Join(c.in.open(syscall.EPOLLIN), c.out.open(syscall.EPOLLOUT))
	if err == nil {
		err = syscall.SetNonblock(int(handle), false)
	}
	if err != nil {
		c.Close()
		return err
	}
	e.take(handle) // os.NewFile adds only a non-blocking descriptor to the poller
	syscall.SetNonblock(int(handle), true)
	c.RawConn, c.file = e.raw, e.file
	c.in.socket, c.out.socket = e.raw, e.raw
	e.raw = c
	return nil
}

func (s *spinningSide) open(events uint32) error {
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	if err := syscall.SetNonblock(epoll, true); err != nil {
		syscall.Close(epoll)
		return os.NewSyscallError("fcntl", err)
	}
	s.file = os.NewFile(uintptr(epoll), "ipc")
	s.raw, _ = s.file.SyscallConn() // fails only for a nil file
	s.events, s.attempt, s.control = events, s.try, s.use
	return s.file.SetDeadline(time.Time{}) // fails if the poller did not take the file
}

// wait repeats a call until it is done, and waits in between.
func (s *spinningSide) wait(call func(fd uintptr) (done bool)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.call, s.err = call, nil
	err := s.raw.Read(s.attempt)
	s.call = nil
	if s.unwaited%reschedule == reschedule-1 {
		runtime.Gosched()
	}
	if err == nil {
		err = s.err
	}
	return err
}

func (s *spinningSide) try(epoll uintptr) (done bool) {
	s.epoll = epoll
	err := s.socket.Control(s.control)
	if s.err == nil {
		s.err = err
	}
	return s.done || s.err != nil
}

// use performs the call. If the call must wait, use lets the epoll instance watch the socket. Data that arrived between
// the two is not missed: epoll reports it when it starts to watch.
func (s *spinningSide) use(fd uintptr) {
	s.done = s.call(fd)
	if !s.done {
		s.unwaited = 0
		s.watch(fd, true)
	} else if s.unwaited++; s.unwaited == stopWatching {
		s.watch(fd, false)
	}
}

func (s *spinningSide) watch(fd uintptr, watching bool) {
	if s.watching == watching {
		return
	}
	operation := syscall.EPOLL_CTL_DEL
	if watching {
		operation = syscall.EPOLL_CTL_ADD
	}
	err := syscall.EpollCtl(int(s.epoll), operation, int(fd), &syscall.EpollEvent{Events: s.events})
	if err != nil {
		s.err = refusedByPoller(err)
		return
	}
	s.watching = watching
}

// pollerErrno returns why the runtime's poller refused a descriptor, by asking another epoll instance: ENOSPC, for
// fs.epoll.max_user_watches, or ENOMEM, epoll_ctl(2). It also returns ENOMEM if that instance now takes the descriptor.
func pollerErrno(handle uintptr) syscall.Errno {
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return syscall.ENOMEM
	}
	defer syscall.Close(epoll)
	number, failed := syscall.EpollCtl(epoll, syscall.EPOLL_CTL_ADD, int(handle), new(syscall.EpollEvent)).(syscall.Errno)
	if !failed {
		return syscall.ENOMEM
	}
	return number
}
