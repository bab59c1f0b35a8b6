package tests

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// contextual is a connection whose operations take contexts, and how to let one wait.
type contextual struct {
	receive, send func(context.Context, []byte) error
	feed          func() error // lets a receive of a byte succeed
	drain         func() error // makes room for a send
	plain         func([]byte) error
	limit         func(time.Time) error // sets the deadline of receiving
}

// packets are messages, those of a channel, or datagrams.
type packets interface {
	Send([]byte) error
	SendContext(context.Context, []byte) error
	SendMessageContext(context.Context, *ipc.Message) (int, error)
	Receive([]byte) (int, error)
	ReceiveContext(context.Context, []byte) (int, error)
	ReceiveMessageContext(context.Context, *ipc.Message) (int, error)
	SetReadDeadline(time.Time) error
}

func newContextual(t *testing.T) map[string]contextual {
	all := map[string]contextual{}
	one := []byte("x")
	some := make([]byte, 1<<16)
	a, b := pair(t)
	all["bytes"] = contextual{
		receive: func(ctx context.Context, p []byte) error { return second(a.ReadContext(ctx, p)) },
		send:    func(ctx context.Context, p []byte) error { return second(a.WriteContext(ctx, p)) },
		feed:    func() error { return second(b.Write(one)) },
		drain:   func() error { return second(b.Read(some)) },
		plain:   func(p []byte) error { return second(a.Read(p)) },
		limit:   a.SetReadDeadline,
	}
	addPackets := func(what string, open func() (a, b packets)) {
		for _, whole := range []bool{false, true} {
			a, b := open()
			c := contextual{
				receive: func(ctx context.Context, p []byte) error { return second(a.ReceiveContext(ctx, p)) },
				send:    a.SendContext,
				feed:    func() error { return b.Send(one) },
				drain:   func() error { return second(b.Receive(some)) },
				plain:   func(p []byte) error { return second(a.Receive(p)) },
				limit:   a.SetReadDeadline,
			}
			if !whole {
				all[what] = c
				continue
			}
			in, out := ipc.Message{Buffers: [][]byte{nil}}, ipc.Message{Buffers: [][]byte{nil}}
			c.receive = func(ctx context.Context, p []byte) error {
				in.Buffers[0] = p
				return second(a.ReceiveMessageContext(ctx, &in))
			}
			c.send = func(ctx context.Context, p []byte) error {
				out.Buffers[0] = p
				return second(a.SendMessageContext(ctx, &out))
			}
			all[what+", and what travels with them"] = c
		}
	}
	addPackets("messages", func() (packets, packets) { return messagePair(t) })
	r, w, err := ipc.Pipe()
	require.NoError(t, err)
	closes(t, r, w)
	r2, w2, err := ipc.Pipe()
	require.NoError(t, err)
	closes(t, r2, w2)
	all["pipes"] = contextual{
		receive: func(ctx context.Context, p []byte) error { return second(r.ReadContext(ctx, p)) },
		send:    func(ctx context.Context, p []byte) error { return second(w2.WriteContext(ctx, p)) },
		feed:    func() error { return second(w.Write(one)) },
		drain:   func() error { return second(r2.Read(some)) },
		plain:   func(p []byte) error { return second(r.Read(p)) },
		limit:   r.SetReadDeadline,
	}
	for what, memory := range map[string]ipc.ChannelMemory{"channel": ipc.PreferMemory, "channel without memory": ipc.NeverMemory} {
		addPackets(what, func() (packets, packets) {
			a, b, err := ipc.ChannelPair(&ipc.ChannelConfig{Memory: memory, RingSize: 4096})
			require.NoError(t, err)
			closes(t, a, b)
			return a, b
		})
	}
	if runtime.GOOS != "windows" {
		addPackets("datagrams", func() (packets, packets) {
			a, b, err := ipc.DatagramPair()
			require.NoError(t, err)
			closes(t, a, b)
			return a, b
		})
	}
	return all
}

func TestContextEndsWhatWaits(t *testing.T) {
	leakcheck.Start(t)
	for what, c := range newContextual(t) {
		b := make([]byte, 1024)
		for range 3 { // and the connection goes on
			ctx, end := context.WithTimeout(t.Context(), 5*time.Millisecond)
			require.ErrorIs(t, c.receive(ctx, b), context.DeadlineExceeded, what)
			end()
			ctx, end = context.WithCancel(t.Context())
			ended := make(chan error)
			go func() { ended <- c.receive(ctx, b) }()
			end()
			require.ErrorIs(t, <-ended, context.Canceled, what)
			require.NoError(t, c.feed(), what)
			ctx, end = context.WithCancel(t.Context())
			require.NoError(t, c.receive(ctx, b), what)
			end()
		}
		for range 3 {
			var err error
			for err == nil { // until there is no room
				ctx, end := context.WithTimeout(t.Context(), 50*time.Millisecond)
				err = c.send(ctx, b)
				end()
			}
			require.ErrorIs(t, err, context.DeadlineExceeded, what)
			require.NoError(t, c.drain(), what)
		}
	}
}

func TestContextThatHasEndedDoesNothing(t *testing.T) {
	leakcheck.Start(t)
	ended, end := context.WithCancel(t.Context())
	end()
	for what, c := range newContextual(t) {
		require.NoError(t, c.feed(), what)
		b := make([]byte, 1)
		require.ErrorIs(t, c.receive(ended, b), context.Canceled, what)
		require.ErrorIs(t, c.send(ended, b), context.Canceled, what)
		require.Zero(t, b[0], what)
		require.NoError(t, c.plain(b), what) // it is still there
		require.Equal(t, "x", string(b), what)
	}
}

