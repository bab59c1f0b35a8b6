//go:build unix

package tests

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/stretchr/testify/require"
)

// anyConn has the methods of all kinds of connection: each carries files and other ancillary data.
type anyConn interface {
	syscall.Conn
	SendMessage(*ipc.Message) (int, error)
	ReceiveMessage(*ipc.Message) (int, error)
	PeekMessage(*ipc.Message) (int, error)
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
	_ anyConn = (*ipc.Conn)(nil)
	_ anyConn = (*ipc.MessageConn)(nil)
	_ anyConn = (*ipc.DatagramConn)(nil)
)

// A kind of connection.
type kind struct {
	name  string
	pair  func() (a, b anyConn, err error)
	adopt func(*os.File) (anyConn, error)
	zero  anyConn
}

var kinds = []kind{
	{
		"stream",
		func() (anyConn, anyConn, error) { return ipc.Pair() },
		func(f *os.File) (anyConn, error) { return ipc.FileConn(f) },
		new(ipc.Conn),
	}, {
		"message",
		func() (anyConn, anyConn, error) { return ipc.MessagePair() },
		func(f *os.File) (anyConn, error) { return ipc.FileMessageConn(f) },
		new(ipc.MessageConn),
	}, {
		"datagram",
		func() (anyConn, anyConn, error) { return ipc.DatagramPair() },
		func(f *os.File) (anyConn, error) { return ipc.FileDatagramConn(f) },
		new(ipc.DatagramConn),
	},
}

// eachKind runs a test with each kind that the system has.
func eachKind(t *testing.T, test func(t *testing.T, k kind)) {
	t.Helper()
	for _, k := range kinds {
		if k.name == "message" && runtime.GOOS == "darwin" {
			continue
		}
		t.Run(k.name, func(t *testing.T) { test(t, k) })
	}
}

// newPair returns two connected ends, which are closed when the test ends.
func (k kind) newPair(t *testing.T) (a, b anyConn) {
	t.Helper()
	a, b, err := k.pair()
	require.NoError(t, err)
	t.Cleanup(func() {
		a.Close()
		b.Close()
	})
	return a, b
}

// start runs a child that has the other end of c.
func (k kind) start(t *testing.T, user *syscall.Credential, name string) (p *process, c anyConn) {
	t.Helper()
	c, theirs := k.newPair(t)
	f, err := theirs.File()
	require.NoError(t, err)
	defer f.Close()
	p = startWith(t, func(cmd *exec.Cmd) {
		as(t, user)(cmd)
		cmd.ExtraFiles = []*os.File{f}
	}, name, k.name)
	require.NoError(t, theirs.Close())
	return p, c
}

// requireNumbered requires that files are those of [numbered], close-on-exec and in order, and closes them.
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

// watched returns the writing end of a pipe as a file to send, and the reading end, which reaches its end once no
// process has the file open.
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

// requireClosedEverywhere requires that no process has the watched file open.
func requireClosedEverywhere(t *testing.T, watch *os.File) {
	t.Helper()
	require.NoError(t, watch.SetReadDeadline(time.Now().Add(patience)))
	_, err := watch.Read(make([]byte, 1))
	require.Equal(t, io.EOF, err)
}

// fillConn sends until there is no more room.
func fillConn(t *testing.T, c anyConn) {
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

// drain receives until a message with files comes, and returns the files.
func drain(t *testing.T, c anyConn) []*os.File {
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
