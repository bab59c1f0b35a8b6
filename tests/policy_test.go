package tests

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// A notOnTheList is what a policy of these tests returns.
type notOnTheList struct{ list string }

func (e *notOnTheList) Error() string { return "not on the list " + e.list }

func admitNobody(ipc.Credentials) error { return &notOnTheList{"of the tests"} }

// requireNotAdmitted requires that an error says that a policy of these tests refused this process.
func requireNotAdmitted(t *testing.T, err error, role string) {
	t.Helper()
	require.ErrorIs(t, err, fs.ErrPermission)
	var reason *notOnTheList
	require.ErrorAs(t, err, &reason)
	require.Equal(t, "of the tests", reason.list)
	require.ErrorContains(t, err, fmt.Sprintf("the %s is process %d of user ", role, os.Getpid()))
	require.ErrorContains(t, err, ": not on the list of the tests")
}

// A refusal is what a listener says of a client that it did not admit.
type refusal struct {
	found ipc.Credentials
	err   error
}

// A refuser is a listener's policy that admits nobody, or from the client with a number on everybody.
type refuser struct {
	config   ipc.ListenConfig
	asked    atomic.Int64
	refusals chan refusal
}

// newRefuser returns one that refuses so many clients.
func newRefuser(count int64) *refuser {
	r := &refuser{refusals: make(chan refusal, 100)}
	r.config.Client = func(c ipc.Credentials) error {
		if r.asked.Add(1) <= count {
			return admitNobody(c)
		}
		return nil
	}
	r.config.Refused = func(c ipc.Credentials, err error) { r.refusals <- refusal{c, err} }
	return r
}

// next returns the next refusal.
func (r *refuser) next(t *testing.T) refusal {
	t.Helper()
	select {
	case told := <-r.refusals:
		return told
	case <-time.After(patience):
		require.Fail(t, "Refused was not called")
		return refusal{}
	}
}

// requireRefusedThenServed requires that a listener with a policy that refuses one client turns away a first one, which
// has written something, without a byte, says so, and sends a byte to the next.
func (r *refuser) requireRefusedThenServed(t *testing.T, dial func() (io.ReadWriteCloser, error)) {
	t.Helper()
	first, err := dial()
	require.NoError(t, err)
	defer first.Close()
	first.Write([]byte("x")) // which may fail already
	n, err := first.Read(make([]byte, 10))
	require.Equal(t, io.EOF, err)
	require.Zero(t, n)
	told := r.next(t)
	requireNotAdmitted(t, told.err, "client")
	require.Equal(t, os.Getpid(), told.found.PID)
	require.NoError(t, ipc.SameUser(told.found))

	second, err := dial()
	require.NoError(t, err)
	defer second.Close()
	_, err = io.ReadFull(second, make([]byte, 1))
	require.NoError(t, err)
	require.Empty(t, r.refusals)
}

// A messageStream reads and writes messages as a stream does.
type messageStream struct{ *ipc.MessageConn }

func (s messageStream) Read(b []byte) (int, error)  { return s.Receive(b) }
func (s messageStream) Write(b []byte) (int, error) { return len(b), s.Send(b) }

// greet sends a byte to each connection that accept returns, until it fails.
func greet(accept func() (io.WriteCloser, error)) {
	for {
		c, err := accept()
		if err != nil {
			return
		}
		c.Write([]byte("x"))
		c.Close()
	}
}

func TestClientThatIsNotAdmittedNeverGetsAByte(t *testing.T) {
	leakcheck.Start(t)
	for how, serve := range map[string]func(l *ipc.Listener){
		"Accept": func(l *ipc.Listener) { greet(func() (io.WriteCloser, error) { return l.Accept() }) },
		"AcceptConn": func(l *ipc.Listener) {
			greet(func() (io.WriteCloser, error) { return l.AcceptConn(context.Background()) })
		},
		"Incoming": func(l *ipc.Listener) {
			for c := range l.Incoming(context.Background()) {
				c.Write([]byte("x"))
				c.Close()
			}
		},
	} {
		for _, spin := range []time.Duration{0, 50 * time.Microsecond} {
			t.Run(how, func(t *testing.T) {
				name := newPath(t)
				r := newRefuser(1)
				r.config.Spin = spin
				l, err := r.config.Listen(t.Context(), name)
				require.NoError(t, err)
				defer l.Close()
				go serve(l)
				r.requireRefusedThenServed(t, func() (io.ReadWriteCloser, error) { return ipc.Dial(t.Context(), name) })
			})
		}
	}
}

