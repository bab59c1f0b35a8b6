//go:build unix

package tests

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/signal"
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

// newPipe makes a pipe, closed when the test ends.
func newPipe(t *testing.T, pc *ipc.PipeConfig) (*ipc.PipeReader, *ipc.PipeWriter) {
	t.Helper()
	r, w, err := pc.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() {
		r.Close()
		w.Close()
	})
	return r, w
}

// fillPipe writes until there is no more room.
func fillPipe(t *testing.T, w *ipc.PipeWriter) {
	t.Helper()
	raw, err := w.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) {
		for err == nil {
			_, err = syscall.Write(int(fd), make([]byte, 4096))
		}
	}))
	require.ErrorIs(t, err, syscall.EAGAIN)
}

// statusFlags are a descriptor's number, and its flags as fcntl(2) tells them: O_NONBLOCK above all.
func statusFlags(t *testing.T, c syscall.Conn) (fd, flags int) {
	t.Helper()
	raw, err := c.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(number uintptr) {
		got, _, errno := syscall.Syscall(syscall.SYS_FCNTL, number, syscall.F_GETFL, 0)
		require.Zero(t, errno)
		fd, flags = int(number), int(got)
	}))
	return fd, flags
}

func TestPipeCarriesBytesUntilItsWriterIsClosed(t *testing.T) {
	leakcheck.Start(t)
	r, w, err := ipc.Pipe()
	require.NoError(t, err)
	requireCloseOnExec(t, r)
	requireCloseOnExec(t, w)
	n, err := w.Write([]byte("hello"))
	require.NoError(t, err)
	require.Equal(t, 5, n)
	b := make([]byte, 3)
	n, err = r.Read(b)
	require.NoError(t, err)
	require.Equal(t, "hel", string(b[:n]))
	n, err = w.WriteBuffers([][]byte{[]byte("a"), nil, []byte("bc"), {}})
	require.NoError(t, err)
	require.Equal(t, 3, n)
	n, err = r.ReadBuffers([][]byte{b[:1], nil, b[1:]})
	require.NoError(t, err)
	require.Equal(t, "loa", string(b[:n]))
	for what, err := range map[string]error{
		"read":  second(r.Read(nil)),
		"write": second(w.Write(nil)),
		"both":  errors.Join(second(r.ReadBuffers(nil)), second(w.WriteBuffers([][]byte{nil}))),
	} {
		require.NoError(t, err, what)
	}
	require.NoError(t, w.Close())
	n, err = r.Read(b)
	require.NoError(t, err)
	require.Equal(t, "bc", string(b[:n]))
	_, err = r.Read(b)
	require.True(t, err == io.EOF, "the end comes bare: %v", err)
	_, err = r.ReadBuffers([][]byte{b})
	require.True(t, err == io.EOF, "%v", err)
	require.NoError(t, r.Close())
}

func TestLargeTransfersOverAPipeArriveWhole(t *testing.T) {
	leakcheck.Start(t)
	sent := random(5 << 20)
	for what, write := range map[string]func(w *ipc.PipeWriter) (int, error){
		"write": func(w *ipc.PipeWriter) (int, error) { return w.Write(sent) },
		"vectored": func(w *ipc.PipeWriter) (int, error) {
			return w.WriteBuffers([][]byte{sent[:1], sent[1:7], nil, sent[7:100_000], sent[100_000:]})
		},
	} {
		r, w := newPipe(t, new(ipc.PipeConfig))
		ended := make(chan error)
		go func() {
			n, err := write(w)
			if err == nil && n != len(sent) {
				err = fmt.Errorf("%d written", n)
			}
			ended <- errors.Join(err, w.Close())
		}()
		got, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, <-ended, what)
		require.True(t, bytes.Equal(sent, got), what)
	}
}