func TestDeadlinesStayWhenAContextEnds(t *testing.T) {
	leakcheck.Start(t)
	for what, c := range newContextual(t) {
		b := make([]byte, 1)
		at := time.Now().Add(100 * time.Millisecond)
		require.NoError(t, c.limit(at), what)
		ctx, end := context.WithTimeout(t.Context(), time.Millisecond)
		require.ErrorIs(t, c.receive(ctx, b), context.DeadlineExceeded, what)
		end()
		require.ErrorIs(t, c.plain(b), os.ErrDeadlineExceeded, what)
		require.False(t, time.Now().Before(at), what)

		require.NoError(t, c.limit(time.Time{}), what)
		ctx, end = context.WithCancel(t.Context())
		waiting := make(chan error)
		go func() { waiting <- c.receive(ctx, b) }()
		require.NoError(t, c.limit(time.Now()), what) // ends a call that a context could end, too
		require.ErrorIs(t, <-waiting, os.ErrDeadlineExceeded, what)
		end()
		require.NoError(t, c.limit(time.Time{}), what)
		require.NoError(t, c.feed(), what)
		require.NoError(t, c.plain(b), what)
	}
}

func TestContextEndsItsOwnCallAlone(t *testing.T) {
	leakcheck.Start(t)
	for what, c := range newContextual(t) {
		others := make(chan error)
		go func() { others <- c.plain(make([]byte, 1)) }()
		for range 10 { // some before that call, and most while it waits
			ctx, end := context.WithTimeout(t.Context(), time.Millisecond)
			require.ErrorIs(t, c.receive(ctx, make([]byte, 1)), context.DeadlineExceeded, what)
			end()
		}
		select {
		case err := <-others:
			require.Fail(t, "the other call ended", "%s: %v", what, err)
		default:
		}
		require.NoError(t, c.feed(), what)
		require.NoError(t, <-others, what)
	}
}

// Messages are taken by many goroutines whose contexts end at any moment: each by exactly one of them.
func TestContextsThatEndLoseNoMessage(t *testing.T) {
	leakcheck.Start(t)
	const messages, receivers = 2000, 8
	ca, cb, err := ipc.ChannelPair(nil)
	require.NoError(t, err)
	closes(t, ca, cb)
	a, b := messagePair(t)
	for what, ends := range map[string]struct {
		receive func(context.Context, []byte) (int, error)
		send    func([]byte) error
		close   func() error
	}{
		"connection": {a.ReceiveContext, b.Send, b.Close},
		"channel":    {ca.ReceiveContext, cb.Send, cb.Close},
	} {
		var received [messages]atomic.Int32
		var group sync.WaitGroup
		for range receivers {
			group.Go(func() {
				for b := make([]byte, 2); ; {
					ctx, end := context.WithTimeout(t.Context(), time.Duration(rand.IntN(200))*time.Microsecond)
					n, err := ends.receive(ctx, b)
					end()
					switch {
					case err == io.EOF:
						return
					case err == nil && n == 2:
						received[int(b[0])<<8|int(b[1])].Add(1)
					case ctx.Err() == nil:
						t.Errorf("%s: %d, %v", what, n, err)
						return
					}
				}
			})
		}
		for i := range messages {
			require.NoError(t, ends.send([]byte{byte(i >> 8), byte(i)}), what)
			if i%50 == 0 {
				runtime.Gosched()
			}
		}
		require.NoError(t, ends.close())
		group.Wait()
		for i := range received {
			require.EqualValues(t, 1, received[i].Load(), "%s: message %d", what, i)
		}
	}
}

func TestCloseEndsCallsThatTakeAContext(t *testing.T) {
	leakcheck.Start(t)
	a, _ := pair(t)
	ctx, end := context.WithCancel(t.Context())
	waiting := make(chan error)
	for range 3 { // one waits for the peer, and the others for that one
		go func() { waiting <- second(a.ReadContext(ctx, make([]byte, 1))) }()
	}
	require.NoError(t, a.Close())
	for range 3 {
		require.ErrorIs(t, <-waiting, net.ErrClosed)
	}
	end()
	require.Error(t, second(new(ipc.Conn).ReadContext(t.Context(), make([]byte, 1))))
	require.Error(t, second(new(ipc.Channel).ReceiveContext(t.Context(), nil)))
}

func TestWriteThatAContextEndsReturnsHowMuchWasWritten(t *testing.T) {
	leakcheck.Start(t)
	a, b := pair(t)
	ctx, end := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer end()
	n, err := a.WriteContext(ctx, make([]byte, 8<<20))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, a.Close())
	got, err := io.ReadAll(b)
	require.NoError(t, err)
	require.Len(t, got, n)
}

func TestContextThatCannotEndAllocatesNothing(t *testing.T) {
	leakcheck.Start(t)
	ctx := context.WithoutCancel(t.Context())
	operations := map[string]func() error{}
	for what, c := range newContextual(t) {
		b := make([]byte, 1)
		operations[what+": receive"] = func() error {
			if err := c.feed(); err != nil {
				return err
			}
			return c.receive(ctx, b)
		}
		operations[what+": send"] = func() error {
			if err := c.send(ctx, b); err != nil {
				return err
			}
			return c.drain()
		}
	}
	requireNoAllocations(t, operations)
}