func TestClientForMessagesThatIsNotAdmittedNeverGetsOne(t *testing.T) {
	leakcheck.Start(t)
	messagePair(t)
	for how, serve := range map[string]func(l *ipc.MessageListener){
		"AcceptConn": func(l *ipc.MessageListener) {
			greet(func() (io.WriteCloser, error) {
				c, err := l.AcceptConn(context.Background())
				return messageStream{c}, err
			})
		},
		"Incoming": func(l *ipc.MessageListener) {
			for c := range l.Incoming(context.Background()) {
				c.Send([]byte("x"))
				c.Close()
			}
		},
	} {
		t.Run(how, func(t *testing.T) {
			name := newPath(t)
			r := newRefuser(1)
			l, err := r.config.ListenMessage(t.Context(), name)
			require.NoError(t, err)
			defer l.Close()
			go serve(l)
			r.requireRefusedThenServed(t, func() (io.ReadWriteCloser, error) {
				c, err := ipc.DialMessage(t.Context(), name)
				return messageStream{c}, err
			})
		})
	}
}

func TestHTTPServerServesOnAfterClientsThatWereNotAdmitted(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	r := newRefuser(3)
	l, err := r.config.Listen(t.Context(), name)
	require.NoError(t, err)
	handler := func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "served") }
	server := &http.Server{Handler: http.HandlerFunc(handler)}
	served := make(chan error)
	go func() { served <- server.Serve(l) }()
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return ipc.Dial(ctx, name) },
	}}
	for range 3 {
		_, err := client.Get("http://local/")
		require.Error(t, err)
		told := r.next(t)
		requireNotAdmitted(t, told.err, "client")
	}
	response, err := client.Get("http://local/")
	require.NoError(t, err)
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, "served", string(text))
	require.NoError(t, server.Close())
	require.Equal(t, http.ErrServerClosed, <-served)
}

func TestRefusedIsCalledWhenTheConnectionIsClosed(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	clients, ends := make(chan *ipc.Conn, 1), make(chan error, 1)
	lc := ipc.ListenConfig{Client: admitNobody, Refused: func(ipc.Credentials, error) {
		_, err := (<-clients).Read(make([]byte, 1)) // which would wait for ever if the server's end were open
		ends <- err
	}}
	l, err := lc.Listen(t.Context(), name)
	require.NoError(t, err)
	accepted := make(chan error)
	go func() { accepted <- second(l.Accept()) }()
	clients <- dial(t, name)
	require.Equal(t, io.EOF, <-ends)
	require.NoError(t, l.Close())
	require.ErrorIs(t, <-accepted, net.ErrClosed)
}

// blocking returns a policy that admits, but waits for each client: first it sends on asked, then it receives from it.
func blocking() (policy ipc.PeerPolicy, asked chan error) {
	asked = make(chan error)
	return func(ipc.Credentials) error {
		asked <- nil
		return <-asked
	}, asked
}

