package tests

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/facility"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// messagePair returns two connected ends, which are closed when the test ends. Where the system has no messages it
// requires an error that says so, and skips the rest.
func messagePair(t *testing.T) (a, b *ipc.MessageConn) {
	t.Helper()
	a, b, err := ipc.MessagePair()
	if runtime.GOOS == "darwin" {
		require.ErrorIs(t, err, errors.ErrUnsupported)
		require.ErrorContains(t, err, "darwin")
		facility.Missing(t, "SOCK_SEQPACKET")
	}
	require.NoError(t, err)
	t.Cleanup(func() {
		a.Close()
		b.Close()
	})
	return a, b
}

// messageConns returns the ends of a connection over a name.
func messageConns(t *testing.T, name ipc.Name) (client, server *ipc.MessageConn) {
	t.Helper()
	l, err := ipc.ListenMessage(name)
	require.NoError(t, err)
	defer l.Close()
	client, err = ipc.DialMessage(t.Context(), name)
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	server, err = l.AcceptConn(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { server.Close() })
	return client, server
}

func TestMessagesArriveAsTheyWereSent(t *testing.T) {
	leakcheck.Start(t)
	a, b := messagePair(t)
	limit := largest(t, a)
	for _, size := range []int{0, 1, 4096, 100_000, limit, 0, 1} {
		sent := random(size)
		ended := sendAside(a, sent)
		got := make([]byte, limit)
		n, err := b.Receive(got)
		require.NoError(t, err, "%d", size)
		require.True(t, bytes.Equal(sent, got[:n]), "%d bytes: got %d", size, n)
		require.NoError(t, <-ended, "%d", size)
	}
	require.NoError(t, a.Close())
	_, err := b.Receive(make([]byte, 1))
	require.True(t, err == io.EOF, "the end comes bare: %v", err)
}

// sendAside sends a message in the background: on Windows one that is larger than the pipe's buffer waits for its
// receiver.
func sendAside(c *ipc.MessageConn, message []byte) (ended chan error) {
	ended = make(chan error, 1)
	go func() { ended <- c.Send(message) }()
	return ended
}

func TestEmptyMessageIsNotEOF(t *testing.T) {
	leakcheck.Start(t)
	pairA, pairB := messagePair(t)
	client, server := messageConns(t, newPath(t))
	otherClient, otherServer := messageConns(t, newPath(t))
	spaceA, spaceB := messageConns(t, newNamespaced(t))
	for _, conns := range [][2]*ipc.MessageConn{
		{pairA, pairB}, {client, server}, {otherServer, otherClient}, {spaceA, spaceB},
	} {
		from, to := conns[0], conns[1]
		for _, message := range []string{"", "", "", "next"} {
			require.NoError(t, from.Send([]byte(message)))
		}
		n, err := to.Peek(make([]byte, 10))
		require.NoError(t, err)
		require.Zero(t, n)
		n, err = to.Receive(make([]byte, 10))
		require.NoError(t, err)
		require.Zero(t, n)
		n, err = to.Receive(nil)
		require.NoError(t, err)
		require.Zero(t, n)
		got, err := to.ReceiveAppend([]byte("kept"))
		require.NoError(t, err)
		require.Equal(t, "kept", string(got))
		got, err = to.ReceiveAppend(nil)
		require.NoError(t, err)
		require.Equal(t, "next", string(got))
		require.NoError(t, from.Send(nil)) // and one that is followed by the end
		require.NoError(t, from.Close())
		_, err = to.Receive(nil)
		require.NoError(t, err)
		for range 2 {
			_, err = to.Receive(make([]byte, 1))
			require.Equal(t, io.EOF, err)
			_, err = to.Peek(nil)
			require.Equal(t, io.EOF, err)
			_, err = to.ReceiveAppend(nil)
			require.Equal(t, io.EOF, err)
			_, err = to.ReceiveBatch([][]byte{nil, nil})
			require.Equal(t, io.EOF, err)
		}
	}
}

