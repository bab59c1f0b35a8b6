//go:build unix

package tests

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// A carrier is a connection of any kind: files and the like travel over all of them.
type carrier interface {
	syscall.Conn
	SendMessage(*ipc.Message) (int, error)
	ReceiveMessage(*ipc.Message) (int, error)
	SendFiles([]byte, ...*os.File) (int, error)
	ReceiveFiles([]byte, []*os.File) (int, int, error)
	SendControl([]byte, *ipc.ControlWriter) (int, error)
	ReceiveControl([]byte, *ipc.ControlReader) (int, error)
	SetPassCredentials(bool) error
	SetPassPIDFD(bool) error
	PeerPIDFD() (*os.File, error)
	PeerCredentials() (ipc.Credentials, error)
	SetDeadline(time.Time) error
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
	SetWriteBuffer(int) error
	File() (*os.File, error)
	Close() error
}

var (
	_ carrier = (*ipc.Conn)(nil)
	_ carrier = (*ipc.MessageConn)(nil)
	_ carrier = (*ipc.DatagramConn)(nil)
)

// A kind of carrier.
type kind struct {
	name  string
	pair  func() (a, b carrier, err error)
	adopt func(*os.File) (carrier, error)
	zero  carrier
}

var kinds = []kind{
	{
		"stream",
		func() (carrier, carrier, error) { return ipc.Pair() },
		func(f *os.File) (carrier, error) { return ipc.FileConn(f) },
		new(ipc.Conn),
	}, {
		"message",
		func() (carrier, carrier, error) { return ipc.MessagePair() },
		func(f *os.File) (carrier, error) { return ipc.FileMessageConn(f) },
		new(ipc.MessageConn),
	}, {
		"datagram",
		func() (carrier, carrier, error) { return ipc.DatagramPair() },
		func(f *os.File) (carrier, error) { return ipc.FileDatagramConn(f) },
		new(ipc.DatagramConn),
	},
}

// eachKind tests something of each kind that the system has.
func eachKind(t *testing.T, test func(t *testing.T, k kind)) {
	t.Helper()
	for _, k := range kinds {
		if k.name == "message" && runtime.GOOS == "darwin" {
			continue
		}
		t.Run(k.name, func(t *testing.T) { test(t, k) })
	}
}

// newPair makes two, closed when the test ends.
func (k kind) newPair(t *testing.T) (a, b carrier) {
	t.Helper()
	a, b, err := k.pair()
	require.NoError(t, err)
	t.Cleanup(func() {
		a.Close()
		b.Close()
	})
	return a, b
}

// start runs a role that has the other end of c.
func (k kind) start(t *testing.T, user *syscall.Credential, role string) (p *process, c carrier) {
	t.Helper()
	c, theirs := k.newPair(t)
	f, err := theirs.File()
	require.NoError(t, err)
	defer f.Close()
	p = startWith(t, user, func(cmd *exec.Cmd) { cmd.ExtraFiles = []*os.File{f} }, role, k.name)
	require.NoError(t, theirs.Close())
	return p, c
}

// inherited is the other end, in the role.
func inherited(name string) (carrier, error) {
	f := os.NewFile(3, "inherited")
	defer f.Close()
	for _, k := range kinds {
		if k.name == name {
			return k.adopt(f)
		}
	}
	return nil, fmt.Errorf("there is no kind %q", name)
}

// descriptors counts this process's, without opening one.
func descriptors() (count int) {
	for fd := range uintptr(2048) {
		if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_GETFD, 0); errno == 0 {
			count++
		}
	}
	return count
}

// leaveDescriptors leaves this process so many descriptors to open, for good.
func leaveDescriptors(count int) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = 256
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	var taken []int
	for {
		fd, err := syscall.Dup(0)
		if err == syscall.EMFILE {
			break
		}
		if err != nil {
			return err
		}
		taken = append(taken, fd)
	}
	for _, fd := range taken[len(taken)-count:] {
		syscall.Close(fd)
	}
	return nil
}

// outcome is a word for how a receive ended.
func outcome(err error) string {
	switch {
	case err == nil:
		return "received"
	case errors.Is(err, ipc.ErrFilesLost) && errors.Is(err, syscall.EMFILE):
		return "lost for want of descriptors"
	case errors.Is(err, ipc.ErrFilesLost):
		return "lost"
	default:
		return err.Error()
	}
}

