//go:build unix

package tests

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestAsManyFilesAsAMessageCarriesArriveInOrder(t *testing.T) {
	leakcheck.Start(t)
	files := numbered(t, 253)
	eachKind(t, func(t *testing.T, k kind) {
		a, b := k.newPair(t)
		m := ipc.Message{Buffers: [][]byte{make([]byte, 10), make([]byte, 10)}, MaxFiles: 1000}
		for range 2 {
			payload := [][]byte{[]byte("all "), nil, []byte("of them")}
			n, err := a.SendMessage(&ipc.Message{Buffers: payload, Files: files})
			require.NoError(t, err)
			require.Equal(t, 11, n)
			n, err = b.ReceiveMessage(&m)
			require.NoError(t, err)
			require.Equal(t, 11, n)
			require.Equal(t, "all of the", string(m.Buffers[0]))
			require.Equal(t, "m", string(m.Buffers[1][:1]))
			requireNumbered(t, m.Files, 253)
		}

		n, err := a.SendFiles([]byte("few"), files[:3]...)
		require.NoError(t, err)
		require.Equal(t, 3, n)
		got := make([]*os.File, 10)
		n, count, err := b.ReceiveFiles(make([]byte, 10), got)
		require.NoError(t, err)
		require.Equal(t, 3, n)
		requireNumbered(t, got[:count], 3)
		require.Nil(t, got[3])

		_, err = a.SendFiles([]byte("again"), files[:2]...)
		require.NoError(t, err)
		memory := m.Files[:1]
		_, err = b.ReceiveMessage(&m)
		require.NoError(t, err)
		require.Same(t, memory[0], m.Files[0], "the memory is used again")
		requireNumbered(t, m.Files, 2)
	})
}

func TestMoreFilesThanAMessageCarriesAreRefusedBeforeAnythingIsSent(t *testing.T) {
	leakcheck.Start(t)
	files := make([]*os.File, 254)
	fds := make([]int, len(files))
	null, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer null.Close()
	for i := range files {
		files[i], fds[i] = null, descriptorOf(t, null)
	}
	eachKind(t, func(t *testing.T, k kind) {
		a, b := k.newPair(t)
		w := ipc.NewControlWriter(make([]byte, 2*ipc.ControlSize))
		require.NoError(t, w.AddFDs(fds[:200]...))
		require.NoError(t, w.AddFDs(fds[200:]...))
		var m ipc.Message
		for what, err := range map[string]error{
			"message":  second(a.SendMessage(&ipc.Message{Buffers: [][]byte{{1}}, Files: files})),
			"files":    second(a.SendFiles([]byte("x"), files...)),
			"writer":   ipc.NewControlWriter(make([]byte, 4096)).AddFDs(fds...),
			"in parts": second(a.SendControl([]byte("x"), w)),
			"buffers":  second(a.SendMessage(&ipc.Message{Buffers: make([][]byte, 1025)})),
			"negative": second(b.ReceiveMessage(&ipc.Message{MaxFiles: -1})),
			"too many": second(b.ReceiveMessage(&ipc.Message{Buffers: make([][]byte, 1025)})),
		} {
			require.ErrorIs(t, err, syscall.EINVAL, what)
			text := "253"
			switch what {
			case "buffers", "too many":
				text = "1024"
			case "negative":
				text = "negative MaxFiles"
			}
			require.ErrorContains(t, err, text, what)
		}
		_, err := a.SendFiles([]byte("first"))
		require.NoError(t, err)
		m.Buffers = [][]byte{make([]byte, 10)}
		n, err := b.ReceiveMessage(&m)
		require.NoError(t, err)
		require.Equal(t, "first", string(m.Buffers[0][:n]))
	})
}

