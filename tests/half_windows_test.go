package tests

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// halves returns the ends of a connection that has halves.
func halves(t *testing.T, sys *ipc.SysListen) (client, server *ipc.Conn) {
	t.Helper()
	name := newPath(t)
	l, err := (&ipc.ListenConfig{HalfClose: true, Sys: sys}).Listen(t.Context(), name)
	require.NoError(t, err)
	defer l.Close()
	client, err = (&ipc.Dialer{HalfClose: true}).Dial(t.Context(), name)
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	return client, accept(t, l)
}

func TestEitherHalfEndsFirst(t *testing.T) {
	leakcheck.Start(t)
	for _, order := range []string{"client first", "server first"} {
		a, b := halves(t, nil)
		if order == "server first" {
			a, b = b, a
		}
		_, err := a.Write([]byte("last"))
		require.NoError(t, err)
		ended := make(chan error, 1)
		go func() { ended <- a.CloseWrite() }()
		got, err := io.ReadAll(b)
		require.NoError(t, err)
		require.Equal(t, "last", string(got))
		require.NoError(t, <-ended)
		for range 2 {
			require.Equal(t, io.EOF, second(b.Read(got)), "again and again")
			require.Equal(t, io.EOF, second(b.ReadBuffers([][]byte{got, got})))
			require.ErrorIs(t, second(a.Write([]byte("x"))), syscall.EPIPE)
			require.ErrorIs(t, second(a.WriteBuffers([][]byte{{1}, {2}})), syscall.EPIPE)
			require.NoError(t, second(a.Write(nil)))
			require.NoError(t, a.CloseWrite())
		}
		require.ErrorIs(t, a.CloseRead(), errors.ErrUnsupported)
		for _, part := range []string{"the ", "", "answer"} { // the other direction still works
			_, err = b.Write([]byte(part))
			require.NoError(t, err)
		}
		go func() { ended <- b.CloseWrite() }()
		got, err = io.ReadAll(a)
		require.NoError(t, err)
		require.Equal(t, "the answer", string(got))
		require.NoError(t, <-ended)
		require.NoError(t, a.Close())
		require.NoError(t, b.Close())
	}
}

func TestHalfEndsForAReaderThatWaits(t *testing.T) {
	leakcheck.Start(t)
	client, server := halves(t, nil)
	require.NoError(t, client.SetSpin(20*time.Microsecond))
	read := make(chan error)
	go func() { read <- second(client.Read(make([]byte, 10))) }()
	require.NoError(t, server.CloseWrite())
	require.Equal(t, io.EOF, <-read)
	requireByteArrives(t, client, server)
}

func TestEndOfAHalfIsNotReadTogetherWithBytes(t *testing.T) {
	leakcheck.Start(t)
	for range 50 {
		client, server := halves(t, nil)
		ended := make(chan error, 1)
		go func() {
			_, err := client.Write([]byte("abc"))
			ended <- errors.Join(err, client.CloseWrite())
		}()
		one, more := make([]byte, 3), make([]byte, 10)
		n, err := server.ReadBuffers([][]byte{one, more}) // the end may come between the buffers
		require.NoError(t, err)
		require.Equal(t, 3, n)
		require.Equal(t, io.EOF, second(server.ReadBuffers([][]byte{one, more})))
		require.Equal(t, io.EOF, second(server.Read(one)))
		require.NoError(t, <-ended)
		require.NoError(t, client.Close())
		require.NoError(t, server.Close())
	}
}

func TestHalfCloseWaitsForTheReaderUntilADeadline(t *testing.T) {
	leakcheck.Start(t)
	client, server := halves(t, nil)
	_, err := server.Write([]byte("unread"))
	require.NoError(t, err)
	require.NoError(t, server.SetWriteDeadline(time.Now().Add(50*time.Millisecond)))
	require.ErrorIs(t, server.CloseWrite(), os.ErrDeadlineExceeded)
	require.NoError(t, server.SetWriteDeadline(time.Time{}))
	_, err = io.ReadFull(client, make([]byte, 6))
	require.NoError(t, err)
	require.NoError(t, server.SetWriteDeadline(time.Now().Add(-time.Second)))
	require.NoError(t, server.CloseWrite(), "there is nothing to wait for")
	require.Equal(t, io.EOF, second(client.Read(make([]byte, 1))))
}

func TestCloseEndsAHalfCloseThatWaits(t *testing.T) {
	leakcheck.Start(t)
	_, server := halves(t, nil)
	_, err := server.Write([]byte("unread"))
	require.NoError(t, err)
	ended := make(chan error)
	go func() { ended <- server.CloseWrite() }()
	require.NoError(t, server.Close())
	require.ErrorIs(t, <-ended, net.ErrClosed)
}

func TestHalfCloseOfAConnectionWhosePeerIsGoneIsABrokenPipe(t *testing.T) {
	leakcheck.Start(t)
	client, server := halves(t, nil)
	require.NoError(t, client.Close())
	require.ErrorIs(t, server.CloseWrite(), syscall.EPIPE)
	require.Equal(t, io.EOF, second(server.Read(make([]byte, 1))))
}

