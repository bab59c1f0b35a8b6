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
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// receiverChild receives datagrams on NAME, and answers "listening"; and "drain COUNT" with "drained", once so many
// have come, in order.
func receiverChild(args []string, orders *bufio.Scanner) error {
	name, err := ipc.ParseName(args[0])
	if err != nil {
		return err
	}
	c, err := ipc.ListenDatagram(name)
	if err != nil {
		return err
	}
	defer c.Close()
	fmt.Println("listening")
	b := make([]byte, 1000)
	for orders.Scan() {
		var count int
		if _, err := fmt.Sscanf(orders.Text(), "drain %d", &count); err != nil {
			return err
		}
		for i := range count {
			n, err := c.Receive(b)
			if err != nil {
				return err
			}
			if string(b[:n]) != fmt.Sprint(i) {
				return fmt.Errorf("%q came instead of %d", b[:n], i)
			}
		}
		fmt.Println("drained")
	}
	return nil
}

// listenDatagram returns a bound socket, which is closed when the test ends.
func listenDatagram(t *testing.T, name ipc.Name) *ipc.DatagramConn {
	t.Helper()
	c, err := ipc.ListenDatagram(name)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// openDatagram returns a socket without a name, which is closed when the test ends.
func openDatagram(t *testing.T) *ipc.DatagramConn {
	t.Helper()
	c, err := ipc.OpenDatagram()
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// dialDatagram returns a connected socket, which is closed when the test ends.
func dialDatagram(t *testing.T, name ipc.Name) *ipc.DatagramConn {
	t.Helper()
	c, err := ipc.DialDatagram(name)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// requireDatagram requires the next datagram to have that text and that sender.
func requireDatagram(t *testing.T, c *ipc.DatagramConn, text string, from ipc.Name) {
	t.Helper()
	b := make([]byte, len(text)+1)
	n, peer, err := c.ReceiveFrom(b)
	require.NoError(t, err)
	require.Equal(t, text, string(b[:n]))
	require.Equal(t, from, peer)
}

func TestDatagramsAreAnsweredByTheirSendersName(t *testing.T) {
	leakcheck.Start(t)
	for _, names := range [][2]ipc.Name{{newPath(t), newPath(t)}, {newNamespaced(t), newNamespaced(t)}} {
		server, client := listenDatagram(t, names[0]), listenDatagram(t, names[1])
		require.Equal(t, names[0], nameOf(t, server.LocalAddr()))
		require.Equal(t, ipc.Name{}, nameOf(t, server.RemoteAddr()))
		for i := range 3 {
			require.NoError(t, client.SendTo(fmt.Append(nil, "question ", i), names[0]))
			b := make([]byte, 100)
			n, peer, err := server.ReceiveFrom(b)
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint("question ", i), string(b[:n]))
			if abstract() || names[1].Type() == ipc.PathNames {
				require.Equal(t, names[1], peer)
			} // elsewhere the name is that of a file
			require.NoError(t, server.SendTo([]byte("answer"), peer))
			n, err = client.Receive(b)
			require.NoError(t, err)
			require.Equal(t, "answer", string(b[:n]))
		}
		m := ipc.Message{Buffers: [][]byte{make([]byte, 10)}}
		_, err := client.SendMessage(&ipc.Message{Buffers: [][]byte{[]byte("message")}, Peer: names[0]})
		require.NoError(t, err)
		n, err := server.ReceiveMessage(&m)
		require.NoError(t, err)
		require.Equal(t, "message", string(m.Buffers[0][:n]))
		_, err = server.SendMessage(&ipc.Message{Buffers: [][]byte{[]byte("reply")}, Peer: m.Peer})
		require.NoError(t, err)
		n, err = client.ReceiveMessage(&m)
		require.NoError(t, err)
		require.Equal(t, "reply", string(m.Buffers[0][:n]))
		require.NoError(t, server.Close())
		require.NoError(t, client.Close())
	}
}

func TestDatagramsOfSocketsWithoutANameComeFromNobody(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	server := listenDatagram(t, name)
	opened, dialled := openDatagram(t), dialDatagram(t, name)
	require.Equal(t, ipc.Name{}, nameOf(t, opened.LocalAddr()))
	require.Equal(t, name, nameOf(t, dialled.RemoteAddr()))
	require.NoError(t, opened.SendTo([]byte("opened"), name))
	requireDatagram(t, server, "opened", ipc.Name{})
	require.NoError(t, dialled.Send([]byte("dialled")))
	requireDatagram(t, server, "dialled", ipc.Name{})
	require.NoError(t, dialled.SendTo([]byte("with a name all the same"), name))
	requireDatagram(t, server, "with a name all the same", ipc.Name{})
	require.NoError(t, dialled.Send([]byte("as package net has it")))
	n, from, err := server.ReadFrom(make([]byte, 100))
	require.NoError(t, err)
	require.Equal(t, len("as package net has it"), n)
	require.True(t, from == nil)
	_, err = opened.Write([]byte("x"))
	require.ErrorIs(t, err, syscall.ENOTCONN)
	require.ErrorContains(t, err, "write ipc")

	a, b := kinds[2].newPair(t)
	_, err = a.SendFiles([]byte("pair"))
	require.NoError(t, err)
	requireDatagram(t, b.(*ipc.DatagramConn), "pair", ipc.Name{})
	_, err = b.SendFiles([]byte("pair"))
	require.NoError(t, err)
	m := ipc.Message{Peer: name}
	_, err = a.ReceiveMessage(&m)
	require.ErrorIs(t, err, ipc.ErrTruncated)
	require.Equal(t, ipc.Name{}, m.Peer)
}

func TestEmptyAndTruncatedDatagramsAreReported(t *testing.T) {
	leakcheck.Start(t)
	server, client := listenDatagram(t, newPath(t)), listenDatagram(t, newPath(t))
	to, from := nameOf(t, server.LocalAddr()), nameOf(t, client.LocalAddr())
	for range 6 {
		require.NoError(t, client.SendTo(nil, to))
	}
	requireDatagram(t, server, "", from)
	for what, receive := range map[string]func() (int, error){
		"receive": func() (int, error) { return server.Receive(make([]byte, 10)) },
		"nothing": func() (int, error) { return server.Receive(nil) },
		"read":    func() (int, error) { return server.Read(make([]byte, 10)) },
		"message": func() (int, error) { return server.ReceiveMessage(new(ipc.Message)) },
		"packet":  func() (int, error) { n, _, err := server.ReadFrom(make([]byte, 10)); return n, err },
	} {
		n, err := receive()
		require.NoError(t, err, what)
		require.Zero(t, n, what)
	}

	for range 2 {
		require.NoError(t, client.SendTo([]byte("too long"), to))
	}
	b := make([]byte, 3)
	n, peer, err := server.ReceiveFrom(b)
	require.ErrorIs(t, err, ipc.ErrTruncated)
	require.Equal(t, "too", string(b[:n]))
	require.Equal(t, from, peer)
	n, addr, err := server.ReadFrom(b)
	require.ErrorIs(t, err, ipc.ErrTruncated)
	require.Equal(t, 3, n)
	require.Equal(t, from, nameOf(t, addr))
	require.NoError(t, server.SetReadDeadline(time.Unix(1, 0)))
	n, peer, err = server.ReceiveFrom(b)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.Zero(t, n)
	require.Equal(t, ipc.Name{}, peer, "nobody sent anything this time")
	n, addr, err = server.ReadFrom(b)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.Zero(t, n)
	require.Nil(t, addr)
}

func TestDatagramConnIsANetPacketConnAndANetConn(t *testing.T) {
	leakcheck.Start(t)
	server, client := listenDatagram(t, newPath(t)), listenDatagram(t, newPath(t))
	packets, name := net.PacketConn(client), nameOf(t, server.LocalAddr())
	b := make([]byte, 100)
	for _, addr := range []net.Addr{name, &net.UnixAddr{Name: name.String(), Net: "unixgram"}} {
		n, err := packets.WriteTo([]byte("packet"), addr)
		require.NoError(t, err)
		require.Equal(t, 6, n)
		n, from, err := server.ReadFrom(b)
		require.NoError(t, err)
		require.Equal(t, "packet", string(b[:n]))
		require.Equal(t, client.LocalAddr(), from)
		require.Equal(t, "unixgram", from.Network())
		_, err = server.WriteTo([]byte("back"), from)
		require.NoError(t, err)
		n, from, err = packets.ReadFrom(b)
		require.NoError(t, err)
		require.Equal(t, "back", string(b[:n]))
		require.Equal(t, name, nameOf(t, from))
	}
	_, err := openDatagram(t).WriteTo([]byte("packet"), name)
	require.NoError(t, err)
	_, from, err := server.ReadFrom(b)
	require.NoError(t, err)
	require.True(t, from == nil)
	for what, addr := range map[string]net.Addr{
		"<nil>": nil, "*net.UDPAddr": &net.UDPAddr{}, "empty name": ipc.Name{},
		"<nil>, a *net.UnixAddr": (*net.UnixAddr)(nil), "empty": &net.UnixAddr{},
	} {
		_, err := packets.WriteTo([]byte("packet"), addr)
		require.ErrorIs(t, err, syscall.EINVAL, what)
		require.ErrorContains(t, err, what)
	}
	for what, addr := range map[string]net.Addr{
		"name too long": &net.UnixAddr{Name: strings.Repeat("x", 2000)}, "NUL byte": ipc.Path("a\x00b"),
	} {
		_, err := packets.WriteTo([]byte("packet"), addr)
		require.ErrorContains(t, err, what)
	}

	conn := net.Conn(dialDatagram(t, name))
	n, err := conn.Write([]byte("conn"))
	require.NoError(t, err)
	require.Equal(t, 4, n)
	requireDatagram(t, server, "conn", ipc.Name{})
	require.Equal(t, name, nameOf(t, conn.RemoteAddr()))
	a, other, err := ipc.DatagramPair()
	require.NoError(t, err)
	defer a.Close()
	defer other.Close()
	_, err = fmt.Fprint(a, "line\n")
	require.NoError(t, err)
	line, err := bufio.NewReader(other).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "line\n", line)
	require.NoError(t, other.CloseRead())
	_, err = other.Read(b)
	require.Equal(t, io.EOF, err)
}

func TestConnectedSocketReceivesFromItsPeerAlone(t *testing.T) {
	leakcheck.Start(t)
	c, peer, other := listenDatagram(t, newPath(t)), listenDatagram(t, newPath(t)), listenDatagram(t, newPath(t))
	cName, peerName, otherName := nameOf(t, c.LocalAddr()), nameOf(t, peer.LocalAddr()), nameOf(t, other.LocalAddr())
	require.NoError(t, c.Connect(peerName))
	require.Equal(t, peerName, nameOf(t, c.RemoteAddr()))
	require.NoError(t, c.Send([]byte("to the peer")))
	requireDatagram(t, peer, "to the peer", cName)
	err := other.SendTo([]byte("unwanted"), cName)
	require.ErrorIs(t, err, fs.ErrPermission)
	require.ErrorContains(t, err, cName.String())
	require.NoError(t, peer.SendTo([]byte("back"), cName))
	requireDatagram(t, c, "back", peerName)

	require.NoError(t, c.Connect(otherName)) // to another
	require.Equal(t, otherName, nameOf(t, c.RemoteAddr()))
	_, err = c.Write([]byte("to the other"))
	require.NoError(t, err)
	requireDatagram(t, other, "to the other", cName)
	require.ErrorIs(t, peer.SendTo([]byte("unwanted"), cName), fs.ErrPermission)

	require.NoError(t, c.Connect(ipc.Name{})) // to none
	require.Equal(t, ipc.Name{}, nameOf(t, c.RemoteAddr()))
	require.ErrorIs(t, c.Send([]byte("x")), syscall.ENOTCONN)
	require.NoError(t, peer.SendTo([]byte("welcome"), cName))
	requireDatagram(t, c, "welcome", peerName)
	require.NoError(t, c.Connect(ipc.Name{}), "again")

	for what, err := range map[string]error{
		"connect ipc": c.Connect(ipc.Path(filepath.Join(leakcheck.Dir(t), "absent"))),
		"too long":    c.Connect(ipc.Path(strings.Repeat("x", 2000))),
		"empty name":  c.Connect(ipc.Path("")),
	} {
		require.ErrorContains(t, err, what)
	}
	require.Equal(t, ipc.Name{}, nameOf(t, c.RemoteAddr()))
	require.NoError(t, c.Close())
	require.ErrorIs(t, c.Connect(peerName), net.ErrClosed)
}

func TestSendingToNobodyIsAnErrorThatSaysSo(t *testing.T) {
	leakcheck.Start(t)
	c := openDatagram(t)
	stale, stream, absent := newPath(t), newPath(t), newPath(t)
	leaveStale(t, stale)
	defer os.Remove(stale.String())
	listen(t, stream)
	file := ipc.Path(filepath.Join(leakcheck.Dir(t), "file"))
	require.NoError(t, os.WriteFile(file.String(), nil, 0o666))
	gone := newPath(t)
	dead := listenDatagram(t, gone)
	connected := dialDatagram(t, gone)
	require.NoError(t, dead.Close())
	for what, wrong := range map[string]struct {
		name ipc.Name
		want error
	}{
		"absent": {absent, fs.ErrNotExist},
		"stale":  {stale, syscall.ECONNREFUSED},
		"stream": {stream, syscall.EPROTOTYPE},
		"file":   {file, syscall.ECONNREFUSED},
		"none":   {ipc.Name{}, syscall.EINVAL},
	} {
		err := c.SendTo([]byte("x"), wrong.name)
		require.ErrorIs(t, err, wrong.want, what)
		require.ErrorContains(t, err, strings.TrimSpace("write ipc "+wrong.name.String()), what)
		_, err = c.SendMessage(&ipc.Message{Buffers: [][]byte{[]byte("x")}, Peer: wrong.name})
		if what == "none" {
			require.ErrorIs(t, err, syscall.ENOTCONN)
		} else {
			require.ErrorIs(t, err, wrong.want, what)
		}
		_, err = ipc.DialDatagram(wrong.name)
		require.ErrorIs(t, err, wrong.want, what)
		require.ErrorContains(t, err, "dial ipc", what)
		if what != "none" {
			require.ErrorIs(t, c.Connect(wrong.name), wrong.want, what)
		}
	}
	if abstract() {
		require.ErrorIs(t, c.SendTo([]byte("x"), newNamespaced(t)), syscall.ECONNREFUSED)
	}
	require.ErrorIs(t, connected.Send([]byte("x")), syscall.ECONNREFUSED, "the peer is gone")
	require.ErrorIs(t, connected.Send([]byte("x")), syscall.ENOTCONN, "and that is that")
	_, err := ipc.Dial(t.Context(), nameOf(t, listenDatagram(t, newPath(t)).LocalAddr()))
	require.ErrorIs(t, err, syscall.EPROTOTYPE)
}

func TestDatagramBatchesAndLimits(t *testing.T) {
	leakcheck.Start(t)
	a, b, err := ipc.DatagramPair()
	require.NoError(t, err)
	defer a.Close()
	defer b.Close()
	n, err := a.SendBatch([][]byte{[]byte("one"), nil, []byte("three")})
	require.NoError(t, err)
	require.Equal(t, 3, n)
	got := [][]byte{make([]byte, 10), make([]byte, 10), make([]byte, 10), make([]byte, 10)}
	n, err = b.ReceiveBatch(got)
	require.NoError(t, err)
	require.Equal(t, 3, n)
	require.Equal(t, []string{"one", "", "three"}, []string{string(got[0]), string(got[1]), string(got[2])})

	limit := largest(t, a)
	sent := random(limit)
	require.NoError(t, a.Send(sent))
	if onLinux {
		size, err := b.MessageSize()
		require.NoError(t, err)
		require.Equal(t, limit, size)
	}
	n, err = b.Peek(make([]byte, 5))
	require.ErrorIs(t, err, ipc.ErrTruncated)
	require.Equal(t, 5, n)
	all, err := b.ReceiveAppend(nil)
	require.NoError(t, err)
	require.True(t, bytes.Equal(sent, all))
	text := fmt.Sprintf("%d bytes, at most %d", limit+1, limit)
	beyond := make([]byte, limit+1)
	name := newPath(t)
	listenDatagram(t, name)
	for what, send := range map[string]func() (int, error){
		"send":  func() (int, error) { return 0, a.Send(beyond) },
		"write": func() (int, error) { return a.Write(beyond) },
		"batch": func() (int, error) { return a.SendBatch([][]byte{beyond}) },
		"to":    func() (int, error) { return 0, a.SendTo(beyond, name) },
		"message": func() (int, error) {
			return a.SendMessage(&ipc.Message{Buffers: [][]byte{beyond[:9], beyond[9:]}})
		},
		"control": func() (int, error) { return a.SendControl(beyond, ipc.NewControlWriter(nil)) },
	} {
		n, err := send()
		require.Zero(t, n, what)
		require.ErrorIs(t, err, syscall.EMSGSIZE, what)
		require.ErrorContains(t, err, text, what)
	}
	require.NoError(t, b.SetReadDeadline(time.Now().Add(time.Millisecond)))
	_, err = b.Receive(beyond)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded, "nothing of them was sent")
}

