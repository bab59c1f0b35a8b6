package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/lipc/ipc"
)

var pingCommand = command{
	name: "ping", arguments: "NAME",
	about: "measure round trips to a \"lipc listen NAME -echo\"",
	details: `
Sends a piece, waits until all of it has come back, and repeats that. At the end, or when interrupted, it prints the
percentiles of the times of all round trips. Without -interval it first performs a hundred round trips that are not
counted. The server can be any that sends back what it receives.

  lipc listen user:echo -echo &
  lipc ping user:echo
  lipc ping user:echo -size 65536 -count 1000

  lipc listen user:fast -echo -channel &
  lipc ping user:fast -channel`,
	define: func(options *flag.FlagSet) run {
		var p pinging
		p.define(options)
		return p.run
	},
}

// pinging is the command ping.
type pinging struct {
	kind
	dialer
	size, count int
	interval    time.Duration
	patience    time.Duration
}

func (p *pinging) define(options *flag.FlagSet) {
	p.kind.define(options)
	p.dialer.define(options, usualServers)
	options.IntVar(&p.size, "size", 64, "how many `bytes` to send at a time")
	options.IntVar(&p.count, "count", 10_000, "how `many` round trips")
	options.Var((*duration)(&p.interval), "interval", "how `long` to wait between round trips (default 0s)")
	p.patience = 5 * time.Second
	options.Var((*duration)(&p.patience), "patience", "how `long` to wait for an answer")
}

// uncounted is how many round trips are not counted at first, while caches and clocks warm up.
const uncounted = 100

func (p *pinging) run(ctx context.Context, arguments, _ []string) error {
	name, err := oneName(arguments)
	if err == nil {
		err = p.kind.check(p.only)
	}
	if err == nil && (p.size < 1 || p.size > messageLimit) {
		err = usageError{fmt.Sprintf("-size %d: 1 to %d", p.size, messageLimit)}
	}
	if err == nil && (p.count < 1 || p.interval < 0 || p.patience <= 0) {
		err = usageError{"-count and -patience must be over 0, and -interval not under"}
	}
	if err != nil {
		return err
	}
	c, err := p.connect(ctx, name)
	if err != nil {
		return err
	}
	defer c.Close()
	took, err := p.measure(ctx, c)
	if len(took) > 0 {
		if _, err := fmt.Print(p.report(name, took)); err != nil {
			return outputError(err)
		}
	}
	return err
}

// connect connects. For datagrams it binds a name of its own, so that the server can answer.
func (p *pinging) connect(ctx context.Context, name ipc.Name) (connection, error) {
	if !p.datagram {
		return p.dial(ctx, p.kind, name)
	}
	return p.dialFrom(ctx, p.kind, ipc.Namespaced(fmt.Sprintf("lipc-ping-%d", os.Getpid())), name)
}

// measure performs the round trips, and returns the times of those that count.
func (p *pinging) measure(ctx context.Context, c connection) ([]time.Duration, error) {
	sent, got := make([]byte, p.size), make([]byte, p.size)
	_, _ = rand.Read(sent) // never fails
	late := time.AfterFunc(p.patience, func() { c.Close() })
	defer late.Stop()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	var took []time.Duration
	warmUp := uncounted
	if p.interval > 0 {
		warmUp = 0
	}
	for i := range warmUp + p.count {
		var number [8]byte
		binary.LittleEndian.PutUint64(number[:], uint64(i))
		copy(sent, number[:])
		late.Reset(p.patience)
		began := time.Now()
		err := c.exchange(sent, got)
		if ctx.Err() != nil {
			return took, context.Cause(ctx)
		}
		if err != nil && !late.Stop() {
			return took, fmt.Errorf("no answer within %v", p.patience)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.EPIPE) {
			return took, errors.New("the peer ended the connection, in place of an answer")
		}
		if err != nil {
			return took, err
		}
		trip := time.Since(began)
		if !bytes.Equal(sent, got) {
			return took, errors.New("something else came back than was sent: the peer is no echo server")
		}
		if i >= warmUp {
			took = append(took, trip)
		}
		if p.interval > 0 {
			late.Stop()
			select {
			case <-time.After(p.interval):
			case <-ctx.Done():
				return took, context.Cause(ctx)
			}
		}
	}
	return took, nil
}

// report returns the percentiles as text, by nearest rank.
func (p *pinging) report(name ipc.Name, took []time.Duration) string {
	slices.Sort(took)
	at := func(permille int) string {
		return micro(took[(len(took)*permille+999)/1000-1])
	}
	return fmt.Sprintf("%s: %d round trips of %d bytes\n"+
		"minimum %s, median %s, 90 %% %s, 99 %% %s, 99.9 %% %s, maximum %s\n",
		name, len(took), p.size, micro(took[0]), at(500), at(900), at(990), at(999), micro(took[len(took)-1]))
}

// micro returns a time in microseconds as text.
func micro(d time.Duration) string {
	return fmt.Sprintf("%.1f µs", float64(d.Nanoseconds())/1e3)
}
