package tests

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// These tests have the system's pollers refuse descriptors, as they do once there are as many as
// fs.epoll.max_user_watches allows, see epoll_ctl(2).

// alone reports whether the test has a process of its own. If not it runs the test again in one: what such a test does
// to its process cannot be undone.
func alone(t *testing.T) bool {
	t.Helper()
	return aloneWith(t, func(*exec.Cmd) {})
}

// aloneWith is alone, with a function that changes the command before it runs.
func aloneWith(t *testing.T, complete func(*exec.Cmd)) bool {
	t.Helper()
	const variable = "LIPC_TEST_ALONE"
	if os.Getenv(variable) == t.Name() {
		return true
	}
	program, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(program, "-test.v", "-test.timeout=1m", "-test.run=^"+t.Name()+"$")
	cmd.Env = environment(variable + "=" + t.Name())
	complete(cmd)
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", output)
	require.Contains(t, string(output), "--- PASS: "+t.Name())
	return false
}

// refuse has the pollers refuse descriptors with these numbers from now on, by seccomp(2).
func refuse(t *testing.T, errno syscall.Errno, fds ...int) {
	t.Helper()
	const number, arguments = 0, 16 // in struct seccomp_data
	low := uint32(0)                // the offset of the lower half of an argument
	if one := uint16(1); *(*byte)(unsafe.Pointer(&one)) == 0 {
		low = 4
	}
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	unless := func(value, skip int) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(value), Jf: uint8(skip)}
	}
	answer := func(action uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action}
	}
	filter := []unix.SockFilter{
		load(number), unless(unix.SYS_EPOLL_CTL, 3+2*len(fds)),
		load(arguments + 8 + low), unless(unix.EPOLL_CTL_ADD, 1+2*len(fds)),
		load(arguments + 16 + low),
	}
	for _, fd := range fds {
		filter = append(filter, unless(fd, 1), answer(unix.SECCOMP_RET_ERRNO|uint32(errno)))
	}
	filter = append(filter, answer(unix.SECCOMP_RET_ALLOW))
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	runtime.LockOSThread() // only this one gives up privileges; the others follow by TSYNC
	defer runtime.UnlockOSThread()
	require.NoError(t, unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
	stray, _, failure := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC,
		uintptr(unsafe.Pointer(&program)))
	require.Zero(t, failure)
	require.Zero(t, stray, "a thread that has a filter of its own")
}

// freeDescriptors returns the numbers of the descriptors that are opened next.
func freeDescriptors(t *testing.T, count int) []int {
	t.Helper()
	fds := make([]int, count)
	for i := range fds {
		fd, err := syscall.Dup(0)
		require.NoError(t, err)
		defer syscall.Close(fd)
		fds[i] = fd
	}
	return fds
}

func nextDescriptor(t *testing.T) int { return freeDescriptors(t, 1)[0] }