// signalsRole writes to pipes that nobody reads, and answers which signals came meanwhile.
func signalsRole(_ []string, orders *bufio.Scanner) error {
	write := func() error {
		r, w, err := ipc.Pipe()
		if err != nil {
			return err
		}
		defer w.Close()
		r.Close()
		for range 3 {
			if _, err := w.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
				return fmt.Errorf("written: %v", err)
			}
			if _, err := w.WriteBuffers([][]byte{{1}, {2}}); !errors.Is(err, syscall.EPIPE) {
				return fmt.Errorf("written: %v", err)
			}
		}
		return nil
	}
	if err := write(); err != nil {
		return err
	}
	signals := make(chan os.Signal, 10)
	signal.Notify(signals, syscall.SIGPIPE, syscall.SIGWINCH)
	if err := write(); err != nil {
		return err
	}
	syscall.Kill(os.Getpid(), syscall.SIGWINCH) // of a greater number, so told of after any SIGPIPE before it
	fmt.Println(<-signals == syscall.SIGWINCH)
	return nil
}

func TestWriteToAPipeThatNobodyReadsRaisesNoSignal(t *testing.T) {
	leakcheck.Start(t)
	r, w := newPipe(t, new(ipc.PipeConfig))
	require.NoError(t, r.Close())
	n, err := w.Write([]byte("x"))
	require.ErrorIs(t, err, syscall.EPIPE)
	require.ErrorContains(t, err, "write ipc")
	require.Zero(t, n)
	start(t, "signals").expect("true")

	r, w = newPipe(t, new(ipc.PipeConfig)) // under a write that waits
	ended := make(chan error)
	go func() { ended <- second(w.Write(make([]byte, 1<<20))) }()
	waitsIn(t, "write")
	require.NoError(t, r.Close())
	require.ErrorIs(t, <-ended, syscall.EPIPE)
}

func TestPipeOperationsEndWithDeadlinesAndClose(t *testing.T) {
	leakcheck.Start(t)
	b := make([]byte, 10)
	for what, c := range map[string]struct {
		method string
		wait   func(r *ipc.PipeReader, w *ipc.PipeWriter) error
	}{
		"read":  {"read", func(r *ipc.PipeReader, _ *ipc.PipeWriter) error { return second(r.Read(b)) }},
		"write": {"write", func(_ *ipc.PipeReader, w *ipc.PipeWriter) error { return second(w.Write(b)) }},
		"read all": {"readBuffers", func(r *ipc.PipeReader, _ *ipc.PipeWriter) error {
			return second(r.ReadBuffers([][]byte{b}))
		}},
		"write all": {"writeBuffers", func(_ *ipc.PipeReader, w *ipc.PipeWriter) error {
			return second(w.WriteBuffers([][]byte{b}))
		}},
	} {
		r, w := newPipe(t, new(ipc.PipeConfig))
		end := io.Closer(r)
		setDeadlines := []func(time.Time) error{r.SetDeadline, r.SetReadDeadline}
		if strings.HasPrefix(what, "write") {
			fillPipe(t, w)
			end, setDeadlines = w, []func(time.Time) error{w.SetDeadline, w.SetWriteDeadline}
		}
		ended := make(chan error)
		for _, set := range setDeadlines {
			for _, after := range []time.Duration{-time.Second, 5 * time.Millisecond} {
				require.NoError(t, set(time.Now().Add(after)))
				err := c.wait(r, w)
				require.ErrorIs(t, err, os.ErrDeadlineExceeded, what)
				var timeout net.Error
				require.ErrorAs(t, err, &timeout)
				require.True(t, timeout.Timeout())
			}
			require.NoError(t, set(time.Time{}))
			go func() { ended <- c.wait(r, w) }()
			waitsIn(t, c.method)
			require.NoError(t, set(time.Unix(1, 0)))
			require.ErrorIs(t, <-ended, os.ErrDeadlineExceeded, what)
			require.NoError(t, set(time.Time{}))
		}
		go func() { ended <- c.wait(r, w) }()
		waitsIn(t, c.method)
		require.NoError(t, end.Close())
		require.ErrorIs(t, <-ended, net.ErrClosed, what)
		require.ErrorIs(t, c.wait(r, w), net.ErrClosed, what)
	}

	r, w := newPipe(t, new(ipc.PipeConfig)) // data that is there does not save a deadline in the past
	_, err := w.Write(b)
	require.NoError(t, err)
	require.NoError(t, r.SetDeadline(time.Unix(1, 0)))
	_, err = r.Read(b)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	sent := random(1 << 20) // a write that a deadline cuts says how much was written
	require.NoError(t, r.SetDeadline(time.Time{}))
	_, err = r.Read(b)
	require.NoError(t, err)
	require.NoError(t, w.SetWriteDeadline(time.Now().Add(10*time.Millisecond)))
	n, err := w.Write(sent)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, w.Close())
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.True(t, bytes.Equal(sent[:n], got))
}

