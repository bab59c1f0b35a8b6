//go:build unix

package tests

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// newFIFO makes a FIFO in a directory of the test's own, and returns its path.
func newFIFO(t *testing.T) string {
	t.Helper()
	path := filepath.Join(leakcheck.Dir(t), "fifo")
	require.NoError(t, ipc.CreateFIFO(path, 0))
	return path
}

// fifoWriterChild answers "open PATH" with "open" or "not permitted", "write TEXT" with "written", and "close" with
// "closed".
func fifoWriterChild(_ []string, orders *bufio.Scanner) error {
	var w *ipc.PipeWriter
	for orders.Scan() {
		order, text, _ := strings.Cut(orders.Text(), " ")
		var err error
		switch order {
		case "open":
			w, err = ipc.OpenFIFOWriter(context.Background(), text)
			if errors.Is(err, fs.ErrPermission) {
				fmt.Println("not permitted")
				continue
			}
			fmt.Println("open")
		case "write":
			_, err = w.Write([]byte(text))
			fmt.Println("written")
		case "close":
			err = w.Close()
			fmt.Println("closed")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func TestFIFOHasTheModeThatWasAskedFor(t *testing.T) {
	leakcheck.Start(t)
	defer syscall.Umask(syscall.Umask(0o077))
	dir := leakcheck.Dir(t)
	for _, mode := range []fs.FileMode{0, 0o600, 0o666, 0o777, 0o200} {
		path := filepath.Join(dir, fmt.Sprint(mode))
		require.NoError(t, ipc.CreateFIFO(path, mode))
		info, err := os.Lstat(path)
		require.NoError(t, err)
		if mode == 0 {
			mode = 0o600
		}
		require.Equal(t, fs.ModeNamedPipe|mode, info.Mode())
	}
}

func TestFIFOThatCannotBeMadeSaysWhy(t *testing.T) {
	leakcheck.Start(t)
	dir := leakcheck.Dir(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, ipc.CreateFIFO(in("fifo"), 0))
	require.NoError(t, os.WriteFile(in("file"), nil, 0o600))
	require.NoError(t, os.Symlink(in("fifo"), in("link")))
	require.NoError(t, os.Symlink(in("nowhere"), in("dangling")))
	for _, c := range []struct {
		path string
		mode fs.FileMode
		want error
		text string
	}{
		{in("fifo"), 0, fs.ErrExist, "file exists"},
		{in("file"), 0, fs.ErrExist, "is no FIFO"},
		{in("link"), 0, fs.ErrExist, "is no FIFO"},
		{in("dangling"), 0, fs.ErrExist, "is no FIFO"},
		{dir, 0, fs.ErrExist, "is no FIFO"},
		{in("absent/fifo"), 0, fs.ErrNotExist, "no such file"},
		{in("file/fifo"), 0, fs.ErrNotExist, "not a directory"},
		{in("x"), 0o1777, syscall.EINVAL, "permission bits"},
		{in("x"), fs.ModeDir | 0o700, syscall.EINVAL, "permission bits"},
		{"", 0, syscall.EINVAL, "empty path"},
		{in("a\x00b"), 0, syscall.EINVAL, "NUL"},
		{in(strings.Repeat("x", 1000)), 0, syscall.ENAMETOOLONG, "name too long"},
	} {
		err := ipc.CreateFIFO(c.path, c.mode)
		require.ErrorIs(t, err, c.want, c.path)
		require.ErrorContains(t, err, c.text, c.path)
		require.ErrorContains(t, err, strings.TrimSpace("mkfifo ipc "+c.path))
		if c.text == "file exists" {
			require.NotContains(t, err.Error(), "is no FIFO")
		}
	}
	require.NoFileExists(t, in("x"))
	require.NoFileExists(t, in("a"))
}

// openFIFO opens either end.
var openFIFO = map[string]func(ctx context.Context, path string) (io.Closer, error){
	"openFIFOReader": func(ctx context.Context, path string) (io.Closer, error) {
		r, err := ipc.OpenFIFOReader(ctx, path)
		return r, err
	},
	"openFIFOWriter": func(ctx context.Context, path string) (io.Closer, error) {
		w, err := ipc.OpenFIFOWriter(ctx, path)
		return w, err
	},
}

func TestWhatIsNoFIFOIsNotOpened(t *testing.T) {
	leakcheck.Start(t)
	dir := leakcheck.Dir(t)
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, []byte("content"), 0o600))
	socket := newPath(t)
	listen(t, socket)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for method, open := range openFIFO {
		for path, want := range map[string]error{
			file: fs.ErrExist, dir: fs.ErrExist, os.DevNull: fs.ErrExist, socket.String(): fs.ErrExist,
			filepath.Join(dir, "absent"): fs.ErrNotExist, "": syscall.EINVAL, "a\x00b": syscall.EINVAL,
		} {
			_, err := open(t.Context(), path)
			require.ErrorIs(t, err, want, "%s %s", method, path)
			require.ErrorContains(t, err, strings.TrimSpace("open ipc "+path), method)
			if want == fs.ErrExist {
				require.ErrorContains(t, err, "is no FIFO")
			}
		}
		_, err := open(ended, newFIFO(t))
		require.ErrorIs(t, err, context.Canceled, method)
	}
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "content", string(content))
}

