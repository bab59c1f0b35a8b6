package poll

// Endpoints that spin before they wait, on Linux. If such a socket were on the runtime's poller, each message would wake
// a thread that waits there for others. It would do so in vain, since the goroutine that spins has the message by then.
// That costs the sender a wake-up, and takes a processor from those that spin.

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// A spinningConn is how an Endpoint waits whose socket is not on the runtime's poller. Each side has an epoll instance
// there in its place, which watches the socket only as long as that side does have to wait.
type spinningConn struct {
	syscall.RawConn // the socket's, for Control
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

// Close ends what waits before it closes the socket, so that nobody uses that any more.
func (c *spinningConn) Close() error {
	return errors.Join(c.in.file.Close(), c.out.file.Close(), c.file.Close())
}

// A spinningSide is what reads, or what writes.
type spinningSide struct {
	socket  syscall.RawConn
	file    *os.File // the epoll instance
	raw     syscall.RawConn
	events  uint32
	attempt func(epoll uintptr) (done bool) // attempt and control are bound once, so that an operation allocates nothing
	control func(fd uintptr)

	mu       sync.Mutex // held for a whole operation, guards the fields below
	call     func(fd uintptr) (done bool)
	epoll    uintptr
	done     bool
	err      error
	watching bool
	unwaited int // how many operations in a row did not have to wait
}

// What happens after so many operations in a row that did not have to wait: the epoll instance watches no longer; and, again
// and again, the scheduler gets a turn. From whoever does without it for 10 ms the runtime takes the processor away in the
// middle of a call, and then looks after it every 20 microseconds, which disturbs more.
const (
	stopWatching = 2
	reschedule   = 256
)

// openSpinning takes over a descriptor that nobody else has. If the system does not give what that takes, the descriptor is left.
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
	e.take(handle) // os.NewFile has the poller take what is non-blocking, and nothing else
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
	s.raw, _ = s.file.SyscallConn() // fails for a nil file alone
	s.events, s.attempt, s.control = events, s.try, s.use
	return s.file.SetDeadline(time.Time{}) // fails if the poller has not taken it
}

// wait makes a call until it is done, and waits in between.
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

// use makes the call, and sees to it that the socket is watched if it has to wait. Data that has come in between is found by
// the epoll instance when it starts to watch.
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

// pollerErrno is why the runtime's poller refused a descriptor, as another epoll instance says: ENOSPC, for
// fs.epoll.max_user_watches, or ENOMEM, epoll_ctl(2). It is ENOMEM, too, if that instance takes the descriptor by now.
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
