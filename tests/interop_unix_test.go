//go:build unix

package tests

import (
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestNetDialsIpc(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	go serveEcho(listen(t, name))
	c, err := net.Dial("unix", name.String())
	require.NoError(t, err)
	defer c.Close()
	requireEcho(t, c)
}

func TestIpcDialsNet(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	l, err := net.Listen("unix", name.String())
	require.NoError(t, err)
	defer l.Close()
	go serveEcho(l)
	requireEcho(t, dial(t, name))
}

func TestNetPassesFilesBothWays(t *testing.T) {
	leakcheck.Start(t)
	files := numbered(t, 3)
	rights := syscall.UnixRights(descriptorOf(t, files[0]), descriptorOf(t, files[1]), descriptorOf(t, files[2]))
	eachKind(t, func(t *testing.T, k kind) {
		ours, other := k.newPair(t)
		f, err := other.File()
		require.NoError(t, err)
		defer f.Close()
		c, err := net.FileConn(f)
		require.NoError(t, err)
		defer c.Close()
		theirs := c.(*net.UnixConn)

		_, _, err = theirs.WriteMsgUnix([]byte("from net"), rights, nil)
		require.NoError(t, err)
		m := ipc.Message{Buffers: [][]byte{make([]byte, 100)}, MaxFiles: 5}
		n, err := ours.ReceiveMessage(&m)
		require.NoError(t, err)
		require.Equal(t, "from net", string(m.Buffers[0][:n]))
		requireNumbered(t, m.Files, 3)

		_, err = ours.SendFiles([]byte("to net"), files...)
		require.NoError(t, err)
		b, control := make([]byte, 100), make([]byte, 1000)
		n, controlLength, _, _, err := theirs.ReadMsgUnix(b, control)
		require.NoError(t, err)
		require.Equal(t, "to net", string(b[:n]))
		var got []*os.File
		messages, err := syscall.ParseSocketControlMessage(control[:controlLength])
		require.NoError(t, err)
		for _, message := range messages {
			fds, err := syscall.ParseUnixRights(&message)
			if err != nil {
				continue // the credentials that a MessageConn passes on Linux
			}
			for _, fd := range fds {
				syscall.CloseOnExec(fd)
				got = append(got, os.NewFile(uintptr(fd), "received"))
			}
		}
		requireNumbered(t, got, 3)
	})
}

func TestUnixgramOfNetTalksToDatagramConn(t *testing.T) {
	leakcheck.Start(t)
	ours := listenDatagram(t, newPath(t))
	ourName, path := ours.LocalAddr().(ipc.Name), newPath(t)
	theirs, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path.String(), Net: "unixgram"})
	require.NoError(t, err)
	defer os.Remove(path.String()) // which net leaves there
	defer theirs.Close()
	b := make([]byte, 100)
	for range 2 {
		_, err = theirs.WriteTo([]byte("from net"), &net.UnixAddr{Name: ourName.String(), Net: "unixgram"})
		require.NoError(t, err)
		requireDatagram(t, ours, "from net", path)
		require.NoError(t, ours.SendTo([]byte("to net"), path))
		n, from, err := theirs.ReadFrom(b)
		require.NoError(t, err)
		require.Equal(t, "to net", string(b[:n]))
		require.Equal(t, ourName.String(), from.String())
		_, err = ours.WriteTo(nil, &net.UnixAddr{Name: path.String(), Net: "unixgram"})
		require.NoError(t, err)
		n, _, err = theirs.ReadFrom(b)
		require.NoError(t, err)
		require.Zero(t, n)
	}
	dialled, err := net.Dial("unixgram", ourName.String())
	require.NoError(t, err)
	defer dialled.Close()
	_, err = dialled.Write([]byte("from nobody"))
	require.NoError(t, err)
	requireDatagram(t, ours, "from nobody", ipc.Name{})
	require.NoError(t, ours.Connect(path))
	_, err = ours.Write([]byte("connected"))
	require.NoError(t, err)
	n, err := theirs.Read(b)
	require.NoError(t, err)
	require.Equal(t, "connected", string(b[:n]))
}