func TestFIFOOfAnotherUserIsNotPermitted(t *testing.T) {
	leakcheck.Start(t)
	p := startAs(t, anotherUser(t), "fifo writer")
	path := newFIFO(t)
	require.NoError(t, os.Chmod(filepath.Dir(path), 0o755))
	p.order("open %s", path)
	p.expect("not permitted")
}

func TestOpeningAFIFOWaitsUntilTheContextEnds(t *testing.T) {
	leakcheck.Start(t)
	for method, open := range openFIFO {
		path := newFIFO(t)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			_, err := open(ctx, path)
			ended <- err
		}()
		waitsIn(t, method)
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled, method)
		ctx, cancel = context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		_, err := open(ctx, path)
		require.ErrorIs(t, err, context.DeadlineExceeded, method)
		require.ErrorContains(t, err, "open ipc "+path)
	}
}

func TestSilentWriterIsWaitedForAndIsNotTheEnd(t *testing.T) {
	leakcheck.Start(t)
	path := newFIFO(t)
	p := start(t, "fifo writer")
	p.order("open %s", path)
	r, err := ipc.OpenFIFOReader(t.Context(), path) // it has written nothing
	require.NoError(t, err)
	defer r.Close()
	p.expect("open")
	requireCloseOnExec(t, r)
	b := make([]byte, 100)
	for _, after := range []time.Duration{-time.Second, 10 * time.Millisecond} {
		require.NoError(t, r.SetReadDeadline(time.Now().Add(after)))
		_, err = r.Read(b)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.ErrorContains(t, err, "read ipc "+path)
	}
	require.NoError(t, r.SetReadDeadline(time.Time{}))
	p.order("write hello")
	n, err := r.Read(b)
	require.NoError(t, err)
	require.Equal(t, "hello", string(b[:n]))
	p.expect("written")

	for range 3 { // gone, and back again
		p.order("close")
		p.expect("closed")
		_, err = r.Read(b)
		require.True(t, err == io.EOF, "%v", err)
		_, err = r.Read(b)
		require.True(t, err == io.EOF, "%v", err)
		p.order("open %s", path)
		p.expect("open")
		require.NoError(t, r.SetReadDeadline(time.Now().Add(5*time.Millisecond)))
		_, err = r.Read(b)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NoError(t, r.SetReadDeadline(time.Time{}))
		got := make(chan string)
		go func() {
			n, err := r.Read(b)
			got <- fmt.Sprint(string(b[:n]), err)
		}()
		waitsIn(t, "read")
		p.order("write again")
		require.Equal(t, "again<nil>", <-got)
		p.expect("written")
	}
	p.kill()
	_, err = r.Read(b)
	require.True(t, err == io.EOF, "%v", err)
	require.NoError(t, r.Close())
	_, err = r.Read(b)
	require.ErrorIs(t, err, net.ErrClosed)
	require.ErrorContains(t, err, "read ipc "+path)
}

func TestFIFOCarriesBetweenAnyPrograms(t *testing.T) {
	leakcheck.Start(t)
	path := newFIFO(t)
	sent := random(1 << 20)
	cat := exec.Command("cat", path)
	var output bytes.Buffer
	cat.Stdout = &output
	require.NoError(t, cat.Start())
	w, err := ipc.OpenFIFOWriter(t.Context(), path)
	require.NoError(t, err)
	requireCloseOnExec(t, w)
	_, err = w.Write(sent)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, cat.Wait())
	require.True(t, bytes.Equal(sent, output.Bytes()))

	cat = exec.Command("sh", "-c", `exec cat >"$0"`, path)
	cat.Stdin = bytes.NewReader(sent)
	require.NoError(t, cat.Start())
	r, err := ipc.OpenFIFOReader(t.Context(), path)
	require.NoError(t, err)
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.NoError(t, cat.Wait())
	require.True(t, bytes.Equal(sent, got))

	cat = exec.Command("cat", path) // the reader will be gone
	require.NoError(t, cat.Start())
	w, err = ipc.OpenFIFOWriter(t.Context(), path)
	require.NoError(t, err)
	defer w.Close()
	require.NoError(t, cat.Process.Kill())
	cat.Wait()
	_, err = w.Write([]byte("x"))
	require.ErrorIs(t, err, syscall.EPIPE)
	require.ErrorContains(t, err, "write ipc "+path)
}