func TestInheritedConnectionThatThePollerRefusesCanBeTakenLater(t *testing.T) {
	leakcheck.Start(t)
	if !alone(t) {
		return
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	require.NoError(t, err)
	defer unix.Close(fds[1])
	t.Setenv("IPC_CONN_work", strconv.Itoa(fds[0]))
	refuse(t, syscall.ENOSPC, fds[0])
	refuseNext(t, syscall.ENOSPC)
	_, err = ipc.InheritedConn("work")
	require.ErrorIs(t, err, syscall.ENOSPC)
	f, err := os.Open("/dev/null") // has a number that was refused
	require.NoError(t, err)
	defer f.Close()
	c, err := ipc.InheritedConn("work")
	require.NoError(t, err)
	require.NoError(t, c.Close())
	_, err = ipc.InheritedConn("work")
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = unix.FcntlInt(uintptr(fds[0]), unix.F_GETFD, 0)
	require.Equal(t, unix.EBADF, err)
}

// refuseNext refuses the descriptor that is opened next.
func refuseNext(t *testing.T, errno syscall.Errno) (fd int) {
	t.Helper()
	fd = nextDescriptor(t)
	refuse(t, errno, fd)
	return fd
}

// occupy takes a free number until the test ends.
func occupy(t *testing.T, fd int) {
	t.Helper()
	require.NoError(t, syscall.Dup3(0, fd, syscall.O_CLOEXEC))
	t.Cleanup(func() { syscall.Close(fd) })
}

func requireRefusedByPoller(t *testing.T, err error, errno syscall.Errno) {
	t.Helper()
	require.ErrorIs(t, err, errno)
	require.ErrorContains(t, err, "the system's poller does not take the descriptor")
	var op *net.OpError
	require.ErrorAs(t, err, &op)
	require.True(t, op.Temporary())
	require.False(t, op.Timeout())
}

func TestConnectionThatThePollerRefusesIsAcceptedLater(t *testing.T) {
	leakcheck.Start(t)
	if !alone(t) {
		return
	}
	name := newPath(t)
	for _, spin := range []time.Duration{0, time.Millisecond} {
		l, err := (&ipc.ListenConfig{Spin: spin}).Listen(t.Context(), name)
		require.NoError(t, err)
		for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.ENOMEM} {
			waiting := dial(t, name)
			first := nextDescriptor(t)
			refuse(t, errno, first, first+1, first+2) // a connection that polls needs up to three
			_, err := l.AcceptConn(t.Context())
			requireRefusedByPoller(t, err, errno)
			again := refuseNext(t, errno) // the number of a duplicate
			_, err = l.AcceptConn(t.Context())
			requireRefusedByPoller(t, err, errno)
			for fd := first; fd <= first+2; fd++ {
				if fd != again {
					occupy(t, fd)
				}
			}
			used := useUpDescriptors(t)
			_, err = l.AcceptConn(t.Context())
			release(used)
			require.ErrorIs(t, err, syscall.EMFILE)
			c, err := l.AcceptConn(t.Context())
			require.NoError(t, err)
			requireByteArrives(t, waiting, c)
			require.NoError(t, c.Close())
			occupy(t, again)
		}
		require.NoError(t, l.Close())
	}
}

func TestConnectionThatThePollerRefusedEndsWithItsListener(t *testing.T) {
	leakcheck.Start(t)
	if !alone(t) {
		return
	}
	name := newPath(t)
	l := listen(t, name)
	waiting := dial(t, name)
	refuseNext(t, syscall.ENOSPC)
	_, err := l.Accept()
	requireRefusedByPoller(t, err, syscall.ENOSPC)
	require.NoError(t, l.SetDeadline(time.Now()))
	_, err = l.Accept()
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, l.Close())
	_, err = waiting.Read(make([]byte, 1))
	require.Equal(t, io.EOF, err)
}

func TestIncomingGoesOnAfterThePollerRefusedAConnection(t *testing.T) {
	leakcheck.Start(t)
	if !alone(t) {
		return
	}
	name := newPath(t)
	l := listen(t, name)
	clients := []*ipc.Conn{dial(t, name), dial(t, name)}
	refuseNext(t, syscall.ENOSPC)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	failures, served := 0, 0
	for c, err := range l.Incoming(ctx) {
		if err != nil {
			requireRefusedByPoller(t, err, syscall.ENOSPC)
			failures++
			continue
		}
		_, err = fmt.Fprint(c, served)
		require.NoError(t, err)
		require.NoError(t, c.Close())
		if served++; served == len(clients) {
			cancel()
		}
	}
	require.Equal(t, len(clients), failures, "each is refused once: the number is free again")
	for i, c := range clients {
		got, err := io.ReadAll(c)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(i), string(got), "they are served in their order")
	}
}