func TestEmptyMessageThatNoneFollowsIsPeeked(t *testing.T) {
	leakcheck.Start(t)
	a, b := messagePair(t)
	require.NoError(t, a.Send(nil))
	if onWine { // Wine 8 does not tell such a message from none, and this waits for one that follows
		require.NoError(t, a.Send([]byte("follows")))
	}
	n, err := b.Peek(make([]byte, 10))
	require.NoError(t, err)
	require.Zero(t, n)
	if tellsSizes {
		n, err = b.MessageSize()
		require.NoError(t, err)
		require.Zero(t, n)
	}
	n, err = b.Receive(make([]byte, 10))
	require.NoError(t, err)
	require.Zero(t, n)
}

func TestMessagesSentBeforeAcceptAreKept(t *testing.T) {
	leakcheck.Start(t)
	messagePair(t)
	name := newPath(t)
	l, err := ipc.ListenMessage(name)
	require.NoError(t, err)
	defer l.Close()
	c, err := ipc.DialMessage(t.Context(), name)
	require.NoError(t, err)
	require.NoError(t, c.Send(nil))
	require.NoError(t, c.Send([]byte("last words")))
	require.NoError(t, c.Close())
	for accepted, err := range l.Incoming(t.Context()) {
		require.NoError(t, err)
		n, err := accepted.Receive(make([]byte, 100))
		require.NoError(t, err)
		require.Zero(t, n)
		got, err := accepted.ReceiveAppend(nil)
		require.NoError(t, err)
		require.Equal(t, "last words", string(got))
		_, err = accepted.Receive(nil)
		require.Equal(t, io.EOF, err)
		require.NoError(t, accepted.Close())
		break
	}
}

