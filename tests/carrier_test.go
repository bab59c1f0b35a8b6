//go:build unix

package tests

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
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
	p = startWith(t, func(cmd *exec.Cmd) {
		as(t, user)(cmd)
		cmd.ExtraFiles = []*os.File{f}
	}, role, k.name)
	require.NoError(t, theirs.Close())
	return p, c
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