func TestFilesCarryConnectionsAndListeners(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	l := listen(t, name)
	f, err := l.File()
	require.NoError(t, err)
	again, err := ipc.FileListener(f)
	require.NoError(t, err)
	require.Equal(t, name, again.Addr())
	stdlib, err := net.FileListener(f) // and in the standard library
	require.NoError(t, err)
	require.NoError(t, f.Close())
	for _, acceptor := range []net.Listener{l, again, stdlib} {
		c := dial(t, name)
		accepted, err := acceptor.Accept()
		require.NoError(t, err)
		f, err := c.File()
		require.NoError(t, err)
		require.NoError(t, c.Close())
		c, err = ipc.FileConn(f)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		require.Equal(t, name, c.RemoteAddr())
		go func() {
			defer accepted.Close()
			io.Copy(accepted, accepted)
		}()
		requireEcho(t, c)
		require.NoError(t, c.Close())
	}
	stdlib.(*net.UnixListener).SetUnlinkOnClose(false)
	require.NoError(t, stdlib.Close())
	require.NoError(t, again.Close())
	require.FileExists(t, name.String(), "an adopted listener removes nothing")
	require.NoError(t, l.Close())
	require.NoFileExists(t, name.String())
}

func TestFilesThatAreNotOfTheKindAreRefused(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	listening, err := listen(t, name).File()
	require.NoError(t, err)
	defer listening.Close()
	a, _ := pair(t)
	connected, err := a.File()
	require.NoError(t, err)
	defer connected.Close()
	plain, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer plain.Close()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	defer w.Close()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer tcp.Close()
	foreign, err := tcp.(*net.TCPListener).File()
	require.NoError(t, err)
	defer foreign.Close()
	closed, err := os.Open(os.DevNull)
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	for what, f := range map[string]*os.File{"listener": listening, "file": plain, "pipe": r, "tcp": foreign, "closed": closed} {
		_, err := ipc.FileConn(f)
		require.ErrorContains(t, err, "file ipc", what)
		want := map[bool]error{true: os.ErrClosed, false: syscall.ENOTSOCK}[what == "closed"]
		require.ErrorIs(t, err, want, what)
	}
	for what, f := range map[string]*os.File{"conn": connected, "file": plain, "pipe": r, "tcp": foreign, "closed": closed} {
		_, err := ipc.FileListener(f)
		require.ErrorContains(t, err, "file ipc", what)
	}
	_, err = ipc.FileConn(nil)
	require.ErrorIs(t, err, os.ErrInvalid)
}

func TestPeerCredentialsAreThoseOfThePeerProcess(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	server := start(t, "echo", name.String())
	server.expect("listening")
	c := dial(t, name)
	credentials, err := c.PeerCredentials()
	require.NoError(t, err)
	require.Equal(t, server.cmd.Process.Pid, credentials.PID)
	require.Equal(t, os.Geteuid(), credentials.UID)
	require.Equal(t, os.Getegid(), credentials.GID)
	require.Empty(t, credentials.SID)
	groups, err := os.Getgroups()
	require.NoError(t, err)
	if onLinux || runtime.GOOS == "darwin" || runtime.GOOS == "freebsd" {
		require.Subset(t, append(groups, os.Getegid()), credentials.Groups)
	}
	if onLinux {
		slices.Sort(groups)
		require.ElementsMatch(t, groups, credentials.Groups)
	}

	a, _ := pair(t)
	credentials, err = a.PeerCredentials()
	require.NoError(t, err)
	require.Equal(t, os.Getpid(), credentials.PID)
	require.NoError(t, a.Close())
	_, err = a.PeerCredentials()
	require.ErrorIs(t, err, net.ErrClosed)
}

func TestPeerCredentialsOfAnotherUser(t *testing.T) {
	leakcheck.Start(t)
	user := anotherUser(t)
	user.Groups = make([]uint32, 100) // more than one call to the kernel takes at first
	for i := range user.Groups {
		user.Groups[i] = uint32(70_000 + i)
	}
	name := newPath(t)
	require.NoError(t, os.Chmod(strings.TrimSuffix(name.String(), "/s"), 0o755))
	lc := ipc.ListenConfig{Mode: 0o666}
	l, err := lc.Listen(t.Context(), name)
	require.NoError(t, err)
	defer l.Close()
	client := startAs(t, user, "stat")
	client.order("%s", name)
	c, err := l.AcceptConn(t.Context())
	require.NoError(t, err)
	credentials, err := c.PeerCredentials()
	require.NoError(t, err)
	require.NoError(t, c.Close())
	client.expect("EOF")
	require.Equal(t, client.cmd.Process.Pid, credentials.PID)
	require.Equal(t, int(user.Uid), credentials.UID)
	require.Equal(t, int(user.Gid), credentials.GID)
	if onLinux {
		require.Len(t, credentials.Groups, 100)
		require.Equal(t, 70_000, slices.Min(credentials.Groups))
	}
}