func TestDatagramsAllocateNothing(t *testing.T) {
	leakcheck.Start(t)
	server, client := listenDatagram(t, newPath(t)), listenDatagram(t, newPath(t))
	name, unnamed := nameOf(t, server.LocalAddr()), openDatagram(t)
	connected := dialDatagram(t, name)
	addr := net.Addr(name)
	b := make([]byte, 64)
	in := ipc.Message{Buffers: [][]byte{b}}
	out := ipc.Message{Buffers: [][]byte{b}, Peer: name}
	receive := func(err error) error {
		if err == nil {
			_, err = server.Read(b)
		}
		return err
	}
	requireNoAllocations(t, map[string]func() error{
		"send to, receive from": func() error {
			err := client.SendTo(b, name)
			if err == nil {
				_, _, err = server.ReceiveFrom(b)
			}
			return err
		},
		"from nobody": func() error {
			err := unnamed.SendTo(b, name)
			if err == nil {
				_, _, err = server.ReceiveFrom(b)
			}
			return err
		},
		"write to, read from": func() error {
			_, err := client.WriteTo(b, addr)
			if err == nil {
				_, _, err = server.ReadFrom(b)
			}
			return err
		},
		"message": func() error {
			_, err := client.SendMessage(&out)
			if err == nil {
				_, err = server.ReceiveMessage(&in)
			}
			return err
		},
		"write, read": func() error { _, err := connected.Write(b); return receive(err) },
		"send":        func() error { return receive(connected.Send(b)) },
	})
}

