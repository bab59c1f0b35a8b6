//go:build unix

package tests

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/facility"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// passCredentials asks for credentials. Where the system has none it requires an error that says so, and skips the
// rest.
func passCredentials(t *testing.T, c interface{ SetPassCredentials(bool) error }) {
	t.Helper()
	err := c.SetPassCredentials(true)
	switch runtime.GOOS {
	case "linux", "freebsd", "netbsd":
		require.NoError(t, err)
	default:
		require.ErrorIs(t, err, errors.ErrUnsupported)
		require.ErrorContains(t, err, "set ipc")
		facility.Missing(t, "SO_PASSCRED, LOCAL_CREDS_PERSISTENT or LOCAL_CREDS")
	}
}

// sender receives a message, and returns its text and its sender.
func sender(t *testing.T, c anyConn) (text string, credentials ipc.Credentials) {
	t.Helper()
	credentials = ipc.Credentials{PID: 1, UID: 2, GID: 3, Groups: []int{4}, SID: "5"}
	m := ipc.Message{Buffers: [][]byte{make([]byte, 100)}, Credentials: &credentials}
	n, err := c.ReceiveMessage(&m)
	require.NoError(t, err)
	return string(m.Buffers[0][:n]), credentials
}

var (
	own     = ipc.Credentials{PID: os.Getpid(), UID: os.Geteuid(), GID: os.Getegid()}
	unknown = ipc.Credentials{PID: -1, UID: -1, GID: -1}
)

// of returns the credentials of a process of a user (nil: this one).
func of(p *process, user *syscall.Credential) ipc.Credentials {
	if user == nil {
		return ipc.Credentials{PID: p.cmd.Process.Pid, UID: os.Geteuid(), GID: os.Getegid()}
	}
	return ipc.Credentials{PID: p.cmd.Process.Pid, UID: int(user.Uid), GID: int(user.Gid)}
}

func TestCredentialsComeIfTheyWereAskedFor(t *testing.T) {
	leakcheck.Start(t)
	eachKind(t, func(t *testing.T, k kind) {
		a, b := k.newPair(t)
		if k.name != "message" || !onLinux { // a MessageConn always gets them on Linux
			_, err := a.SendFiles([]byte("early"))
			require.NoError(t, err)
			_, credentials := sender(t, b)
			require.Equal(t, unknown, credentials)
			_, err = a.SendFiles([]byte("early"))
			require.NoError(t, err)
			passCredentials(t, b)
			_, credentials = sender(t, b)
			require.Equal(t, unknown, credentials, "it was sent before they were asked for")
		}
		passCredentials(t, b)
		_, err := a.SendFiles([]byte("with"))
		require.NoError(t, err)
		_, err = a.SendFiles([]byte("without"))
		require.NoError(t, err)
		text, credentials := sender(t, b)
		require.Contains(t, text, "with")
		require.Equal(t, own, credentials)
		require.NoError(t, b.SetPassCredentials(false))
	})
}

func TestSenderOfATruncatedMessageIsReported(t *testing.T) {
	leakcheck.Start(t)
	eachKind(t, func(t *testing.T, k kind) {
		a, b := k.newPair(t)
		passCredentials(t, b)
		stale := ipc.Credentials{PID: 1, UID: 2, GID: 3}
		m := ipc.Message{Buffers: [][]byte{make([]byte, 2)}, Credentials: &stale}
		if k.name != "stream" {
			_, err := a.SendFiles([]byte("xyz"))
			require.NoError(t, err)
			_, err = b.ReceiveMessage(&m)
			require.ErrorIs(t, err, ipc.ErrTruncated)
			require.Equal(t, own, stale)
		}
		stale = ipc.Credentials{PID: 1, UID: 2, GID: 3}
		_, err := a.SendFiles([]byte("x"), os.Stdin, os.Stdin)
		require.NoError(t, err)
		m.MaxFiles = 1
		_, err = b.ReceiveMessage(&m)
		require.ErrorIs(t, err, ipc.ErrFilesLost)
		require.Equal(t, own, stale)
		require.NoError(t, a.Close())
		if k.name != "datagram" {
			_, err = b.ReceiveMessage(&m)
			require.Equal(t, io.EOF, err)
			require.Equal(t, unknown, stale, "nothing of what was there before is taken for the sender's")
		}
	})
}

