//go:build unix

package tests

import (
	"bytes"
	"io"
	"net"
	"os"
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
	ourName, path := nameOf(t, ours.LocalAddr()), newPath(t)
	theirs, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path.String(), Net: "unixgram"})
	require.NoError(t, err)
	defer os.Remove(path.String()) // net leaves it there
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

func TestUnixpacketOfNetTalksToMessageConn(t *testing.T) {
	leakcheck.Start(t)
	messagePair(t)
	ours, theirs := newPath(t), newPath(t)
	l, err := ipc.ListenMessage(ours)
	require.NoError(t, err)
	defer l.Close()
	netListener, err := net.Listen("unixpacket", theirs.String())
	require.NoError(t, err)
	defer netListener.Close()

	netClient, err := net.Dial("unixpacket", ours.String())
	require.NoError(t, err)
	defer netClient.Close()
	server := accept(t, l)
	client, err := ipc.DialMessage(t.Context(), theirs)
	require.NoError(t, err)
	defer client.Close()
	netServer, err := netListener.Accept()
	require.NoError(t, err)
	defer netServer.Close()

	for _, pair := range []struct {
		ours   *ipc.MessageConn
		theirs net.Conn
	}{{server, netClient}, {client, netServer}} {
		for _, size := range []int{1, 4096, 100_000} {
			sent, got := random(size), make([]byte, 200_000)
			require.NoError(t, pair.ours.Send(sent))
			n, err := pair.theirs.Read(got)
			require.NoError(t, err)
			require.True(t, bytes.Equal(sent, got[:n]))
			_, err = pair.theirs.Write(sent)
			require.NoError(t, err)
			n, err = pair.ours.Receive(got)
			require.NoError(t, err)
			require.True(t, bytes.Equal(sent, got[:n]))
		}
		require.NoError(t, pair.theirs.Close())
		_, err = pair.ours.Receive(make([]byte, 1))
		require.Equal(t, io.EOF, err)
	}
}