func TestMorePeersThanAreRememberedAreReported(t *testing.T) {
	leakcheck.Start(t)
	server := listenDatagram(t, newPath(t))
	dir := leakcheck.Dir(t)
	to := nameOf(t, server.LocalAddr())
	clients := make([]*ipc.DatagramConn, 300)
	for i := range clients {
		clients[i] = listenDatagram(t, ipc.Path(filepath.Join(dir, strings.Repeat("x", i%40)+fmt.Sprint(i))))
	}
	for range 3 {
		for i, c := range clients {
			text := fmt.Sprint("from ", i)
			require.NoError(t, c.SendTo([]byte(text), to))
			requireDatagram(t, server, text, nameOf(t, c.LocalAddr()))
		}
		require.NoError(t, openDatagram(t).SendTo([]byte("x"), to))
		requireDatagram(t, server, "x", ipc.Name{})
	}
}

func TestMaxMessageHoldsForDatagrams(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	bound, err := (&ipc.ListenConfig{MaxMessage: 3}).ListenDatagram(t.Context(), name)
	require.NoError(t, err)
	defer bound.Close()
	a := dialDatagram(t, name)
	for _, text := range []string{"four", "six"} {
		require.NoError(t, a.Send([]byte(text)))
	}
	got, err := bound.ReceiveAppend([]byte("not "))
	require.ErrorIs(t, err, ipc.ErrTruncated)
	require.Equal(t, "not ", string(got))
	got, err = bound.ReceiveAppend(nil)
	require.NoError(t, err)
	require.Equal(t, "six", string(got))
	require.NoError(t, bound.SetMaxMessage(4))
	require.NoError(t, a.Send([]byte("four")))
	got, err = bound.ReceiveAppend(nil)
	require.NoError(t, err)
	require.Equal(t, "four", string(got))
	_, err = (&ipc.ListenConfig{MaxMessage: -1}).ListenDatagram(t.Context(), newPath(t))
	require.ErrorIs(t, err, syscall.EINVAL)
}

func TestAddressOfPackageNetIsAPathUnlessItIsAbstract(t *testing.T) {
	leakcheck.Start(t)
	t.Chdir(leakcheck.Dir(t))
	client := openDatagram(t)
	names := map[string]ipc.Name{"user:s": ipc.Path("user:s"), "system:s": ipc.Path("system:s")}
	if abstract() {
		name := newNamespaced(t)
		names[name.String()] = name
	}
	for text, name := range names {
		server := listenDatagram(t, name)
		_, err := client.WriteTo([]byte("x"), &net.UnixAddr{Name: text, Net: "unixgram"})
		require.NoError(t, err)
		requireDatagram(t, server, "x", ipc.Name{})
	}
}

func TestSocketWithoutConnectionsRefusesAPolicyForThem(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	lc := ipc.ListenConfig{Client: ipc.SameUser}
	_, err := lc.ListenDatagram(t.Context(), name)
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorContains(t, err, "Client")
	require.NoFileExists(t, name.String())
}