// carrierRole has one end of a carrier of KIND, as descriptor 3, and does what it is ordered to do with it.
func carrierRole(args []string, orders *bufio.Scanner) error {
	c, err := inherited(args[0])
	if err != nil {
		return err
	}
	defer c.Close()
	b := make([]byte, 1000)
	for orders.Scan() {
		order, rest, _ := strings.Cut(orders.Text(), " ")
		switch order {
		case "leave": // COUNT descriptors: "left"
			count, _ := strconv.Atoi(rest)
			if err := leaveDescriptors(count); err != nil {
				return err
			}
			fmt.Println("left")
		case "receive": // at most COUNT files: payload, number of files, outcome, how many descriptors are open more
			before := descriptors()
			m := ipc.Message{Buffers: [][]byte{b}}
			m.MaxFiles, _ = strconv.Atoi(rest)
			n, err := c.ReceiveMessage(&m)
			closeAll(m.Files)
			fmt.Printf("%s, %d files, %s, %+d descriptors\n", b[:n], len(m.Files), outcome(err), descriptors()-before)
		case "read": // a file: its content
			m := ipc.Message{Buffers: [][]byte{b}, MaxFiles: 1}
			if _, err := c.ReceiveMessage(&m); err != nil {
				return err
			}
			content, err := io.ReadAll(m.Files[0])
			closeAll(m.Files)
			fmt.Println(string(content), err)
		case "return": // COUNT files, one after the other: how many descriptors are open more afterwards
			before := descriptors()
			count, _ := strconv.Atoi(rest)
			m := ipc.Message{Buffers: [][]byte{make([]byte, 1)}, MaxFiles: 1}
			for range count {
				if _, err := c.ReceiveMessage(&m); err != nil {
					return err
				}
				if len(m.Files) != 1 {
					return fmt.Errorf("%d files came", len(m.Files))
				}
				m.Peer = ipc.Name{} // it is connected
				if _, err := c.SendMessage(&m); err != nil {
					return err
				}
				closeAll(m.Files)
			}
			fmt.Printf("%+d descriptors\n", descriptors()-before)
		case "send": // TEXT: "sent"
			if _, err := c.SendFiles([]byte(rest)); err != nil {
				return err
			}
			fmt.Println("sent")
		case "claim": // PID UID GID: "sent", or "refused"
			claimed := new(ipc.Credentials)
			if _, err := fmt.Sscan(rest, &claimed.PID, &claimed.UID, &claimed.GID); err != nil {
				return err
			}
			_, err := c.SendMessage(&ipc.Message{Buffers: [][]byte{[]byte("claim")}, Credentials: claimed})
			switch {
			case err == nil:
				fmt.Println("sent")
			case errors.Is(err, os.ErrPermission):
				fmt.Println("refused")
			default:
				return err
			}
		default:
			return fmt.Errorf("cannot %q", order)
		}
	}
	return nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// numbered opens so many files, of which each holds its number, until the test ends.
func numbered(t *testing.T, count int) []*os.File {
	t.Helper()
	dir := leakcheck.Dir(t)
	files := make([]*os.File, count)
	for i := range files {
		path := filepath.Join(dir, fmt.Sprint(i))
		require.NoError(t, os.WriteFile(path, fmt.Append(nil, i), 0o600))
		var err error
		files[i], err = os.Open(path)
		require.NoError(t, err)
	}
	t.Cleanup(func() { closeAll(files) })
	return files
}

// requireNumbered wants those files, close-on-exec and in their order, and closes them.
func requireNumbered(t *testing.T, files []*os.File, count int) {
	t.Helper()
	require.Len(t, files, count)
	content := make([]byte, 10)
	for i, f := range files {
		n, err := f.ReadAt(content, 0)
		require.Equal(t, io.EOF, err)
		require.Equal(t, fmt.Sprint(i), string(content[:n]))
		requireCloseOnExec(t, f)
		require.NoError(t, f.Close())
	}
}

func requireCloseOnExec(t *testing.T, conn syscall.Conn) {
	t.Helper()
	raw, err := conn.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) {
		flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_GETFD, 0)
		if errno != 0 || flags&syscall.FD_CLOEXEC == 0 {
			t.Errorf("%T is not close-on-exec: %v", conn, errno)
		}
	}))
}

// descriptorOf is a file's number.
func descriptorOf(t *testing.T, f *os.File) (number int) {
	t.Helper()
	raw, err := f.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) { number = int(fd) }))
	return number
}