func TestClosedAndZeroPipeEndsRefuseEverything(t *testing.T) {
	leakcheck.Start(t)
	r, w := newPipe(t, new(ipc.PipeConfig))
	require.NoError(t, r.Close())
	require.NoError(t, w.Close())
	for want, ends := range map[error]struct {
		r *ipc.PipeReader
		w *ipc.PipeWriter
	}{net.ErrClosed: {r, w}, syscall.EINVAL: {new(ipc.PipeReader), new(ipc.PipeWriter)}} {
		r, w := ends.r, ends.w
		for what, err := range map[string]error{
			"read":         second(r.Read(make([]byte, 1))),
			"read: none":   second(r.Read(nil)),
			"read: all":    second(r.ReadBuffers([][]byte{{1}})),
			"write":        second(w.Write([]byte("x"))),
			"write: all":   second(w.WriteBuffers([][]byte{{1}})),
			"set":          r.SetReadDeadline(time.Now()),
			"set: write":   w.SetWriteDeadline(time.Now()),
			"set: buffer":  w.SetBuffer(4096),
			"file":         second(r.File()),
			"pass":         w.PassTo(exec.Command("true"), "x"),
			"close":        r.Close(),
			"close: write": w.Close(),
		} {
			require.ErrorIs(t, err, want, what)
			operation, _, _ := strings.Cut(what, ":")
			require.ErrorContains(t, err, operation+" ipc", what)
		}
	}
	_, err := new(ipc.PipeReader).SyscallConn()
	require.ErrorIs(t, err, syscall.EINVAL)
}

func TestCloseOfAPipeIsSafeAtAnyTime(t *testing.T) {
	leakcheck.Start(t)
	for range 200 {
		r, w, err := ipc.Pipe()
		require.NoError(t, err)
		var group sync.WaitGroup
		for _, work := range []func() error{
			func() error { return second(r.Read(make([]byte, 10))) },
			func() error { return second(r.ReadBuffers([][]byte{make([]byte, 10)})) },
			func() error { return second(w.Write(make([]byte, 100_000))) },
			func() error { return second(w.WriteBuffers([][]byte{make([]byte, 100_000)})) },
			func() error { return r.SetDeadline(time.Now().Add(time.Hour)) },
			func() error {
				f, err := w.File()
				f.Close()
				return err
			},
			r.Close, w.Close,
		} {
			group.Go(func() {
				err := work()
				if err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, syscall.EPIPE) && err != io.EOF {
					t.Errorf("%v", err)
				}
			})
		}
		group.Wait()
	}
}

func TestPipesAllocateNothing(t *testing.T) {
	leakcheck.Start(t)
	r, w := newPipe(t, new(ipc.PipeConfig))
	b, vector := make([]byte, 64), [][]byte{make([]byte, 32), make([]byte, 32)}
	requireNoAllocations(t, map[string]func() error{
		"write, read": func() error {
			_, err := w.Write(b)
			if err == nil {
				_, err = r.Read(b)
			}
			return err
		},
		"vectored": func() error {
			_, err := w.WriteBuffers(vector)
			if err == nil {
				_, err = r.ReadBuffers(vector)
			}
			return err
		},
	})
}

