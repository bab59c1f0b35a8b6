package tests

import (
	"crypto/sha256"
	"fmt"
	"io"
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

// These tests have deadlines and Close race with what ends them: nothing may be lost.

// spin lets a little time go by, without giving up the processor: about what an operation takes.
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
		again, err := ipc.FileConn(f) // to which goes what b has not read
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

func TestDataWrittenJustBeforeCloseArrivesWholeAtASlowReader(t *testing.T) {
	leakcheck.Start(t)
	for _, name := range []ipc.Name{newPath(t), newNamespaced(t)} {
		l := listen(t, name)
		reader := start(t, "drain", name.String())
		c, err := l.AcceptConn(t.Context())
		require.NoError(t, err)
		reader.expect("connected")
		sent := random(60_000)
		_, err = c.Write(sent)
		require.NoError(t, err)
		require.NoError(t, c.Close())
		require.NoError(t, l.Close())
		reader.order("read") // only now: Close did not wait for it
		reader.expect(fmt.Sprintf("%d %x", len(sent), sha256.Sum256(sent)))
	}
}
