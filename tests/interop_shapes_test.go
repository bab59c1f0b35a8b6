package tests

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// hook is the type of the hooks that libraries have for connections of the caller's choice.
type hook = func(ctx context.Context, network, address string) (net.Conn, error)

func TestDialContextDialsWhatTheTextOfANameSays(t *testing.T) {
	leakcheck.Start(t)
	name := newUserName(t)
	l := listen(t, name)
	var dialContext hook = new(ipc.Dialer).DialContext
	for _, network := range []string{"unix", "pipe"} {
		c, err := dialContext(t.Context(), network, name.String())
		require.NoError(t, err)
		require.IsType(t, new(ipc.Conn), c)
		_, err = c.Write([]byte("x"))
		require.NoError(t, err)
		got := make([]byte, 1)
		accepted := accept(t, l)
		_, err = io.ReadFull(accepted, got)
		require.NoError(t, err)
		require.NoError(t, accepted.Close())
		require.NoError(t, c.Close())
	}
}

func TestDialContextReturnsNoTypedNilAndNamesWhatWasWrong(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	ended, end := context.WithCancel(t.Context())
	end()
	for what, one := range map[string]struct {
		ctx              context.Context
		network, address string
		is               error
		text             string
	}{
		"nobody listens":          {t.Context(), "unix", name.String(), os.ErrNotExist, name.String()},
		"nobody listens there":    {t.Context(), "pipe", name.String(), os.ErrNotExist, name.String()},
		"the context has ended":   {ended, "unix", name.String(), context.Canceled, name.String()},
		"a name that is none":     {t.Context(), "unix", "user:a/b", syscall.EINVAL, "user:a/b"},
		"an empty name":           {t.Context(), "unix", "", syscall.EINVAL, "parse"},
		"a network of others":     {t.Context(), "tcp", name.String(), net.UnknownNetworkError("tcp"), "tcp; for hooks that"},
		"a network without peers": {t.Context(), "unixgram", name.String(), net.UnknownNetworkError("unixgram"), ""},
	} {
		c, err := new(ipc.Dialer).DialContext(one.ctx, one.network, one.address)
		require.Nil(t, c, what)
		require.True(t, c == nil, what)
		require.ErrorIs(t, err, one.is, what)
		require.ErrorContains(t, err, one.text, what)
		var op *net.OpError
		require.ErrorAs(t, err, &op, what)
	}
	c, err := new(ipc.Dialer).To(name)(t.Context(), "tcp", "local:80")
	require.True(t, c == nil)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestNegativeTimeoutHasPassed(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	listen(t, name)
	d := ipc.Dialer{Timeout: -1}
	for what, err := range map[string]error{
		"Dial":        second(d.Dial(t.Context(), name)),
		"DialContext": second(d.DialContext(t.Context(), "unix", name.String())),
		"DialChannel": second(d.DialChannel(t.Context(), name)),
		"net":         second((&net.Dialer{Timeout: -1}).DialContext(t.Context(), "tcp", "127.0.0.1:9")),
	} {
		var timeout net.Error
		require.ErrorAs(t, err, &timeout, what)
		require.True(t, timeout.Timeout(), what)
		if what != "net" {
			require.ErrorIs(t, err, context.DeadlineExceeded, what)
		}
	}
}

func TestMessagesAreReadAndWrittenAsNetConn(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	messages, err := ipc.ListenMessage(name)
	require.NoError(t, err)
	defer messages.Close()
	var l net.Listener = messages
	c, err := new(ipc.Dialer).DialContext(t.Context(), "unixpacket", name.String())
	require.NoError(t, err)
	require.IsType(t, new(ipc.MessageConn), c)
	defer c.Close()
	accepted, err := l.Accept()
	require.NoError(t, err)
	require.IsType(t, new(ipc.MessageConn), accepted)
	defer accepted.Close()
	for _, message := range []string{"first", "", "of nine b"} {
		n, err := c.Write([]byte(message))
		require.NoError(t, err)
		require.Equal(t, len(message), n)
	}
	n, err := accepted.Read(nil) // takes nothing
	require.NoError(t, err)
	require.Zero(t, n)
	b := make([]byte, 5)
	n, err = accepted.Read(b)
	require.NoError(t, err)
	require.Equal(t, "first", string(b[:n]))
	n, err = accepted.Read(b)
	require.NoError(t, err) // an empty message is not the end
	require.Zero(t, n)
	n, err = accepted.Read(b)
	require.ErrorIs(t, err, ipc.ErrTruncated)
	require.Equal(t, "of ni", string(b[:n]))
	require.NoError(t, c.Close())
	_, err = accepted.Read(b)
	require.Equal(t, io.EOF, err)
	n, err = c.Write([]byte("x"))
	require.ErrorIs(t, err, net.ErrClosed)
	require.Zero(t, n)
	require.NoError(t, l.Close())
	none, err := l.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
	require.True(t, none == nil)
}

func TestFromFileReturnsWhatAFileIs(t *testing.T) {
	leakcheck.Start(t)
	a, _ := pair(t)
	messages, _ := messagePair(t)
	r, w, err := ipc.Pipe()
	require.NoError(t, err)
	closes(t, r, w)
	all := []interface{ File() (*os.File, error) }{a, messages, r, w}
	if runtime.GOOS != "windows" { // whose listeners are not one handle, and which has no datagrams
		d, _, err := ipc.DatagramPair()
		require.NoError(t, err)
		closes(t, d)
		l, err := ipc.ListenMessage(newPath(t))
		require.NoError(t, err)
		closes(t, l)
		all = append(all, listen(t, newPath(t)), l, d)
	}
	for _, one := range all {
		f, err := one.File()
		require.NoError(t, err)
		again, err := ipc.FromFile(f)
		require.NoError(t, err)
		require.IsType(t, one, again)
		require.NoError(t, again.Close())
		require.NoError(t, f.Close())
		none, err := ipc.FromFile(f)
		require.ErrorIs(t, err, os.ErrClosed)
		require.True(t, none == nil)
	}
	f, err := os.Open(os.Args[0])
	require.NoError(t, err)
	defer f.Close()
	none, err := ipc.FromFile(f)
	require.ErrorIs(t, err, syscall.ENOTSOCK)
	require.True(t, none == nil)
	_, err = ipc.FromFile(nil)
	require.ErrorIs(t, err, os.ErrInvalid)
}

func TestContextOfAServedConnectionHasThePeer(t *testing.T) {
	leakcheck.Start(t)
	a, b := pair(t)
	want, err := b.PeerCredentials()
	require.NoError(t, err)
	for what, c := range map[string]net.Conn{"plain": b, "wrapped": tls.Server(b, new(tls.Config))} {
		ctx := ipc.ConnContext(t.Context(), c)
		got, err := ipc.PeerFromContext(ctx)
		require.NoError(t, err, what)
		require.Equal(t, want, got, what)
	}
	ctx, end := context.WithCancel(ipc.ConnContext(t.Context(), b))
	defer end()
	require.NoError(t, a.Close())
	require.NoError(t, b.Close())
	got, err := ipc.PeerFromContext(ctx) // known since
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestContextOfAnotherConnectionHasNoPeer(t *testing.T) {
	leakcheck.Start(t)
	a, b := net.Pipe()
	closes(t, a, b)
	local, _ := pair(t)
	handler := ipc.ConnContext(t.Context(), local) // starts a server for others
	for _, ctx := range []context.Context{
		t.Context(), ipc.ConnContext(t.Context(), a), ipc.ConnContext(t.Context(), nil),
		ipc.ConnContext(t.Context(), tls.Server(a, new(tls.Config))), ipc.ConnContext(handler, a),
	} {
		got, err := ipc.PeerFromContext(ctx)
		require.ErrorIs(t, err, errors.ErrUnsupported)
		require.Equal(t, -1, got.UID) // 0 would be root
		require.Equal(t, -1, got.PID)
	}
	_, err := ipc.PeerFromContext(ipc.ConnContext(t.Context(), new(ipc.Conn)))
	require.ErrorIs(t, err, syscall.EINVAL)
}

func TestHandlersOfHTTPKnowWhoAsks(t *testing.T) {
	leakcheck.Start(t)
	name := newUserName(t)
	server := &http.Server{ConnContext: ipc.ConnContext, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer, err := ipc.PeerFromContext(r.Context())
		if err != nil || peer.PID != os.Getpid() {
			http.Error(w, peer.String(), http.StatusForbidden)
		}
	})}
	served := make(chan error)
	l := listen(t, name)
	go func() { served <- server.Serve(l) }()
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DialContext: new(ipc.Dialer).To(name)}}
	response, err := client.Get("http://local/")
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
	client.CloseIdleConnections()
	require.NoError(t, server.Shutdown(t.Context()))
	require.Equal(t, http.ErrServerClosed, <-served)
}