func TestPeerThatLeftUnreadMessagesIsStillReadToTheEnd(t *testing.T) {
	leakcheck.Start(t)
	a, b := messagePair(t)
	require.NoError(t, a.Send([]byte("never read")))
	require.NoError(t, b.Send([]byte("one")))
	require.NoError(t, b.Send([]byte("two")))
	require.NoError(t, b.Close())
	for _, want := range []string{"one", "two"} { // Linux reports the reset ahead of them
		got, err := a.ReceiveAppend(nil)
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
	_, err := a.Receive(make([]byte, 1))
	require.Equal(t, io.EOF, err)
	require.ErrorIs(t, a.Send([]byte("x")), syscall.EPIPE)
}

func TestMessageThatDoesNotFitIsTruncated(t *testing.T) {
	leakcheck.Start(t)
	a, b := messagePair(t)
	require.NoError(t, a.Send([]byte("too long")))
	require.NoError(t, a.Send([]byte("next")))
	got := make([]byte, 3)
	n, err := b.Peek(got)
	require.ErrorIs(t, err, ipc.ErrTruncated)
	require.Equal(t, "too", string(got[:n]))
	if tellsSizes {
		n, err = b.MessageSize()
		require.NoError(t, err)
		require.Equal(t, 8, n)
	} else {
		_, err = b.MessageSize()
		require.ErrorIs(t, err, errors.ErrUnsupported)
	}
	n, err = b.Receive(got)
	require.ErrorIs(t, err, ipc.ErrTruncated)
	require.ErrorContains(t, err, "read ipc: message truncated")
	require.Equal(t, "too", string(got[:n]))
	n, err = b.Receive(make([]byte, 4)) // just fits
	require.NoError(t, err)
	require.Equal(t, 4, n)
}

func TestReceiveAppendNeverTruncates(t *testing.T) {
	leakcheck.Start(t)
	a, b := messagePair(t)
	limit := largest(t, a)
	var got []byte
	var err error
	for _, size := range []int{10, 0, limit, 1} {
		sent := random(size)
		ended := sendAside(a, sent)
		before := len(got)
		got, err = b.ReceiveAppend(got)
		require.NoError(t, err)
		require.NoError(t, <-ended)
		require.True(t, bytes.Equal(sent, got[before:]), "%d", size)
	}
}

func TestMessageOverMaxMessageIsDroppedAndTheNextIsNot(t *testing.T) {
	leakcheck.Start(t)
	a, b := messagePair(t)
	tooLarge := "a message of 1001 bytes, MaxMessage is 1000: message truncated"
	if !tellsSizes {
		tooLarge = "a message of more than 1000 bytes, which MaxMessage is: message truncated"
	}
	require.NoError(t, b.SetMaxMessage(1000))
	for _, before := range [][]byte{nil, []byte("before"), append(make([]byte, 0, 5000), "before"...)} {
		for _, size := range []int{1000, 1001, 0, 1000} {
			sent := random(size)
			ended := sendAside(a, sent)
			got, err := b.ReceiveAppend(before)
			require.NoError(t, <-ended)
			if size > 1000 {
				require.ErrorIs(t, err, ipc.ErrTruncated)
				require.ErrorContains(t, err, "read ipc: "+tooLarge)
				require.Equal(t, before, got)
				require.Equal(t, cap(before), cap(got))
				continue
			}
			require.NoError(t, err)
			require.Equal(t, string(before)+string(sent), string(got))
		}
	}
	require.NoError(t, b.SetMaxMessage(0)) // the default
	ended := sendAside(a, random(largest(t, a)))
	got, err := b.ReceiveAppend(nil)
	require.NoError(t, err)
	require.NoError(t, <-ended)
	require.Len(t, got, largest(t, a))
}

func TestMessageOverMaxMessageTakesNoMemory(t *testing.T) {
	leakcheck.Start(t)
	a, b := messagePair(t)
	require.NoError(t, b.SetMaxMessage(1))
	large := random(min(100_000, largest(t, a)))
	allocated := func() uint64 {
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.TotalAlloc
	}
	before := allocated()
	for range 10 {
		ended := sendAside(a, large)
		_, err := b.ReceiveAppend(nil)
		require.ErrorIs(t, err, ipc.ErrTruncated)
		require.NoError(t, <-ended)
	}
	require.Less(t, allocated()-before, uint64(10*len(large)))
}

func TestMaxMessageIsAnOptionOfDialersAndListeners(t *testing.T) {
	leakcheck.Start(t)
	messagePair(t) // or the system has no messages
	name := newPath(t)
	l, err := (&ipc.ListenConfig{MaxMessage: 3}).ListenMessage(t.Context(), name)
	require.NoError(t, err)
	defer l.Close()
	client, err := (&ipc.Dialer{MaxMessage: 2}).DialMessage(t.Context(), name)
	require.NoError(t, err)
	defer client.Close()
	server := accept(t, l)
	for _, c := range []struct {
		from, to *ipc.MessageConn
		most     int
	}{{client, server, 3}, {server, client, 2}} {
		for _, size := range []int{c.most + 1, c.most} {
			ended := sendAside(c.from, random(size))
			got, err := c.to.ReceiveAppend(nil)
			require.NoError(t, <-ended)
			if size > c.most {
				require.ErrorIs(t, err, ipc.ErrTruncated)
			} else {
				require.NoError(t, err)
				require.Len(t, got, size)
			}
		}
	}
	for what, err := range map[string]error{
		"set":    client.SetMaxMessage(-1),
		"dial":   second((&ipc.Dialer{MaxMessage: -1}).DialMessage(t.Context(), name)),
		"listen": second((&ipc.ListenConfig{MaxMessage: -1}).ListenMessage(t.Context(), name)),
	} {
		require.ErrorIs(t, err, syscall.EINVAL, what)
		require.ErrorContains(t, err, "negative MaxMessage", what)
	}
	require.ErrorIs(t, new(ipc.MessageConn).SetMaxMessage(1), syscall.EINVAL)
	require.NoError(t, client.Close())
	require.ErrorIs(t, client.SetMaxMessage(1), net.ErrClosed)
}

func TestBatchesReportHowFarTheyGot(t *testing.T) {
	leakcheck.Start(t)
	a, b := messagePair(t)
	n, err := a.SendBatch([][]byte{[]byte("one"), nil, []byte("three")})
	require.NoError(t, err)
	require.Equal(t, 3, n)
	got := [][]byte{make([]byte, 10), make([]byte, 10), make([]byte, 4), make([]byte, 10)}
	n, err = b.ReceiveBatch(got)
	require.Equal(t, 3, n)
	require.ErrorIs(t, err, ipc.ErrTruncated)
	require.Equal(t, []string{"one", "", "thre"}, []string{string(got[0]), string(got[1]), string(got[2])})
	require.NoError(t, a.Send([]byte("last")))
	require.NoError(t, a.Close())
	n, err = b.ReceiveBatch([][]byte{make([]byte, 10), make([]byte, 10)})
	require.NoError(t, err)
	require.Equal(t, 1, n)
	_, err = b.ReceiveBatch([][]byte{make([]byte, 10)})
	require.Equal(t, io.EOF, err, "left to the next receive")
	a, b = messagePair(t)

	n, err = a.SendBatch(nil)
	require.NoError(t, err)
	require.Zero(t, n)
	n, err = b.ReceiveBatch(nil)
	require.NoError(t, err)
	require.Zero(t, n)

	// More than the system holds at a time.
	const count = 5000
	many := make([][]byte, count)
	for i := range many {
		many[i] = fmt.Append(nil, i)
	}
	sent := make(chan error)
	go func() {
		n, err := a.SendBatch(many)
		if n != count && err == nil {
			err = fmt.Errorf("%d sent", n)
		}
		sent <- err
	}()
	memory, batch := make([]byte, 64*16), make([][]byte, 64)
	for received := 0; received < count; {
		for i := range batch {
			batch[i] = memory[16*i : 16*i+16]
		}
		n, err := b.ReceiveBatch(batch)
		require.NoError(t, err)
		require.Positive(t, n)
		for _, message := range batch[:n] {
			require.Equal(t, fmt.Sprint(received), string(message))
			received++
		}
	}
	require.NoError(t, <-sent)
}

func TestBatchMeetsADeadlineHalfway(t *testing.T) {
	leakcheck.Start(t)
	a, b := messagePair(t)
	many := make([][]byte, 100_000)
	for i := range many {
		many[i] = []byte("message")
	}
	require.NoError(t, a.SetWriteDeadline(time.Now().Add(50*time.Millisecond)))
	n, err := a.SendBatch(many)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, a.Close())
	for received := 0; ; received++ {
		if _, err := b.Receive(make([]byte, 10)); err != nil {
			require.Equal(t, io.EOF, err)
			require.Equal(t, n, received)
			break
		}
	}
}