func TestFilesOfAStreamComeWithTheirBytes(t *testing.T) {
	leakcheck.Start(t)
	files := numbered(t, 3)
	a, b := pair(t)
	write := func(text string, files ...*os.File) {
		_, err := a.SendFiles([]byte(text), files...)
		require.NoError(t, err)
	}
	write("before")
	write("with", files...)
	write("after")
	write("more", files[:1]...)
	var text []byte
	m := ipc.Message{Buffers: [][]byte{make([]byte, 100)}, MaxFiles: 10}
	for len(m.Files) == 0 {
		n, err := b.ReceiveMessage(&m)
		require.NoError(t, err)
		text = append(text, m.Buffers[0][:n]...)
	}
	require.Equal(t, "beforewith", string(text), "not beyond the bytes that they came with")
	requireNumbered(t, m.Files, 3)
	got := make([]byte, 5)
	_, err := io.ReadFull(b, got)
	require.NoError(t, err)
	require.Equal(t, "after", string(got))
	n, err := b.ReceiveMessage(&m)
	require.NoError(t, err)
	require.Equal(t, "more", string(m.Buffers[0][:n]))
	requireNumbered(t, m.Files, 1)
}

// A receiver counts what comes over a stream.
type received struct {
	bytes bytes.Buffer
	files int
}

// receiveAll receives pieces of at most size bytes, until the end.
func receiveAll(t *testing.T, c anyConn, size int) *received {
	t.Helper()
	r := new(received)
	m := ipc.Message{Buffers: [][]byte{make([]byte, size)}, MaxFiles: 253}
	for {
		n, err := c.ReceiveMessage(&m)
		if err == io.EOF {
			return r
		}
		require.NoError(t, err)
		r.bytes.Write(m.Buffers[0][:n])
		if len(m.Files) > 0 {
			requireNumbered(t, m.Files, 3)
			r.files += 3
		}
	}
}

func TestASlowReaderGetsEachFileOnce(t *testing.T) {
	leakcheck.Start(t)
	files := numbered(t, 3)
	for _, size := range []int{1, 2, 1000} {
		a, b := pair(t)
		for range 20 {
			_, err := a.SendMessage(&ipc.Message{Buffers: [][]byte{[]byte("ab"), []byte("cde")}, Files: files})
			require.NoError(t, err)
		}
		require.NoError(t, a.CloseWrite())
		got := receiveAll(t, b, size)
		require.Equal(t, strings.Repeat("abcde", 20), got.bytes.String())
		require.Equal(t, 60, got.files)
	}
}

func TestFilesOfASendInPartsAreSentOnce(t *testing.T) {
	leakcheck.Start(t)
	files := numbered(t, 3)
	sent := random(4 << 20)
	for what, send := range map[string]func(*ipc.Conn) (int, error){
		"message": func(c *ipc.Conn) (int, error) {
			payload := [][]byte{nil, sent[:1], sent[1:1000], sent[1000:]}
			return c.SendMessage(&ipc.Message{Buffers: payload, Files: files})
		},
		"control": func(c *ipc.Conn) (int, error) {
			w := ipc.NewControlWriter(make([]byte, 100))
			for _, f := range files {
				require.NoError(t, w.AddFDs(descriptorOf(t, f)))
			}
			return c.SendControl(sent, w)
		},
	} {
		a, b := pair(t)
		ended := make(chan error)
		go func() {
			n, err := send(a)
			if err == nil && n != len(sent) {
				err = fmt.Errorf("%d sent", n)
			}
			ended <- errors.Join(err, a.Close())
		}()
		got := receiveAll(t, b, 5000)
		require.NoError(t, <-ended, what)
		require.True(t, bytes.Equal(sent, got.bytes.Bytes()), what)
		require.Equal(t, 3, got.files, what)
	}
}

func TestSendThatADeadlineCutsIsFinishedWithWrite(t *testing.T) {
	leakcheck.Start(t)
	files := numbered(t, 3)
	sent := random(4 << 20)
	a, b := pair(t)
	require.NoError(t, a.SetWriteDeadline(time.Now().Add(20*time.Millisecond)))
	n, err := a.SendFiles(sent, files...)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.Positive(t, n)
	require.Less(t, n, len(sent))
	require.NoError(t, a.SetWriteDeadline(time.Time{}))
	ended := make(chan error)
	go func() {
		_, err := a.Write(sent[n:])
		ended <- errors.Join(err, a.Close())
	}()
	got := receiveAll(t, b, 10_000)
	require.NoError(t, <-ended)
	require.True(t, bytes.Equal(sent, got.bytes.Bytes()))
	require.Equal(t, 3, got.files)
}