func TestMuchGoesThroughAConnectionWithHalves(t *testing.T) {
	leakcheck.Start(t)
	client, server := halves(t, &ipc.SysListen{InboundBuffer: 5000, OutboundBuffer: 3000})
	sent := make([]byte, 3<<20)
	for i := range sent {
		sent[i] = byte(i % 251)
	}
	echoed := make(chan error, 1)
	go func() {
		_, err := io.Copy(server, server)
		echoed <- errors.Join(err, server.CloseWrite())
	}()
	written := make(chan error, 1)
	go func() {
		_, err := client.Write(sent[:2<<20])
		_, err2 := client.WriteBuffers([][]byte{sent[2<<20 : 2<<20+100], nil, sent[2<<20+100:]})
		written <- errors.Join(err, err2, client.CloseWrite())
	}()
	got, err := io.ReadAll(client)
	require.NoError(t, err)
	require.NoError(t, <-written)
	require.NoError(t, <-echoed)
	require.Equal(t, len(sent), len(got))
	require.True(t, string(sent) == string(got))
}

func TestPipeOfBytesHasNoHalves(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	l := listen(t, name)
	_, err := (&ipc.Dialer{HalfClose: true}).Dial(t.Context(), name)
	require.ErrorIs(t, err, syscall.EPROTOTYPE)
	require.ErrorContains(t, err, "dial ipc "+name.String()+": the pipe is one of bytes without halves")
	client := dial(t, name)
	server := accept(t, l)
	require.ErrorIs(t, client.CloseWrite(), errors.ErrUnsupported)
	require.ErrorIs(t, server.CloseWrite(), errors.ErrUnsupported)
	requireByteArrives(t, client, server)
}

func TestClientNeedsNoOptionForHalves(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	l, err := (&ipc.ListenConfig{HalfClose: true}).Listen(t.Context(), name)
	require.NoError(t, err)
	defer l.Close()
	client := dial(t, name)
	server := accept(t, l)
	require.NoError(t, client.CloseWrite())
	require.Equal(t, io.EOF, second(server.Read(make([]byte, 1))))
	require.NoError(t, server.CloseWrite())
	require.Equal(t, io.EOF, second(client.Read(make([]byte, 1))))
}

func TestHalvesAreForBothDirections(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	for _, direction := range []ipc.PipeDirection{ipc.ClientToServer, ipc.ServerToClient} {
		_, err := (&ipc.ListenConfig{HalfClose: true, Sys: &ipc.SysListen{Direction: direction}}).Listen(t.Context(), name)
		require.ErrorIs(t, err, syscall.EINVAL)
		require.ErrorContains(t, err, "HalfClose")
		_, err = (&ipc.Dialer{HalfClose: true, Sys: &ipc.SysDial{Direction: direction}}).Dial(t.Context(), name)
		require.ErrorIs(t, err, syscall.EINVAL)
		require.ErrorContains(t, err, "HalfClose")
	}
}

func TestMessagesKeepEmptyOnesWithHalfClose(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	l, err := (&ipc.ListenConfig{HalfClose: true}).ListenMessage(t.Context(), name)
	require.NoError(t, err)
	defer l.Close()
	client, err := (&ipc.Dialer{HalfClose: true}).DialMessage(t.Context(), name)
	require.NoError(t, err)
	defer client.Close()
	server := accept(t, l)
	require.ErrorIs(t, client.CloseWrite(), errors.ErrUnsupported)
	for _, sent := range []string{"", "x", ""} {
		require.NoError(t, client.Send([]byte(sent)))
		got, err := server.ReceiveAppend(nil)
		require.NoError(t, err)
		require.Equal(t, sent, string(got))
	}
}

func TestFileOfAConnectionKeepsItsHalves(t *testing.T) {
	leakcheck.Start(t)
	client, server := halves(t, nil)
	f, err := client.File()
	require.NoError(t, err)
	require.NoError(t, client.Close())
	defer f.Close()
	again, err := ipc.FileConn(f)
	require.NoError(t, err)
	defer again.Close()
	require.NoError(t, again.CloseWrite())
	require.Equal(t, io.EOF, second(server.Read(make([]byte, 1))))
	require.NoError(t, server.CloseWrite())
	require.Equal(t, io.EOF, second(again.Read(make([]byte, 1))))
}

func TestChannelWorksOverAConnectionWithHalves(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	l, err := (&ipc.ListenConfig{HalfClose: true}).ListenChannel(t.Context(), name)
	require.NoError(t, err)
	defer l.Close()
	opened := make(chan *ipc.Channel, 1)
	go func() {
		c, err := l.AcceptChannel(t.Context())
		if err != nil {
			panic(err)
		}
		opened <- c
	}()
	client, err := (&ipc.Dialer{HalfClose: true}).DialChannel(t.Context(), name)
	require.NoError(t, err)
	defer client.Close()
	server := <-opened
	defer server.Close()
	require.NoError(t, client.Send([]byte("last")))
	require.NoError(t, client.CloseWrite())
	got, err := server.ReceiveAppend(nil)
	require.NoError(t, err)
	require.Equal(t, "last", string(got))
	require.Equal(t, io.EOF, second(server.ReceiveAppend(nil)))
	require.NoError(t, server.Send([]byte("answer")))
	got, err = client.ReceiveAppend(nil)
	require.NoError(t, err)
	require.Equal(t, "answer", string(got))
}