func TestMessageOperationsEndWithDeadlinesAndClose(t *testing.T) {
	leakcheck.Start(t)
	a, b := messagePair(t)
	full, _ := messagePair(t)
	message := make([]byte, 1000)
	for full.SetWriteDeadline(time.Now().Add(10*time.Millisecond)) == nil {
		if err := full.Send(message); err != nil {
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			break
		}
	}
	require.NoError(t, full.SetWriteDeadline(time.Time{}))
	require.NoError(t, b.Send(nil)) // a deadline in the past counts although there is data
	require.NoError(t, a.SetReadDeadline(time.Now().Add(-time.Second)))
	_, err := a.Receive(message)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, a.SetReadDeadline(time.Time{}))
	_, err = a.Receive(message)
	require.NoError(t, err)
	for what, wait := range map[string]func() error{
		"read ipc: receive":  func() error { _, err := a.Receive(message); return err },
		"read ipc: append":   func() error { _, err := a.ReceiveAppend(nil); return err },
		"read ipc: batch":    func() error { _, err := a.ReceiveBatch([][]byte{message}); return err },
		"read ipc: peek":     func() error { _, err := a.Peek(message); return err },
		"read ipc: size":     func() error { _, err := a.MessageSize(); return err },
		"write ipc: send":    func() error { return full.Send(message) },
		"write ipc: in turn": func() error { _, err := full.SendBatch([][]byte{message}); return err },
	} {
		if strings.HasSuffix(what, "size") && !tellsSizes {
			continue
		}
		operation, _, _ := strings.Cut(what, ":")
		ended := make(chan error)
		go func() { ended <- wait() }()
		require.NoError(t, a.SetDeadline(time.Now().Add(time.Millisecond)))
		require.NoError(t, full.SetDeadline(time.Now().Add(time.Millisecond)))
		err := <-ended
		require.ErrorIs(t, err, os.ErrDeadlineExceeded, what)
		require.ErrorContains(t, err, operation)
		require.NoError(t, a.SetDeadline(time.Time{}))
		require.NoError(t, full.SetDeadline(time.Time{}))
	}
	ended := make(chan error)
	go func() { _, err := a.Receive(message); ended <- err }()
	go func() { ended <- full.Send(message) }()
	require.NoError(t, a.Close())
	require.NoError(t, full.Close())
	require.ErrorIs(t, <-ended, net.ErrClosed)
	require.ErrorIs(t, <-ended, net.ErrClosed)
	_, err = a.SendBatch(nil)
	require.ErrorIs(t, err, net.ErrClosed)
}