func TestSendThatDidNotBeginIsMadeAgain(t *testing.T) {
	leakcheck.Start(t)
	files := numbered(t, 3)
	eachKind(t, func(t *testing.T, k kind) {
		a, b := k.newPair(t)
		fillConn(t, a)
		for range 3 {
			require.NoError(t, a.SetWriteDeadline(time.Now().Add(2*time.Millisecond)))
			n, err := a.SendFiles(make([]byte, 5000), files...)
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			require.Zero(t, n)
		}
		require.NoError(t, a.SetWriteDeadline(time.Time{}))
		ended := make(chan error)
		go func() {
			_, err := a.SendFiles([]byte("x"), files...)
			if err == nil {
				_, err = a.SendFiles([]byte("y"), files[0])
			}
			ended <- err
		}()
		requireNumbered(t, drain(t, b), 3)
		requireNumbered(t, drain(t, b), 1)
		require.NoError(t, <-ended)
	})
}

func TestPeekMessageShowsWhatTravelsAndLeavesIt(t *testing.T) {
	leakcheck.Start(t)
	files := numbered(t, 3)
	eachKind(t, func(t *testing.T, k kind) {
		a, b := k.newPair(t)
		_, err := a.SendFiles([]byte("payload"), files...)
		require.NoError(t, err)
		peek := ipc.Message{Buffers: [][]byte{make([]byte, 7)}}
		for _, most := range []int{3, 0, 253} { // with 0 no file is opened
			peek.MaxFiles = most
			n, err := b.PeekMessage(&peek)
			require.NoError(t, err)
			require.Equal(t, "payload", string(peek.Buffers[0][:n]))
			requireNumbered(t, peek.Files, min(most, 3))
			closeAll(peek.Files)
		}
		peek.MaxFiles = 2
		_, err = b.PeekMessage(&peek)
		require.ErrorIs(t, err, ipc.ErrFilesLost)
		require.Empty(t, peek.Files)
		got := make([]*os.File, 3)
		_, n, err := b.ReceiveFiles(make([]byte, 7), got)
		require.NoError(t, err)
		requireNumbered(t, got[:n], 3)
		closeAll(got)
	})
}

func TestFilesNeedNoPayload(t *testing.T) {
	leakcheck.Start(t)
	files := numbered(t, 2)
	eachKind(t, func(t *testing.T, k kind) {
		a, b := k.newPair(t)
		w := ipc.NewControlWriter(make([]byte, 100))
		require.NoError(t, w.AddFDs(descriptorOf(t, files[0]), descriptorOf(t, files[1])))
		for what, send := range map[string]func() (int, error){
			"none": func() (int, error) { return a.SendMessage(&ipc.Message{Files: files}) },
			"empty": func() (int, error) {
				return a.SendMessage(&ipc.Message{Buffers: [][]byte{nil, {}}, Files: files})
			},
			"files":   func() (int, error) { return a.SendFiles(nil, files...) },
			"control": func() (int, error) { return a.SendControl(nil, w) },
		} {
			n, err := send()
			require.Zero(t, n, what)
			require.NoError(t, err, what)
			m := ipc.Message{MaxFiles: 2}
			if what == "empty" || k.name == "stream" {
				m.Buffers = [][]byte{[]byte("x         ")}
			}
			n, err = b.ReceiveMessage(&m)
			require.NoError(t, err, what)
			if k.name == "stream" { // which carries them with a byte
				require.Equal(t, 1, n, what)
				require.Zero(t, m.Buffers[0][0], what)
			} else {
				require.Zero(t, n, what)
			}
			requireNumbered(t, m.Files, 2)
		}
		n, err := a.SendMessage(new(ipc.Message)) // nothing at all
		require.NoError(t, err)
		require.Zero(t, n)
		if k.name != "stream" {
			n, err = b.ReceiveMessage(new(ipc.Message))
			require.NoError(t, err)
			require.Zero(t, n)
		}
		if k.name != "datagram" {
			require.NoError(t, a.Close())
			_, err = b.ReceiveMessage(&ipc.Message{Buffers: [][]byte{make([]byte, 1)}, MaxFiles: 1})
			require.True(t, err == io.EOF, "the end comes bare: %v", err)
			_, err = b.ReceiveControl(make([]byte, 1), ipc.NewControlReader(make([]byte, 100)))
			require.True(t, err == io.EOF, "%v", err)
		}
	})
}