func TestClientGetsNothingWhileThePolicyDecides(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	policy, asked := blocking()
	lc := ipc.ListenConfig{Client: policy}
	l, err := lc.Listen(t.Context(), name)
	require.NoError(t, err)
	defer l.Close()
	go greet(func() (io.WriteCloser, error) { return l.Accept() })
	c := dial(t, name)
	<-asked
	require.NoError(t, c.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
	_, err = c.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	asked <- errors.New("after all not")
	require.NoError(t, c.SetReadDeadline(time.Time{}))
	_, err = c.Read(make([]byte, 1))
	require.Equal(t, io.EOF, err)
}

func TestPolicyThatBlocksHoldsUpItsOwnConnectionAlone(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	block, asked := blocking()
	var calls atomic.Int64
	lc := ipc.ListenConfig{Client: func(c ipc.Credentials) error {
		if calls.Add(1) == 1 {
			return block(c)
		}
		return nil
	}}
	l, err := lc.Listen(t.Context(), name)
	require.NoError(t, err)
	first := make(chan error)
	go func() {
		c, err := l.AcceptConn(t.Context())
		if err == nil {
			c.Write([]byte("1"))
			err = c.Close()
		}
		first <- err
	}()
	waiting := dial(t, name)
	<-asked

	for range 20 { // others are accepted meanwhile
		c := dial(t, name)
		requireByteArrives(t, accept(t, l), c)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	_, err = l.AcceptConn(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, l.SetDeadline(time.Now()))
	_, err = l.Accept()
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, l.Close())
	_, err = l.Accept()
	require.ErrorIs(t, err, net.ErrClosed)

	asked <- nil // the connection that was accepted before is one that Close leaves open
	require.NoError(t, <-first)
	b := make([]byte, 1)
	_, err = waiting.Read(b)
	require.NoError(t, err)
	require.Equal(t, "1", string(b))
}

func TestServerThatIsNotAdmittedIsRefused(t *testing.T) {
	leakcheck.Start(t)
	d := ipc.Dialer{Server: admitNobody}
	for _, name := range []ipc.Name{newPath(t), newNamespaced(t), newUserName(t)} {
		l := listen(t, name)
		c, err := d.Dial(t.Context(), name)
		require.Nil(t, c)
		requireNotAdmitted(t, err, "server")
		require.ErrorContains(t, err, "dial ipc "+name.String())
		require.NoError(t, l.Close())
	}
}

func TestServerOfMessagesThatIsNotAdmittedIsRefused(t *testing.T) {
	leakcheck.Start(t)
	messagePair(t)
	d := ipc.Dialer{Server: admitNobody}
	for _, name := range []ipc.Name{newPath(t), newNamespaced(t), newUserName(t)} {
		l, err := ipc.ListenMessage(name)
		require.NoError(t, err)
		c, err := d.DialMessage(t.Context(), name)
		require.Nil(t, c)
		requireNotAdmitted(t, err, "server")
		require.ErrorContains(t, err, "dial ipc "+name.String())
		require.NoError(t, l.Close())
	}
}

func TestOwnProcessIsAdmittedByItsUser(t *testing.T) {
	leakcheck.Start(t)
	for _, policy := range []ipc.PeerPolicy{ipc.SameUser, ipc.SameUserOrAdmin} {
		lc, d := ipc.ListenConfig{Client: policy}, ipc.Dialer{Server: policy}
		for _, name := range []ipc.Name{newPath(t), newNamespaced(t), newUserName(t)} {
			l, err := lc.Listen(t.Context(), name)
			require.NoError(t, err)
			c, err := d.Dial(t.Context(), name)
			require.NoError(t, err)
			requireByteArrives(t, accept(t, l), c)
			require.NoError(t, c.Close())
			require.NoError(t, l.Close())
		}
	}
}

func TestPolicyThatPanicsLeavesNothing(t *testing.T) {
	leakcheck.Start(t)
	panics := func(ipc.Credentials) error { panic("no idea") }
	name := newPath(t)
	l, err := (&ipc.ListenConfig{Client: panics}).Listen(t.Context(), name)
	require.NoError(t, err)
	defer l.Close()
	client := dial(t, name)
	require.PanicsWithValue(t, "no idea", func() { l.Accept() })
	_, err = client.Read(make([]byte, 1))
	require.Equal(t, io.EOF, err)

	require.PanicsWithValue(t, "no idea", func() { (&ipc.Dialer{Server: panics}).Dial(t.Context(), name) })
	dial(t, name)
	require.PanicsWithValue(t, "no idea", func() { l.Accept() }) // the listener goes on
}

func TestNobodyIsAdmittedByCredentialsThatAreNotKnown(t *testing.T) {
	leakcheck.Start(t)
	unknown := ipc.Credentials{PID: -1, UID: -1, GID: -1}
	for _, policy := range []ipc.PeerPolicy{ipc.SameUser, ipc.SameUserOrAdmin, ipc.Admin, ipc.AnyOf(),
		ipc.AnyOf(-1), ipc.AnyOf(-1, math.MaxInt, math.MinInt), ipc.AnyOf(os.Geteuid())} {
		require.ErrorIs(t, policy(unknown), fs.ErrPermission)
	}
	a, _ := pair(t)
	require.NoError(t, a.Close())
	credentials, err := a.PeerCredentials()
	require.ErrorIs(t, err, net.ErrClosed)
	require.Equal(t, unknown, credentials, "not the zeros of root")
}