func TestMessagesFromManySendersAreWhole(t *testing.T) {
	leakcheck.Start(t)
	a, b := messagePair(t)
	const senders, count, size = 8, 200, 5000
	var group sync.WaitGroup
	for i := range senders {
		group.Go(func() {
			message := bytes.Repeat([]byte{byte(i)}, size)
			for range count {
				if err := a.Send(message); err != nil {
					t.Errorf("%v", err)
					return
				}
			}
		})
	}
	got := make([]byte, size+1)
	for range senders * count {
		n, err := b.Receive(got)
		require.NoError(t, err)
		require.Equal(t, size, n)
		require.Equal(t, size, bytes.Count(got[:n], got[:1]))
	}
	group.Wait()
}

func TestMessagesAllocateNothing(t *testing.T) {
	leakcheck.Start(t)
	a, b := messagePair(t)
	message, batch, got := make([]byte, 64), make([][]byte, 8), make([][]byte, 8)
	memory := make([]byte, 1024)
	requireNoAllocations(t, map[string]func() error{
		"send and receive": func() error {
			err := a.Send(message)
			if err == nil {
				_, err = b.Receive(message)
			}
			return err
		},
		"batch": func() error {
			for i := range batch {
				batch[i], got[i] = message, memory[i*100:i*100+100]
			}
			_, err := a.SendBatch(batch)
			if err == nil {
				_, err = b.ReceiveBatch(got)
			}
			return err
		},
		"append": func() error {
			err := a.Send(message)
			if err == nil {
				_, err = b.ReceiveAppend(memory[:0])
			}
			return err
		},
	})
}

func TestCancelledContextEndsMessageDialAndAccept(t *testing.T) {
	leakcheck.Start(t)
	messagePair(t)
	lc := ipc.ListenConfig{Backlog: 1}
	name := newPath(t)
	l, err := lc.ListenMessage(t.Context(), name)
	require.NoError(t, err)
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	_, err = l.AcceptConn(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		c, err := ipc.DialMessage(ctx, name)
		cancel()
		if err != nil {
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.ErrorContains(t, err, "dial ipc "+name.String())
			break
		}
		defer c.Close()
	}
	_, err = ipc.DialMessage(t.Context(), newPath(t))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestMessageOfBuffersIsGatheredAndScattered(t *testing.T) {
	leakcheck.Start(t)
	a, b := pair(t)
	m, n := messagePair(t)
	for _, conns := range [][2]interface {
		SendMessage(*ipc.Message) (int, error)
		ReceiveMessage(*ipc.Message) (int, error)
	}{{a, b}, {m, n}} {
		sent, err := conns[0].SendMessage(&ipc.Message{Buffers: [][]byte{[]byte("ga"), nil, []byte("thered")}})
		require.NoError(t, err)
		require.Equal(t, 8, sent)
		in := ipc.Message{Buffers: [][]byte{make([]byte, 1), nil, make([]byte, 20)}, MaxFiles: 1}
		got, err := conns[1].ReceiveMessage(&in)
		require.NoError(t, err)
		require.Equal(t, 8, got)
		require.Equal(t, "g", string(in.Buffers[0]))
		require.Equal(t, "athered", string(in.Buffers[2][:7]))
		require.Empty(t, in.Files)
	}
}
