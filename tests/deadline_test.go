package tests

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// A wait is a way to wait on a connection or a listener.
type wait struct {
	wait        func() error
	setDeadline func(time.Time) error
	close       func() error
}

// waits lists every way to wait on a connection or a listener.
func waits(t *testing.T) map[string]wait {
	t.Helper()
	name := newPath(t)
	l := listen(t, name)
	reader, _ := pair(t)
	vectorReader, _ := pair(t)
	polling, _ := pair(t)
	require.NoError(t, polling.SetSpin(time.Millisecond))
	hotReader, _ := spinningPair(t)
	hotWriter, _ := spinningPair(t)
	fill(t, hotWriter)
	writer, _ := pair(t)
	fill(t, writer)
	vectorWriter, _ := pair(t)
	fill(t, vectorWriter)
	all := map[string]wait{
		"read ipc": {func() error { _, err := reader.Read(make([]byte, 1)); return err },
			reader.SetReadDeadline, reader.Close},
		"read ipc, vectored": {func() error { _, err := vectorReader.ReadBuffers([][]byte{make([]byte, 1)}); return err },
			vectorReader.SetDeadline, vectorReader.Close},
		"read ipc, polling": {func() error { _, err := polling.Read(make([]byte, 1)); return err },
			polling.SetDeadline, polling.Close},
		"read ipc " + nameOf(t, hotReader.RemoteAddr()).String() + ", polling": {
			func() error { _, err := hotReader.Read(make([]byte, 1)); return err },
			hotReader.SetReadDeadline, hotReader.Close},
		"write ipc " + nameOf(t, hotWriter.RemoteAddr()).String() + ", polling": {
			func() error { _, err := hotWriter.Write(make([]byte, 1<<20)); return err },
			hotWriter.SetWriteDeadline, hotWriter.Close},
		"write ipc": {func() error { _, err := writer.Write(make([]byte, 1<<20)); return err },
			writer.SetWriteDeadline, writer.Close},
		"write ipc, vectored": {
			func() error { _, err := vectorWriter.WriteBuffers([][]byte{make([]byte, 1<<20)}); return err },
			vectorWriter.SetDeadline, vectorWriter.Close},
		"accept ipc " + name.String(): {func() error { _, err := l.Accept(); return err }, l.SetDeadline, l.Close},
	}
	maps.Copy(all, systemWaits(t))
	return all
}

// operation returns what the errors of a wait with that name begin with.
func operation(name string) string {
	before, _, _ := bytes.Cut([]byte(name), []byte(","))
	return string(before)
}

func TestDeadlineEndsEveryWait(t *testing.T) {
	leakcheck.Start(t)
	for name, w := range waits(t) {
		for _, deadline := range []time.Duration{-time.Hour, time.Millisecond, 20 * time.Millisecond} {
			require.NoError(t, w.setDeadline(time.Now().Add(deadline)))
			err := w.wait()
			require.ErrorIs(t, err, os.ErrDeadlineExceeded, name)
			require.ErrorContains(t, err, operation(name))
			var timeout net.Error
			require.ErrorAs(t, err, &timeout)
			require.True(t, timeout.Timeout())
		}
		require.NoError(t, w.setDeadline(time.Time{}))
		ended := make(chan error)
		go func() { ended <- w.wait() }()
		require.NoError(t, w.setDeadline(time.Now().Add(time.Millisecond))) // set while it waits
		require.ErrorIs(t, <-ended, os.ErrDeadlineExceeded, name)
	}
}

func TestCloseEndsEveryWait(t *testing.T) {
	leakcheck.Start(t)
	for name, w := range waits(t) {
		const waiters = 3
		ended := make(chan error)
		for range waiters {
			go func() { ended <- w.wait() }()
		}
		require.NoError(t, w.close())
		for range waiters {
			err := <-ended
			require.ErrorIs(t, err, net.ErrClosed, name)
			require.ErrorContains(t, err, operation(name))
		}
		require.ErrorIs(t, w.wait(), net.ErrClosed, name)
		err := w.close()
		require.ErrorIs(t, err, net.ErrClosed, name)
		require.ErrorContains(t, err, "close ipc")
		require.ErrorIs(t, w.setDeadline(time.Now()), net.ErrClosed, name)
	}
}

func TestPastDeadlineFailsEvenWithDataReady(t *testing.T) {
	leakcheck.Start(t)
	a, b := pair(t)
	_, err := b.Write([]byte("x"))
	require.NoError(t, err)
	require.NoError(t, a.SetDeadline(time.Now().Add(-time.Second)))
	_, err = a.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	_, err = a.Write([]byte("x"))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, a.SetDeadline(time.Time{}))
	n, err := a.Read(make([]byte, 1))
	require.NoError(t, err)
	require.Equal(t, 1, n)

	name := newPath(t)
	l := listen(t, name)
	dial(t, name)
	require.NoError(t, l.SetDeadline(time.Now().Add(-time.Second)))
	_, err = l.Accept()
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
}