func TestPipeBufferHasTheSizeThatWasAskedFor(t *testing.T) {
	leakcheck.Start(t)
	_, _, err := (&ipc.PipeConfig{BufferSize: -1}).Pipe()
	require.ErrorIs(t, err, syscall.EINVAL)
	require.ErrorContains(t, err, "pipe ipc: negative BufferSize")
	if !abstract() { // the only system whose pipes' buffers can be set is also the only one with such names
		_, _, err := (&ipc.PipeConfig{BufferSize: 4096}).Pipe()
		require.ErrorIs(t, err, errors.ErrUnsupported)
		r, _ := newPipe(t, new(ipc.PipeConfig))
		require.ErrorIs(t, r.SetBuffer(4096), errors.ErrUnsupported)
		return
	}
	const getPipeSize = 1032
	r, w := newPipe(t, &ipc.PipeConfig{BufferSize: 200_000})
	requireSize := func(want int) {
		fd, _ := statusFlags(t, r)
		size, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), getPipeSize, 0)
		require.Zero(t, errno)
		require.EqualValues(t, want, size)
	}
	requireSize(262_144)
	require.NoError(t, r.SetBuffer(4096))
	requireSize(os.Getpagesize())
	require.NoError(t, w.SetBuffer(100_000))
	requireSize(131_072)
	require.ErrorIs(t, w.SetBuffer(0), syscall.EINVAL)
	require.ErrorContains(t, w.SetBuffer(-1), "set ipc")
	_, err = w.Write(make([]byte, 100_000))
	require.NoError(t, err)
	require.ErrorIs(t, w.SetBuffer(4096), syscall.EBUSY)
	if os.Geteuid() != 0 {
		require.ErrorIs(t, w.SetBuffer(1<<30), fs.ErrPermission)
	}
}

// pipesRole answers "reader NAME" and "writer NAME" with what became of taking an end of a pipe; "copy" with "copied",
// when it has copied from the reader to the writer until the end; "plain read FD" with what is there, and "plain write
// FD TEXT" with "written", which it does as any program does; and "environment" with how many variables speak of pipes.
func pipesRole(_ []string, orders *bufio.Scanner) error {
	var r *ipc.PipeReader
	var w *ipc.PipeWriter
	took := func(err error) {
		switch {
		case err == nil:
			fmt.Println("taken")
		case errors.Is(err, fs.ErrNotExist):
			fmt.Println("absent")
		default:
			fmt.Println(err)
		}
	}
	for orders.Scan() {
		words := strings.SplitN(orders.Text(), " ", 4)
		var err error
		switch words[0] {
		case "reader":
			var taken *ipc.PipeReader
			if taken, err = ipc.InheritedPipeReader(words[1]); err == nil {
				r = taken
				defer r.Close()
			}
			took(err)
		case "writer":
			var taken *ipc.PipeWriter
			if taken, err = ipc.InheritedPipeWriter(words[1]); err == nil {
				w = taken
				defer w.Close()
			}
			took(err)
		case "copy":
			if _, err := io.Copy(w, r); err != nil {
				return err
			}
			if err := r.SetDeadline(time.Now().Add(time.Hour)); err != nil { // it is as good as any other
				return err
			}
			fmt.Println("copied")
			w.Close()
		case "plain":
			fd, _ := strconv.Atoi(words[2])
			if words[1] == "write" {
				if _, err := syscall.Write(fd, []byte(words[3])); err != nil {
					return err
				}
				fmt.Println("written")
				continue
			}
			b := make([]byte, 100)
			n, err := syscall.Read(fd, b)
			if err != nil {
				return err
			}
			fmt.Printf("%q\n", b[:n])
		case "environment":
			count := 0
			for _, variable := range os.Environ() {
				if strings.HasPrefix(variable, "IPC_PIPE_") {
					count++
				}
			}
			fmt.Println(count)
		}
	}
	return nil
}