func TestFileThatIsClosedDuringASendIsStillTheOneThatIsSent(t *testing.T) {
	leakcheck.Start(t)
	eachKind(t, func(t *testing.T, k kind) {
		for what, open := range map[string]func() *os.File{
			"file": func() *os.File { return numbered(t, 1)[0] },
			"pipe": func() *os.File {
				r, w, err := os.Pipe() // Close of a pipe waits
				require.NoError(t, err)
				fmt.Fprint(w, 0)
				require.NoError(t, w.Close())
				return r
			},
		} {
			a, b := k.newPair(t)
			fillConn(t, a)
			f := open()
			number := descriptorOf(t, f)
			sent := make(chan error)
			go func() {
				_, err := a.SendFiles([]byte("x"), f)
				sent <- err
			}()
			waitsIn(t, "sendMessage")
			closed := make(chan error)
			go func() { closed <- f.Close() }()
			require.Eventually(t, func() bool {
				_, err := f.Stat()
				return errors.Is(err, os.ErrClosed)
			}, patience, tick)
			others := numbered(t, 50) // these would get its number
			for _, other := range others {
				require.NotEqual(t, number, descriptorOf(t, other), what)
			}
			files := drain(t, b)
			require.Len(t, files, 1)
			content := make([]byte, 10)
			n, err := files[0].Read(content)
			require.NoError(t, err)
			require.Equal(t, "0", string(content[:n]), what)
			require.NoError(t, files[0].Close())
			require.NoError(t, <-sent)
			require.NoError(t, <-closed)
			_, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(number), syscall.F_GETFD, 0)
			require.Equal(t, syscall.EBADF, errno, what)
			closeAll(others)
		}
	})
}

func TestFileThatCannotBeSentIsNamedAndNothingIsSent(t *testing.T) {
	leakcheck.Start(t)
	good := numbered(t, 1)[0]
	closed, err := os.Open(os.DevNull)
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	eachKind(t, func(t *testing.T, k kind) {
		a, b := k.newPair(t)
		_, err := a.SendFiles([]byte("x"), good, closed)
		require.ErrorIs(t, err, os.ErrClosed)
		require.ErrorContains(t, err, os.DevNull)
		require.ErrorContains(t, err, "write ipc")
		_, err = a.SendFiles([]byte("x"), good, nil)
		require.ErrorIs(t, err, os.ErrInvalid)
		require.ErrorContains(t, err, "nil")
		w := ipc.NewControlWriter(make([]byte, 100))
		require.NoError(t, w.AddFDs(descriptorOf(t, good), 1<<20))
		_, err = a.SendControl([]byte("x"), w)
		require.ErrorIs(t, err, syscall.EBADF)
		_, err = a.SendFiles([]byte("first"))
		require.NoError(t, err)
		got := make([]byte, 10)
		n, count, err := b.ReceiveFiles(got, make([]*os.File, 2))
		require.NoError(t, err)
		require.Equal(t, "first", string(got[:n]))
		require.Zero(t, count)
	})
}

func TestMessagesWithAncillaryDataAllocateNothing(t *testing.T) {
	leakcheck.Start(t)
	eachKind(t, func(t *testing.T, k kind) {
		a, b := k.newPair(t)
		b.SetPassCredentials(true) // where the system has them
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

func TestMessageThatWasReceivedIsSentBack(t *testing.T) {
	leakcheck.Start(t)
	f := numbered(t, 1)[0]
	name := newPath(t)
	l := listen(t, name)
	client := dial(t, name)
	server := accept(t, l)
	connections := [][2]anyConn{{server, client}}
	if runtime.GOOS != "darwin" {
		client, server := messageConns(t, newPath(t))
		connections = append(connections, [2]anyConn{server, client})
	}
	one, other := listenDatagram(t, newPath(t)), listenDatagram(t, newPath(t))
	require.NoError(t, one.Connect(nameOf(t, other.LocalAddr())))
	connections = append(connections, [2]anyConn{one, other})
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
