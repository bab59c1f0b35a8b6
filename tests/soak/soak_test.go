//go:build unix

// Package soak runs a server and many clients, all of them processes, for a long time, kills them at random, and looks
// for what was lost and what is left.
//
// The variable SOAK says for how long, as a Go duration; without it the run is short, with fewer clients. SOAK_SEED
// repeats the schedule of an earlier run: what each client sends, and who is to be killed when. The order in which
// processes run is still up to the system.
//
// It is for Unix: on Windows no files travel with messages, and no connection is half-closed.
package soak

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// heapSlack is how far the heap may be from its base, in bytes: about 3 for each message that the server receives in
// between in a run of two minutes. The runtime keeps some memory of goroutines that have ended; 50 KiB were seen.
const heapSlack = 512 << 10

type soak struct {
	t       *testing.T
	dir     string
	seed    uint64
	alive   *os.File
	slots   []slot
	between time.Duration // two kills of a server, on average
	life    time.Duration // of a client that is killed, at most
	failed  atomic.Bool

	started, killed          atomic.Int64 // clients
	servers, crashes, closed int
}

// A slot runs one client after the other.
type slot struct {
	schedule *rand.Rand
	next     uint64
}

func TestNoAcknowledgedMessageIsLostAndNothingIsLeftWhenProcessesAreKilled(t *testing.T) {
	leakcheck.Start(t)
	duration, clients := 2*time.Second, 20
	if text := os.Getenv("SOAK"); text != "" {
		var err error
		duration, err = time.ParseDuration(text)
		require.NoError(t, err)
		clients = 200
	}
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("SOAK_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("SOAK=%v SOAK_SEED=%d, %d clients at a time", duration, seed, clients)

	began := time.Now()
	ended, alive, err := os.Pipe()
	require.NoError(t, err)
	defer ended.Close()
	defer alive.Close()
	s := &soak{t: t, dir: leakcheck.Dir(t), seed: seed, alive: alive, slots: make([]slot, clients),
		between: min(duration/20, time.Second), life: min(duration/5, 8*time.Second)}
	for i := range s.slots {
		s.slots[i] = slot{rand.New(rand.NewPCG(seed, uint64(i))), uint64(i) << 32}
	}
	s.killServers(duration / 2)
	base, after := s.keepServer(duration/10, duration*4/10)

	require.NoError(t, alive.Close())
	require.NoError(t, ended.SetReadDeadline(time.Now().Add(patience)))
	_, err = ended.Read(make([]byte, 1))
	require.EqualError(t, err, "EOF", "a process is left")
	s.requireNoNames()
	totals := s.verify()
	t.Logf("the server at its base: %v", base)
	t.Logf("the server in the end:  %v", after)
	t.Logf("%.0f seconds: %v; %d clients, %d killed; %d servers, %d killed and %d closed; %d restarts, each at once",
		time.Since(began).Seconds(), totals, s.started.Load(), s.killed.Load(), s.servers, s.crashes, s.closed,
		s.servers-1)
	require.NotZero(t, s.killed.Load())
	require.NotZero(t, s.crashes)
}

// killServers has clients run while the server is killed, or closed, and restarted, again and again.
func (s *soak) killServers(duration time.Duration) {
	ctx, cancel := context.WithTimeout(s.t.Context(), duration)
	source := rand.New(rand.NewPCG(s.seed, s.seed))
	server := s.startServer()
	clients := s.startClients(ctx)
	defer clients.Wait()
	defer cancel()
	for turn := 1; ; turn++ {
		select {
		case <-ctx.Done():
			clients.Wait()
			s.closeServer(server)
			return
		case <-time.After(time.Duration(source.Int64N(2 * int64(s.between)))):
		}
		if turn%3 == 0 {
			s.closeServer(server)
		} else {
			s.killServer(server)
		}
		server = s.startServer()
	}
}

// keepServer has clients run while the server lives. The base is what it holds after the clients of the warm-up.
func (s *soak) keepServer(warmUp, duration time.Duration) (base, after census) {
	server := s.startServer()
	require.NoError(s.t, os.WriteFile(steadyFile(s.dir), nil, 0o600))
	s.runClients(warmUp)
	base = s.ask(server, "base\n")
	s.runClients(duration)
	after = s.ask(server, "check\n")
	require.Empty(s.t, after.Left, "left in the server")
	require.LessOrEqual(s.t, after.Heap, base.Heap+heapSlack, "%v; at the base %v", after, base)
	require.LessOrEqual(s.t, after.Resident, base.Resident+residentSlack, "%v; at the base %v", after, base)
	s.closeServer(server)
	return base, after
}

func (s *soak) runClients(duration time.Duration) {
	ctx, cancel := context.WithTimeout(s.t.Context(), duration)
	defer cancel()
	s.startClients(ctx).Wait()
	require.False(s.t, s.failed.Load())
}

func (s *soak) ask(server *process, order string) (c census) {
	_, err := io.WriteString(server.input, order)
	require.NoError(s.t, err)
	answer, err := server.answer()
	require.NoError(s.t, err)
	require.NoError(s.t, json.Unmarshal([]byte(answer), &c))
	return c
}

// startServer starts a server, whose names must be free, and are its own from then on.
func (s *soak) startServer() *process {
	server, err := startProcess(s.alive, nil, "server", s.dir, fmt.Sprint(s.seed))
	require.NoError(s.t, err)
	s.servers++
	s.t.Cleanup(func() {
		select {
		case <-server.ended:
		default: // the test has failed
			server.kill()
			server.wait()
		}
	})
	answer, err := server.answer()
	require.NoError(s.t, err)
	require.Equal(s.t, "listening\n", answer)
	for _, name := range names(s.dir) {
		_, err := ipc.Listen(name)
		require.ErrorIs(s.t, err, syscall.EADDRINUSE)
	}
	return server
}

func (s *soak) killServer(server *process) {
	server.kill()
	killed, err := server.wait()
	require.NoError(s.t, err)
	require.True(s.t, killed)
	s.crashes++
}

// closeServer lets a server end, and requires that no file of its names is left.
func (s *soak) closeServer(server *process) {
	go server.end()
	_, err := server.wait()
	require.NoError(s.t, err)
	s.closed++
	s.requireNoNames()
}

func (s *soak) requireNoNames() {
	for _, name := range names(s.dir) {
		require.NoFileExists(s.t, name.String())
		require.NoFileExists(s.t, name.String()+".lock")
	}
}

// startClients keeps a client in each slot until ctx ends. Then they end in their own time.
func (s *soak) startClients(ctx context.Context) *sync.WaitGroup {
	group := new(sync.WaitGroup)
	for i := range s.slots {
		group.Go(func() {
			for ctx.Err() == nil && !s.failed.Load() {
				if err := s.runClient(ctx, &s.slots[i]); err != nil && !s.failed.Swap(true) {
					s.t.Error(err)
				}
			}
		})
	}
	return group
}

// runClient starts a client and waits for its end. Every other one is to be killed at some time, if it has not ended.
func (s *soak) runClient(ctx context.Context, slot *slot) error {
	id := slot.next
	slot.next++
	client, err := startProcess(s.alive, []string{"GOMAXPROCS=1"}, "client", s.dir, fmt.Sprint(s.seed), fmt.Sprint(id))
	if err != nil {
		return err
	}
	s.started.Add(1)
	defer context.AfterFunc(ctx, client.end)()
	if slot.schedule.IntN(2) == 0 {
		defer time.AfterFunc(time.Duration(slot.schedule.Int64N(int64(s.life))), client.kill).Stop()
	}
	killed, err := client.wait()
	if killed {
		s.killed.Add(1)
	}
	return err
}

// totals counts acknowledged messages.
type totals struct {
	messages, empty, files, halfClosed int
	bytes                              uint64
}

func (t totals) String() string {
	return fmt.Sprintf("%d messages (%d of them empty), %.1f GiB, and %d files acknowledged, none lost; "+
		"%d half-closed connections read to the end", t.messages, t.empty, float64(t.bytes)/(1<<30), t.files, t.halfClosed)
}

// verify compares the logs: what was received is what was sent, once, and what was acknowledged was received.
func (s *soak) verify() (sum totals) {
	log, err := readLog(filepath.Join(s.dir, "received"))
	require.NoError(s.t, err)
	known := make(map[message]record, len(log))
	for _, r := range log {
		m := message{s.seed, r.Client, r.Sequence}
		_, twice := known[m]
		require.False(s.t, twice, "received twice: %+v", m)
		require.Equal(s.t, m.receivedRecord(), r)
		known[m] = r
	}
	log, err = readLog(filepath.Join(s.dir, "reported"))
	require.NoError(s.t, err)
	for _, r := range log {
		if r.Event == halfClosed {
			sum.halfClosed++
			continue
		}
		m := message{s.seed, r.Client, r.Sequence}
		found, ok := known[m]
		require.True(s.t, ok, "acknowledged, and lost or acknowledged twice: %+v", m)
		delete(known, m)
		sum.messages++
		sum.bytes += uint64(found.Size)
		sum.files += int(found.Files)
		if found.Size == 0 {
			sum.empty++
		}
	}
	for _, count := range []int{sum.messages, sum.empty, sum.files, sum.halfClosed} {
		require.NotZero(s.t, count, "%v", sum)
	}
	return sum
}