func TestPipesArePassedToAProcessByName(t *testing.T) {
	leakcheck.Start(t)
	theirR, ourW := newPipe(t, new(ipc.PipeConfig))
	ourR, theirW := newPipe(t, new(ipc.PipeConfig))
	plainR, plainW := newPipe(t, new(ipc.PipeConfig))
	var cmd *exec.Cmd
	p := startWith(t, nil, func(c *exec.Cmd) {
		cmd = c
		require.NoError(t, theirR.PassTo(c, "originals"))
		require.NoError(t, theirW.PassTo(c, "copies"))
		require.NoError(t, plainR.PassTo(c, "PLAIN"))
		_, flags := statusFlags(t, plainR)
		require.Zero(t, flags&syscall.O_NONBLOCK, "programs expect it so")
		for _, name := range []string{"", "a=b", "a\x00b"} {
			err := plainR.PassTo(c, name)
			require.ErrorIs(t, err, syscall.EINVAL)
			require.ErrorContains(t, err, fmt.Sprintf("pass ipc: %q cannot be the name of a pipe", name))
		}
	}, "pipes")
	require.Len(t, cmd.ExtraFiles, 3)
	require.Contains(t, cmd.Env, "IPC_PIPE_PLAIN=5")
	for _, end := range []io.Closer{theirR, theirW, plainR} { // they are the child's now
		require.NoError(t, end.Close())
	}
	for _, end := range []syscall.Conn{ourR, ourW, plainW} {
		_, flags := statusFlags(t, end)
		require.NotZero(t, flags&syscall.O_NONBLOCK, "ours are as they were")
	}
	p.order("environment")
	p.expect("3")
	for _, order := range []struct{ order, answer string }{
		{"reader absent", "absent"},
		{"writer absent", "absent"},
		{"reader copies", `inherit ipc: pipe "copies", descriptor "4": it is the other end of a pipe`},
		{"writer copies", "taken"},
		{"writer copies", "absent"},
		{"reader copies", "absent"},
	} {
		p.order("%s", order.order)
		p.expect(order.answer)
	}
	_, err := plainW.Write([]byte("plain"))
	require.NoError(t, err)
	p.order("plain read 5")
	p.expect(`"plain"`)
	require.NoError(t, plainW.Close())
	p.order("plain read 5") // it was the last one
	p.expect(`""`)
	p.end()

	_, err = ourR.Read(make([]byte, 1)) // and so was the child
	require.Equal(t, io.EOF, err)
	_, err = ourW.Write([]byte("x"))
	require.ErrorIs(t, err, syscall.EPIPE)
}

func TestPipesThatWerePassedCarryBothWays(t *testing.T) {
	leakcheck.Start(t)
	theirR, ourW := newPipe(t, new(ipc.PipeConfig))
	ourR, theirW := newPipe(t, new(ipc.PipeConfig))
	p := startWith(t, nil, func(c *exec.Cmd) {
		require.NoError(t, theirR.PassTo(c, "in"))
		require.NoError(t, theirW.PassTo(c, "out"))
	}, "pipes")
	require.NoError(t, theirR.Close())
	require.NoError(t, theirW.Close())
	p.order("reader in")
	p.expect("taken")
	p.order("writer out")
	p.expect("taken")
	p.order("environment")
	p.expect("0")
	p.order("copy")
	sent := random(3 << 20)
	ended := make(chan error)
	go func() {
		_, err := ourW.Write(sent)
		ended <- errors.Join(err, ourW.Close())
	}()
	got, err := io.ReadAll(ourR)
	require.NoError(t, err)
	require.NoError(t, <-ended)
	require.True(t, bytes.Equal(sent, got))
	p.expect("copied")
}