// A watched file is the writing end of a pipe, so that the reading end tells when nobody has it open any more.
func watched(t *testing.T) (watch, file *os.File) {
	t.Helper()
	watch, file, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() {
		watch.Close()
		file.Close()
	})
	return watch, file
}

// requireClosedEverywhere wants nobody to have the watched file open.
func requireClosedEverywhere(t *testing.T, watch *os.File) {
	t.Helper()
	require.NoError(t, watch.SetReadDeadline(time.Now().Add(patience)))
	_, err := watch.Read(make([]byte, 1))
	require.Equal(t, io.EOF, err)
}

// waitsIn waits until some goroutine waits in a method of the package's endpoints, in one of those states.
func waitsIn(t *testing.T, method string, states ...string) {
	t.Helper()
	if states == nil {
		states = []string{"IO wait", "sleep", "select"}
	}
	require.Eventually(t, func() bool {
		stacks := make([]byte, 4<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		for stack := range strings.SplitSeq(string(stacks), "\n\n") {
			state, _, _ := strings.Cut(stack, "\n")
			for _, waiting := range states {
				if strings.Contains(state, "["+waiting) && strings.Contains(stack, "ipc.(*endpoint)."+method+"(") {
					return true
				}
			}
		}
		return false
	}, patience, tick)
}

// fillCarrier sends until there is no more room.
func fillCarrier(t *testing.T, c carrier) {
	t.Helper()
	raw, err := c.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) {
		for err == nil {
			_, err = syscall.Write(int(fd), make([]byte, 4096))
		}
	}))
	require.True(t, err == syscall.EAGAIN || err == syscall.ENOBUFS, "%v", err)
}

// drain receives until a message with files comes, which it returns.
func drain(t *testing.T, c carrier) []*os.File {
	t.Helper()
	for {
		m := ipc.Message{Buffers: [][]byte{make([]byte, 8192)}, MaxFiles: 253}
		_, err := c.ReceiveMessage(&m)
		require.NoError(t, err)
		if len(m.Files) > 0 {
			return m.Files
		}
	}
}

// carrierWaits lists the ways to wait for what travels, on an end that is empty and one that is full.
func carrierWaits(empty, full carrier) map[string]func() error {
	b := make([]byte, 1000)
	r, w := ipc.NewControlReader(make([]byte, ipc.ControlSize)), ipc.NewControlWriter(make([]byte, 100))
	return map[string]func() error{
		"receiveMessage": func() error {
			_, err := empty.ReceiveMessage(&ipc.Message{Buffers: [][]byte{b}, MaxFiles: 1})
			return err
		},
		"receiveControl": func() error { _, err := empty.ReceiveControl(b, r); return err },
		"sendMessage":    func() error { _, err := full.SendMessage(&ipc.Message{Buffers: [][]byte{b}}); return err },
		"sendControl":    func() error { _, err := full.SendControl(b, w); return err },
	}
}

func TestWaitingForWhatTravelsEndsWithDeadlinesContextsAndClose(t *testing.T) {
	leakcheck.Start(t)
	eachKind(t, func(t *testing.T, k kind) {
		empty, _ := k.newPair(t)
		full, _ := k.newPair(t)
		fillCarrier(t, full)
		deadline := func(at time.Time) {
			require.NoError(t, empty.SetDeadline(at))
			require.NoError(t, full.SetDeadline(at))
		}
		for method, wait := range carrierWaits(empty, full) {
			deadline(time.Now().Add(-time.Second))
			require.ErrorIs(t, wait(), os.ErrDeadlineExceeded, method)
			deadline(time.Now().Add(5 * time.Millisecond))
			require.ErrorIs(t, wait(), os.ErrDeadlineExceeded, method)
			deadline(time.Time{})

			ended := make(chan error)
			ctx, cancel := context.WithCancel(t.Context())
			past := make(chan bool)
			context.AfterFunc(ctx, func() {
				empty.SetDeadline(time.Unix(1, 0))
				full.SetDeadline(time.Unix(1, 0))
				close(past)
			})
			go func() { ended <- wait() }()
			waitsIn(t, method)
			cancel()
			require.ErrorIs(t, <-ended, os.ErrDeadlineExceeded, method)
			<-past
			deadline(time.Time{})

			closing, _ := k.newPair(t)
			if strings.HasPrefix(method, "send") {
				fillCarrier(t, closing)
			}
			go func() { ended <- carrierWaits(closing, closing)[method]() }()
			waitsIn(t, method)
			require.NoError(t, closing.Close())
			require.ErrorIs(t, <-ended, net.ErrClosed, method)
		}
	})
}