func TestCredentialsAreThoseOfTheSendingProcess(t *testing.T) {
	leakcheck.Start(t)
	eachKind(t, func(t *testing.T, k kind) {
		for _, user := range []*syscall.Credential{nil, unprivileged(t)} {
			p, c := k.start(t, user, "ancillary") // this process made the sockets themselves
			passCredentials(t, c)
			p.order("send hello")
			p.expect("sent")
			text, credentials := sender(t, c)
			require.Equal(t, "hello", text)
			require.Equal(t, of(p, user), credentials)
		}
	})
}

func TestWhatAListenerAcceptsPassesCredentialsAsItDoes(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	l := listen(t, name)
	passCredentials(t, l)
	c := dial(t, name)
	_, err := c.Write([]byte("before it is accepted"))
	require.NoError(t, err)
	accepted := accept(t, l)
	text, credentials := sender(t, accepted)
	require.Equal(t, "before it is accepted", text)
	require.Equal(t, own, credentials)
	require.NoError(t, l.SetPassCredentials(false))
	c = dial(t, name)
	_, err = c.Write([]byte("x"))
	require.NoError(t, err)
	accepted = accept(t, l)
	_, credentials = sender(t, accepted)
	require.Equal(t, unknown, credentials)
	require.NoError(t, l.Close())
	require.ErrorIs(t, l.SetPassCredentials(true), net.ErrClosed)
}

func TestCredentialsThatAreGivenAreVouchedForOrRefused(t *testing.T) {
	leakcheck.Start(t)
	eachKind(t, func(t *testing.T, k kind) {
		a, b := k.newPair(t)
		given := own
		_, err := a.SendMessage(&ipc.Message{Buffers: [][]byte{[]byte("x")}, Credentials: &given})
		if !onLinux {
			require.ErrorIs(t, err, errors.ErrUnsupported)
			return
		}
		require.NoError(t, err)
		_, _ = sender(t, b)
		passCredentials(t, b)
		for _, given := range []ipc.Credentials{own, unknown} { // unknown stands for the true ones
			_, err := a.SendMessage(&ipc.Message{Buffers: [][]byte{[]byte("x")}, Credentials: &given})
			require.NoError(t, err)
			_, credentials := sender(t, b)
			require.Equal(t, own, credentials)
		}
		if os.Geteuid() == 0 { // root may claim any user
			given := ipc.Credentials{PID: -1, UID: 1234, GID: 4321}
			_, err := a.SendMessage(&ipc.Message{Buffers: [][]byte{[]byte("x")}, Credentials: &given})
			require.NoError(t, err)
			_, credentials := sender(t, b)
			require.Equal(t, ipc.Credentials{PID: os.Getpid(), UID: 1234, GID: 4321}, credentials)
		} else {
			given := ipc.Credentials{PID: -1, UID: 0, GID: -1}
			_, err := a.SendMessage(&ipc.Message{Buffers: [][]byte{[]byte("x")}, Credentials: &given})
			require.ErrorIs(t, err, os.ErrPermission)
		}
		p, c := k.start(t, unprivileged(t), "ancillary")
		p.order("claim 1 0 0")
		p.expect("refused")
		require.NoError(t, c.Close())
	})
}

func TestPIDFDsAreLinuxsAlone(t *testing.T) {
	leakcheck.Start(t)
	if onLinux {
		return
	}
	eachKind(t, func(t *testing.T, k kind) {
		a, _ := k.newPair(t)
		require.ErrorIs(t, a.SetPassPIDFD(true), errors.ErrUnsupported)
		_, err := a.PeerPIDFD()
		require.ErrorIs(t, err, errors.ErrUnsupported)
	})
}