func TestVariableThatNamesNoPipeIsAnErrorThatSaysSo(t *testing.T) {
	leakcheck.Start(t)
	r, w := newPipe(t, new(ipc.PipeConfig))
	a, _ := pair(t)
	file := numbered(t, 1)[0]
	reader, _ := statusFlags(t, r)
	writer, _ := statusFlags(t, w)
	socket, _ := statusFlags(t, a)
	for value, want := range map[string]string{
		"":                                "not the number of a descriptor",
		"garbage":                         "not the number of a descriptor",
		"-1":                              "not the number of a descriptor",
		"3 ":                              "not the number of a descriptor",
		"99999999999":                     "not the number of a descriptor",
		"2000":                            "bad file descriptor",
		fmt.Sprint(writer):                "the other end of a pipe",
		fmt.Sprint(socket):                "it is no pipe",
		fmt.Sprint(descriptorOf(t, file)): "it is no pipe",
	} {
		t.Setenv("IPC_PIPE_x", value)
		_, err := ipc.InheritedPipeReader("x")
		require.ErrorContains(t, err, fmt.Sprintf("inherit ipc: pipe \"x\", descriptor %q: ", value))
		require.ErrorContains(t, err, want)
		if want != "bad file descriptor" {
			require.ErrorIs(t, err, syscall.EINVAL)
		}
	}
	t.Setenv("IPC_PIPE_x", fmt.Sprint(reader))
	_, err := ipc.InheritedPipeWriter("x")
	require.ErrorContains(t, err, "the other end of a pipe")
	for _, name := range []string{"", "a=b", "a\x00b"} {
		_, err = ipc.InheritedPipeReader(name)
		require.ErrorIs(t, err, syscall.EINVAL)
		_, err = ipc.InheritedPipeWriter(name)
		require.ErrorContains(t, err, fmt.Sprintf("%q cannot be the name of a pipe", name))
	}
	_, err = w.Write([]byte("still open"))
	require.NoError(t, err)
	_, err = a.Write([]byte("this, too"))
	require.NoError(t, err)
}

func TestEveryChildInheritsAnEndThatIsForThem(t *testing.T) {
	leakcheck.Start(t)
	for what, pc := range map[string]ipc.PipeConfig{"reader": {InheritReader: true}, "writer": {InheritWriter: true}} {
		r, w := newPipe(t, &pc)
		readFD, readFlags := statusFlags(t, r)
		writeFD, writeFlags := statusFlags(t, w)
		require.Equal(t, pc.InheritReader, readFlags&syscall.O_NONBLOCK == 0, what)
		require.Equal(t, pc.InheritWriter, writeFlags&syscall.O_NONBLOCK == 0, what)
		for range 2 {
			p := start(t, "pipes")
			if pc.InheritReader {
				requireCloseOnExec(t, w)
				_, err := w.Write([]byte("to a child"))
				require.NoError(t, err)
				p.order("plain read %d", readFD)
				p.expect(`"to a child"`)
				require.ErrorIs(t, r.SetDeadline(time.Now()), os.ErrNoDeadline)
				require.NoError(t, w.SetDeadline(time.Now().Add(time.Hour)))
			} else {
				requireCloseOnExec(t, r)
				p.order("plain write %d from a child", writeFD)
				p.expect("written")
				b := make([]byte, 100)
				n, err := r.Read(b)
				require.NoError(t, err)
				require.Equal(t, "from a child", string(b[:n]))
				require.ErrorIs(t, w.SetDeadline(time.Now()), os.ErrNoDeadline)
				require.NoError(t, r.SetDeadline(time.Now().Add(time.Hour)))
			}
			p.end()
		}
		command := fmt.Sprintf("echo from sh >/dev/fd/%d", writeFD)
		if pc.InheritReader {
			command = fmt.Sprintf("cat /dev/fd/%d", readFD)
		}
		cmd := exec.Command("sh", "-c", command)
		var output bytes.Buffer
		cmd.Stdout = &output
		require.NoError(t, cmd.Start())
		if pc.InheritReader {
			_, err := w.Write([]byte("to sh"))
			require.NoError(t, err)
			require.NoError(t, w.Close())
			require.NoError(t, cmd.Wait())
			require.Equal(t, "to sh", output.String())
		} else {
			require.NoError(t, w.Close())
			got, err := io.ReadAll(r)
			require.NoError(t, err)
			require.Equal(t, "from sh\n", string(got))
			require.NoError(t, cmd.Wait())
		}
	}

}