func TestADeadlineTellsNothingOfTheReceiveBefore(t *testing.T) {
	leakcheck.Start(t)
	eachKind(t, func(t *testing.T, k kind) {
		a, b := k.newPair(t)
		f := numbered(t, 1)[0]
		_, err := a.SendFiles([]byte("payload"), f, f)
		require.NoError(t, err)
		m := ipc.Message{Buffers: [][]byte{make([]byte, 100)}, MaxFiles: 1}
		n, err := b.ReceiveMessage(&m)
		require.ErrorIs(t, err, ipc.ErrFilesLost)
		require.Equal(t, 7, n)
		require.NoError(t, b.SetReadDeadline(time.Unix(1, 0)))
		n, err = b.ReceiveMessage(&m)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Zero(t, n)
		require.NoError(t, b.Close())
		n, err = b.ReceiveMessage(&m)
		require.ErrorIs(t, err, net.ErrClosed)
		require.Zero(t, n)
	})
}

func TestClosedAndZeroCarriersRefuseEverything(t *testing.T) {
	leakcheck.Start(t)
	f := numbered(t, 1)[0]
	b := make([]byte, 10)
	eachKind(t, func(t *testing.T, k kind) {
		closed, _ := k.newPair(t)
		require.NoError(t, closed.Close())
		for c, want := range map[carrier]error{closed: net.ErrClosed, k.zero: syscall.EINVAL} {
			_, _, receiveErr := c.ReceiveFiles(b, nil)
			for what, err := range map[string]error{
				"write: message": second(c.SendMessage(&ipc.Message{Buffers: [][]byte{b}})),
				"write: empty":   second(c.SendMessage(new(ipc.Message))),
				"write: files":   second(c.SendFiles(b, f)),
				"write: control": second(c.SendControl(b, ipc.NewControlWriter(nil))),
				"read: message":  second(c.ReceiveMessage(&ipc.Message{Buffers: [][]byte{b}, MaxFiles: 1})),
				"read: nothing":  second(c.ReceiveMessage(new(ipc.Message))),
				"read: files":    receiveErr,
				"read: control":  second(c.ReceiveControl(b, ipc.NewControlReader(make([]byte, 100)))),
				"set: cred":      c.SetPassCredentials(true),
				"set: pidfd":     c.SetPassPIDFD(true),
				"get: pidfd":     second(c.PeerPIDFD()),
			} {
				if errors.Is(err, errors.ErrUnsupported) && !onLinux {
					continue
				}
				require.ErrorIs(t, err, want, what)
				var op *net.OpError
				require.ErrorAs(t, err, &op, what)
				operation, _, _ := strings.Cut(what, ":")
				require.Equal(t, operation, op.Op, what)
			}
		}
	})
	var l ipc.Listener
	require.ErrorIs(t, l.SetPassCredentials(true), syscall.EINVAL)
	require.ErrorIs(t, l.SetPassPIDFD(true), syscall.EINVAL)
}

func TestCloseOfACarrierIsSafeAtAnyTime(t *testing.T) {
	leakcheck.Start(t)
	files := numbered(t, 2)
	eachKind(t, func(t *testing.T, k kind) {
		for range 100 {
			a, b, err := k.pair()
			require.NoError(t, err)
			r := ipc.NewControlReader(make([]byte, ipc.ControlSize))
			var group sync.WaitGroup
			for _, work := range []func() error{
				func() error {
					return second(a.SendMessage(&ipc.Message{Buffers: [][]byte{make([]byte, 50_000)}, Files: files}))
				},
				func() error {
					m := ipc.Message{Buffers: [][]byte{make([]byte, 50_000)}, MaxFiles: 2}
					_, err := b.ReceiveMessage(&m)
					closeAll(m.Files)
					return err
				},
				func() error {
					_, err := b.ReceiveControl(make([]byte, 50_000), r)
					return errors.Join(err, r.Close())
				},
				func() error { return second(a.SendFiles([]byte("x"), files...)) },
				func() error { a.SetPassCredentials(true); return nil },
				func() error { return a.SetDeadline(time.Now().Add(time.Hour)) },
				a.Close, b.Close,
			} {
				group.Go(func() {
					err := work()
					for _, expected := range []error{net.ErrClosed, syscall.EPIPE, syscall.ECONNREFUSED,
						syscall.ENOTCONN, syscall.ECONNRESET, io.EOF} {
						if errors.Is(err, expected) {
							return
						}
					}
					if err != nil {
						t.Errorf("%v", err)
					}
				})
			}
			group.Wait()
		}
	})
}