func TestCancelledContextEndsEveryWait(t *testing.T) {
	leakcheck.Start(t)
	name, idle := newPath(t), newPath(t)
	lc := ipc.ListenConfig{Backlog: 1}
	full, err := lc.Listen(t.Context(), name)
	require.NoError(t, err)
	defer full.Close()
	fillBacklog(t, name)
	l := listen(t, idle)
	for _, w := range []struct {
		operation string
		wait      func(ctx context.Context) error
	}{
		{"dial ipc " + name.String(), func(ctx context.Context) error { _, err := ipc.Dial(ctx, name); return err }},
		{"accept ipc " + idle.String(), func(ctx context.Context) error { _, err := l.AcceptConn(ctx); return err }},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- w.wait(ctx) }()
		cancel()
		for err := range map[error]bool{<-ended: true, w.wait(ctx): true} { // cancelled while it waits, and before
			require.ErrorIs(t, err, context.Canceled)
			require.ErrorContains(t, err, w.operation)
		}
		ctx, cancel = context.WithTimeout(t.Context(), time.Millisecond)
		err := w.wait(ctx)
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		var timeout net.Error
		require.ErrorAs(t, err, &timeout)
		require.True(t, timeout.Timeout())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = lc.Listen(ctx, newPath(t))
	require.ErrorIs(t, err, context.Canceled)
	d := ipc.Dialer{Timeout: time.Millisecond}
	_, err = d.Dial(t.Context(), name)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestContextOfOneAcceptDoesNotDisturbOthers(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	l := listen(t, name)
	accepted := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			c.Close()
		}
		accepted <- err
	}()
	for range 50 { // one of them holds the turn to accept, others wait for it
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { _, err := l.AcceptConn(ctx); ended <- err }()
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
	}
	dial(t, name)
	require.NoError(t, <-accepted)
	require.NoError(t, l.SetDeadline(time.Now().Add(10*time.Millisecond))) // the caller's own deadline still counts
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := l.AcceptConn(ctx)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
}

func TestConnectionsAreNotLostToCancelledAccepts(t *testing.T) {
	leakcheck.Start(t)
	const count = 300
	name := newPath(t)
	l := listen(t, name)
	served := make(chan int)
	go func() {
		n := 0
		for n < count {
			ctx, cancel := context.WithCancel(context.Background())
			go cancel()
			c, err := l.AcceptConn(ctx)
			if err == nil {
				n++
				c.Write([]byte{1})
				c.Close()
			}
		}
		served <- n
	}()
	for range count {
		require.Equal(t, "data", dialAndRead(name))
	}
	require.Equal(t, count, <-served)
}

// spin takes about as long as an operation, and keeps its processor.
func spin(source *rand.Rand) {
	for end := time.Now().Add(time.Duration(source.IntN(100)) * time.Microsecond); time.Now().Before(end); {
		runtime.Gosched()
	}
}

func TestReadsThatMeetADeadlineLoseNoBytes(t *testing.T) {
	leakcheck.Start(t)
	a, b := pair(t)
	sent := random(200_000)
	ended := make(chan error, 1)
	go func() {
		source := rand.New(rand.NewPCG(1, 2))
		for rest := sent; len(rest) > 0; {
			n := min(len(rest), 1+source.IntN(100))
			if _, err := a.Write(rest[:n]); err != nil {
				ended <- err
				return
			}
			rest = rest[n:]
			spin(source)
		}
		ended <- a.Close()
	}()
	got := make([]byte, 0, len(sent))
	source := rand.New(rand.NewPCG(3, 4))
	piece := make([]byte, 64)
	cut := 0
	for {
		require.NoError(t, b.SetReadDeadline(time.Now().Add(time.Duration(source.IntN(100))*time.Microsecond)))
		n, err := b.Read(piece)
		got = append(got, piece[:n]...)
		if err == io.EOF {
			break
		}
		if err != nil {
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			cut++
		}
	}
	require.NoError(t, <-ended)
	require.Equal(t, sha256.Sum256(sent), sha256.Sum256(got), "%d bytes sent, %d came", len(sent), len(got))
	t.Logf("%d reads met their deadline", cut)
}

func TestReceivesThatMeetADeadlineLoseNoMessages(t *testing.T) {
	leakcheck.Start(t)
	a, b := messagePair(t)
	const count = 5000
	ended := make(chan error, 1)
	go func() {
		source := rand.New(rand.NewPCG(1, 2))
		for i := range count {
			if err := a.Send(fmt.Append(nil, i)); err != nil {
				ended <- err
				return
			}
			spin(source)
		}
		ended <- a.Close()
	}()
	source := rand.New(rand.NewPCG(3, 4))
	message := make([]byte, 64)
	cut := 0
	for i := 0; ; {
		require.NoError(t, b.SetReadDeadline(time.Now().Add(time.Duration(source.IntN(100))*time.Microsecond)))
		n, err := b.Receive(message)
		if err == io.EOF {
			require.Equal(t, count, i)
			break
		}
		if err != nil {
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			cut++
			continue
		}
		require.Equal(t, fmt.Sprint(i), string(message[:n]))
		i++
	}
	require.NoError(t, <-ended)
	t.Logf("%d receives met their deadline", cut)
}

func TestReadThatMeetsCloseLosesNoBytes(t *testing.T) {
	leakcheck.Start(t)
	source := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		a, b, err := ipc.Pair()
		require.NoError(t, err)
		f, err := b.File()
		require.NoError(t, err)
		again, err := ipc.FileConn(f) // it gets what b has not read
		require.NoError(t, err)
		require.NoError(t, f.Close())
		got := 0
		errs := race(
			func() (err error) {
				got, err = b.Read(make([]byte, 10))
				return err
			},
			func() error { return second(a.Write(make([]byte, 10))) },
			func() error {
				spin(source)
				return b.Close()
			},
		)
		if errs[0] != nil {
			require.ErrorIs(t, errs[0], net.ErrClosed)
		}
		require.NoError(t, errs[1])
		require.NoError(t, errs[2])
		require.NoError(t, a.Close())
		rest, err := io.ReadAll(again)
		require.NoError(t, err)
		require.Equal(t, 10, got+len(rest), "%d read, %d left", got, len(rest))
		require.NoError(t, again.Close())
	}
}