func TestEndThatIsForChildrenIsNotUsedHere(t *testing.T) {
	leakcheck.Start(t)
	b := make([]byte, 1)
	for _, pass := range []bool{false, true} {
		r, w := newPipe(t, &ipc.PipeConfig{InheritReader: !pass, InheritWriter: !pass})
		if pass {
			cmd := exec.Command("true")
			require.NoError(t, r.PassTo(cmd, "r"))
			require.NoError(t, w.PassTo(cmd, "w"))
			err := w.PassTo(cmd, "r")
			require.ErrorIs(t, err, syscall.EINVAL)
			require.ErrorContains(t, err, "IPC_PIPE_r is set already")
		}
		_, err := r.Read(b)
		require.ErrorIs(t, err, syscall.EINVAL)
		require.ErrorContains(t, err, "for child processes")
		_, err = r.ReadBuffers([][]byte{b})
		require.ErrorIs(t, err, syscall.EINVAL)
		_, err = w.Write(b)
		require.ErrorIs(t, err, syscall.EINVAL)
		_, err = w.WriteBuffers([][]byte{b})
		require.ErrorIs(t, err, syscall.EINVAL)
		require.ErrorIs(t, r.SetDeadline(time.Now()), os.ErrNoDeadline)
		require.ErrorIs(t, w.SetWriteDeadline(time.Now()), os.ErrNoDeadline)
		require.NoError(t, r.Close())
		require.NoError(t, w.Close())
		_, err = r.Read(b)
		require.ErrorIs(t, err, net.ErrClosed)
	}
}

func TestFileOfAPipeEndOutlivesIt(t *testing.T) {
	leakcheck.Start(t)
	r, w := newPipe(t, new(ipc.PipeConfig))
	started := exec.Command("true")
	require.NoError(t, started.Run())
	err := w.PassTo(started, "late")
	require.ErrorIs(t, err, syscall.EINVAL)
	require.ErrorContains(t, err, "started already")
	f, err := w.File()
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, w.Close())
	_, err = fmt.Fprint(f, "from the file")
	require.NoError(t, err)
	require.NoError(t, f.Close())
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, "from the file", string(got))
}

func TestFilesOfPipesAreTakenAsTheEndThatTheyAre(t *testing.T) {
	leakcheck.Start(t)
	plainR, plainW, err := os.Pipe()
	require.NoError(t, err)
	defer plainR.Close()
	defer plainW.Close()
	r, err := ipc.FilePipeReader(plainR)
	require.NoError(t, err)
	defer r.Close()
	w, err := ipc.FilePipeWriter(plainW)
	require.NoError(t, err)
	defer w.Close()
	requireCloseOnExec(t, r)
	requireCloseOnExec(t, w)
	_, err = w.Write([]byte("through both"))
	require.NoError(t, err)
	b := make([]byte, 100)
	n, err := r.Read(b)
	require.NoError(t, err)
	require.Equal(t, "through both", string(b[:n]))
	require.NoError(t, r.SetDeadline(time.Now().Add(5*time.Millisecond)))
	_, err = r.Read(b)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, w.Close())
	_, err = plainW.WriteString("it stays the caller's")
	require.NoError(t, err)
	require.NoError(t, r.Close())
	n, err = plainR.Read(b)
	require.NoError(t, err)
	require.Equal(t, "it stays the caller's", string(b[:n]))

	a, _ := pair(t)
	socket, err := a.File()
	require.NoError(t, err)
	defer socket.Close()
	closed, err := os.Open(os.DevNull)
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	before := descriptors()
	for what, f := range map[string]*os.File{
		"other end": plainW, "socket": socket, "file": numbered(t, 1)[0], "closed": closed, "nil": nil,
	} {
		_, err := ipc.FilePipeReader(f)
		require.ErrorContains(t, err, "file ipc", what)
		if what == "other end" {
			f = plainR
		}
		_, err = ipc.FilePipeWriter(f)
		require.ErrorContains(t, err, "file ipc", what)
	}
	require.Equal(t, before+1, descriptors()) // the file that was opened here
}