func TestMessagesWithWhatTravelsAllocateNothing(t *testing.T) {
	leakcheck.Start(t)
	eachKind(t, func(t *testing.T, k kind) {
		a, b := k.newPair(t)
		b.SetPassCredentials(true) // where there are such
		out := ipc.Message{Buffers: [][]byte{{1}, {2}, {3}, {4}, {5}}}
		in := ipc.Message{Buffers: [][]byte{{1}, {2}, {3}, {4}, {5}}, MaxFiles: 10, Credentials: new(ipc.Credentials)}
		operations := map[string]func() error{
			"message": func() error {
				_, err := a.SendMessage(&out)
				if err == nil {
					_, err = b.ReceiveMessage(&in)
				}
				return err
			},
		}
		payload := make([]byte, 100)
		w, r := ipc.NewControlWriter(make([]byte, 200)), ipc.NewControlReader(make([]byte, ipc.ControlSize))
		f := numbered(t, 1)[0]
		fd := descriptorOf(t, f)
		fds := make([]int, 10)
		operations["control"] = func() error {
			w.Reset()
			if err := w.AddFDs(fd, fd); err != nil {
				return err
			}
			if onLinux {
				if err := w.AddCredentials(ipc.Credentials{PID: -1, UID: -1, GID: -1}); err != nil {
					return err
				}
			}
			if _, err := a.SendControl(payload, w); err != nil {
				return err
			}
			if _, err := b.ReceiveControl(payload, r); err != nil {
				return err
			}
			defer r.Close()
			taken := 0
			for r.Next() {
				for _, fd := range fds[:r.TakeFDs(fds)] {
					syscall.Close(fd)
					taken++
				}
				r.Credentials()
			}
			if taken != 2 {
				return errors.New("they did not come")
			}
			return r.Err()
		}
		requireNoAllocations(t, operations)
	})
}

func TestWhatWasSentBeforeTheEndIsReceivedBeforeIt(t *testing.T) {
	leakcheck.Start(t)
	f := numbered(t, 1)[0]
	eachKind(t, func(t *testing.T, k kind) {
		if k.name == "datagram" {
			return // has no end
		}
		for range 2000 {
			a, b, err := k.pair()
			require.NoError(t, err)
			ended := make(chan error)
			go func() {
				_, err := a.SendFiles([]byte("x"), f)
				ended <- errors.Join(err, a.Close())
			}()
			m := ipc.Message{Buffers: [][]byte{make([]byte, 10)}, MaxFiles: 1}
			n, err := b.ReceiveMessage(&m)
			require.NoError(t, err)
			require.Equal(t, 1, n)
			requireNumbered(t, m.Files, 1)
			_, err = b.ReceiveMessage(&m)
			require.True(t, err == io.EOF, "%v", err)
			require.NoError(t, <-ended)
			require.NoError(t, b.Close())
		}
	})
}

func TestMessageThatWasReceivedIsSentBack(t *testing.T) {
	leakcheck.Start(t)
	f := numbered(t, 1)[0]
	name := newPath(t)
	l := listen(t, name)
	client := dial(t, name)
	server, err := l.AcceptConn(t.Context())
	require.NoError(t, err)
	defer server.Close()
	connections := [][2]carrier{{server, client}}
	if runtime.GOOS != "darwin" {
		client, server := messageConns(t, newPath(t))
		connections = append(connections, [2]carrier{server, client})
	}
	one, other := listenDatagram(t, newPath(t)), listenDatagram(t, newPath(t))
	require.NoError(t, one.Connect(other.LocalAddr().(ipc.Name)))
	connections = append(connections, [2]carrier{one, other})
	for _, c := range connections {
		_, err := c[0].SendFiles([]byte("ball"), f)
		require.NoError(t, err)
		m := ipc.Message{Buffers: [][]byte{make([]byte, 4)}, MaxFiles: 1}
		n, err := c[1].ReceiveMessage(&m)
		require.NoError(t, err)
		require.Equal(t, 4, n)
		_, err = c[1].SendMessage(&m)
		require.NoError(t, err)
		closeAll(m.Files)
		n, err = c[0].ReceiveMessage(&m)
		require.NoError(t, err)
		require.Equal(t, "ball", string(m.Buffers[0][:n]))
		requireNumbered(t, m.Files, 1)
	}
}