func TestHTTPServerGoesOnAfterThePollerRefusedAConnection(t *testing.T) {
	leakcheck.Start(t)
	if !alone(t) {
		return
	}
	name := newPath(t)
	l := listen(t, name)
	clients := []*ipc.Conn{dial(t, name), dial(t, name)}
	for _, c := range clients {
		_, err := io.WriteString(c, "GET / HTTP/1.0\r\n\r\n")
		require.NoError(t, err)
	}
	refuseNext(t, syscall.ENOSPC)
	var failures strings.Builder
	server := http.Server{
		Handler:  http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "served") }),
		ErrorLog: log.New(&failures, "", 0),
	}
	ended := make(chan error)
	go func() { ended <- server.Serve(l) }()
	for _, c := range clients {
		answer, err := io.ReadAll(c)
		require.NoError(t, err)
		require.Contains(t, string(answer), "served")
	}
	require.NoError(t, server.Close())
	require.Equal(t, http.ErrServerClosed, <-ended)
	require.Equal(t, len(clients), strings.Count(failures.String(), "no space left on device; retrying"))
}

func TestWhatThePollerRefusesToOpenIsATemporaryErrorAndLeavesNothing(t *testing.T) {
	leakcheck.Start(t)
	if !alone(t) {
		return
	}
	dir := leakcheck.Dir(t)
	fresh := ipc.Path(filepath.Join(dir, "s"))
	name, messages, datagrams := newPath(t), newPath(t), newPath(t)
	listen(t, name)
	l, err := ipc.ListenMessage(messages)
	require.NoError(t, err)
	defer l.Close()
	listenDatagram(t, datagrams)
	f, err := dial(t, name).File()
	require.NoError(t, err)
	defer f.Close()
	two := func(_, _ any, err error) error { return err }
	opens := map[string]func() error{
		"dial":            func() error { return second(ipc.Dial(t.Context(), name)) },
		"dial messages":   func() error { return second(ipc.DialMessage(t.Context(), messages)) },
		"dial datagrams":  func() error { return second(ipc.DialDatagram(datagrams)) },
		"open":            func() error { return second(ipc.OpenDatagram()) },
		"pair":            func() error { a, b, err := ipc.Pair(); return two(a, b, err) },
		"pair message":    func() error { a, b, err := ipc.MessagePair(); return two(a, b, err) },
		"pair datagram":   func() error { a, b, err := ipc.DatagramPair(); return two(a, b, err) },
		"pipe":            func() error { r, w, err := ipc.Pipe(); return two(r, w, err) },
		"file":            func() error { return second(ipc.FileConn(f)) },
		"listen":          func() error { return second(ipc.Listen(fresh)) },
		"listen datagram": func() error { return second(ipc.ListenDatagram(fresh)) },
	}
	for what, open := range opens {
		ends := 1
		if strings.HasPrefix(what, "pair") || what == "pipe" {
			ends = 2
		}
		for end := range ends { // either the first is refused, or only the other
			first := nextDescriptor(t)
			refused := []int{first + end}
			if strings.HasPrefix(what, "listen") {
				refused = []int{first, first + 1, first + 2} // the socket is not the first that it opens
			}
			refuse(t, syscall.ENOSPC, refused...)
			requireRefusedByPoller(t, open(), syscall.ENOSPC)
			require.Equal(t, first, nextDescriptor(t), "%s: it leaves nothing open", what)
			for _, fd := range refused {
				occupy(t, fd)
			}
		}
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestWaitThatThePollerRefusesIsATemporaryErrorOfAConnectionThatPolls(t *testing.T) {
	leakcheck.Start(t)
	if !alone(t) {
		return
	}
	name := newPath(t)
	l := listen(t, name)
	c, err := (&ipc.Dialer{Spin: time.Microsecond}).Dial(t.Context(), name)
	require.NoError(t, err)
	defer c.Close()
	peer := accept(t, l)
	raw, err := c.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) { refuse(t, syscall.ENOSPC, int(fd)) }))
	_, err = c.Read(make([]byte, 1))
	requireRefusedByPoller(t, err, syscall.ENOSPC)
	requireByteArrives(t, peer, c) // has nothing to wait for
}
