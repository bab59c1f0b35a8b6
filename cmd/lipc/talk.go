package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"sync"
	"syscall"

	"github.com/lipc/ipc"
)

var listenCommand = command{
	name: "listen", arguments: "NAME",
	about: "wait for a connection, as standard input and output",
	details: `
Waits for a connection, sends it standard input, and writes what the peer sends to standard output, until both have
ended. Nobody else can connect meanwhile. With -keep it then waits for the next connection; it sends nothing.

When standard input ends, the peer reads end of stream, and what it sends is still received. Pipes on Windows have no
half-closes: there the connection is closed instead, unless standard input was empty or -hold is given. When the peer
has ended and standard input is a terminal, the command does not wait for the end of standard input.

With -datagram it prints the datagrams that anybody sends, until interrupted.

  lipc listen user:talk                        talk to the first client
  lipc listen system:log -mode 0666 -only www-data -keep >> log
                                               collect the output of one client of www-data after the other
  lipc listen user:jobs -message | while read -r job; do …; done
  lipc listen user:echo -echo                  send everything back, for lipc ping
  lipc listen user:copy -channel > copy.img    through shared memory, from "lipc connect user:copy -channel"`,
	define: func(options *flag.FlagSet) run {
		var l listening
		l.define(options)
		return l.run
	},
}

var connectCommand = command{
	name: "connect", arguments: "NAME",
	about: "connect standard input and output to a listener",
	details: `
Connects, sends standard input, and writes what the peer sends to standard output, until both have ended.

When standard input ends, the peer reads end of stream, and what it sends is still received. Pipes on Windows have no
half-closes: there the connection is closed instead, unless standard input was empty or -hold is given. When the peer
has ended and standard input is a terminal, the command does not wait for the end of standard input.

Exit code 0 means that everything was sent. It does not mean that the peer has read it.

With -datagram it sends standard input, and ends. With -from it binds a name, to which the peer can answer: it prints
the answers, and runs until interrupted, or until -count answers have come.

  lipc connect user:copy < disk.img
  lipc connect user:copy -channel < disk.img   to "lipc listen user:copy -channel"
  printf 'GET / HTTP/1.0\r\n\r\n' | lipc connect /run/docker.sock
  lipc connect user:jobs -message -timeout 10s < jobs.txt`,
	define: func(options *flag.FlagSet) run {
		var c connecting
		c.define(options)
		return c.run
	},
}

// listening is the command listen.
type listening struct {
	kind
	permission
	keep, echo, hold bool
	count            int
}

func (l *listening) define(options *flag.FlagSet) {
	l.kind.defineBinary(options)
	l.permission.define(options)
	options.BoolVar(&l.keep, "keep", false, "wait for another connection after one has ended")
	options.BoolVar(&l.echo, "echo", false, "send back what clients send, to any number of clients at a time")
	options.BoolVar(&l.hold, "hold", false, holdHelp)
	options.IntVar(&l.count, "count", 0, countHelp)
}

const (
	holdHelp  = "do not end the connection, or its writing half, when standard input ends"
	countHelp = "with -message or -datagram: end after so `many` messages have come"
)

func (l *listening) run(ctx context.Context, arguments, _ []string) error {
	name, err := oneName(arguments)
	if err == nil {
		err = errors.Join(l.kind.check(l.permission.only), checkCount(l.count, l.kind))
	}
	if err == nil && l.echo && (l.keep || l.hold || l.count != 0) {
		err = usageError{"-echo goes with none of -keep, -hold and -count"}
	}
	if err == nil && l.datagram && (l.keep || l.hold) {
		err = usageError{"-datagram goes with neither -keep nor -hold: there are no connections"}
	}
	if err != nil {
		return err
	}
	if l.datagram {
		return l.datagrams(ctx, name)
	}
	a, err := l.listen(ctx, l.kind, name)
	if err != nil {
		return err
	}
	defer a.Close()
	if l.echo {
		return l.echoAll(ctx, a)
	}
	for {
		c, err := a.accept(ctx)
		if err != nil {
			return unlessKept(l.keep, err)
		}
		if !l.keep {
			if err := a.Close(); err != nil {
				return errors.Join(err, c.Close())
			}
		}
		limit(c, l.count)
		err = join(ctx, c, joint{send: !l.keep, receive: true, hold: l.hold})
		if !l.keep {
			return err
		}
		if err != nil && (ctx.Err() != nil || errors.Is(err, errOutputClosed)) {
			return unlessKept(true, err)
		}
		if err != nil { // of this connection
			fmt.Fprintf(os.Stderr, "lipc: %v\n", err)
		}
	}
}

// unlessKept turns an interruption into success, for a command that runs until it is interrupted.
func unlessKept(kept bool, err error) error {
	if kept && errors.As(err, new(interruptedError)) {
		return nil
	}
	return err
}

// echoAll serves all clients until the command is interrupted, and then closes their connections.
func (l *listening) echoAll(ctx context.Context, a acceptor) error {
	var clients sync.WaitGroup
	defer clients.Wait()
	ctx, end := context.WithCancel(ctx)
	defer end()
	for {
		c, err := a.accept(ctx)
		if err != nil {
			return unlessKept(true, err)
		}
		clients.Go(func() {
			defer c.Close()
			defer context.AfterFunc(ctx, func() { c.Close() })()
			if err := c.echo(); err != nil && ctx.Err() == nil && !errors.Is(err, syscall.EPIPE) {
				fmt.Fprintf(os.Stderr, "lipc: %v\n", err)
			}
		})
	}
}

func (l *listening) datagrams(ctx context.Context, name ipc.Name) error {
	c, err := l.listenDatagram(ctx, l.kind, name)
	if err != nil {
		return err
	}
	if l.echo {
		defer c.Close()
		defer context.AfterFunc(ctx, func() { c.Close() })()
		return c.echo()
	}
	limit(c, l.count)
	return unlessKept(true, join(ctx, c, joint{receive: true}))
}

// connecting is the command connect.
type connecting struct {
	kind
	dialer
	hold  bool
	count int
	from  string
}

func (c *connecting) define(options *flag.FlagSet) {
	c.kind.defineBinary(options)
	c.dialer.define(options, usualServers)
	options.BoolVar(&c.hold, "hold", false, holdHelp)
	options.IntVar(&c.count, "count", 0, countHelp)
	options.StringVar(&c.from, "from", "", "with -datagram: the `NAME` to bind, to which the peer can answer")
}

func (c *connecting) run(ctx context.Context, arguments, _ []string) error {
	name, err := oneName(arguments)
	if err == nil {
		err = errors.Join(c.kind.check(c.dialer.only), checkCount(c.count, c.kind))
	}
	if err == nil && c.from != "" && !c.datagram {
		err = usageError{"-from is for -datagram"}
	}
	if err != nil {
		return err
	}
	if c.from != "" {
		return c.conversation(ctx, name)
	}
	ch, err := c.dial(ctx, c.kind, name)
	if err != nil {
		return err
	}
	limit(ch, c.count)
	return join(ctx, ch, joint{send: true, receive: !c.datagram, hold: c.hold})
}

// conversation sends datagrams from a name, and prints the answers.
func (c *connecting) conversation(ctx context.Context, name ipc.Name) error {
	from, err := readName(c.from)
	if err != nil {
		return err
	}
	ch, err := c.dialFrom(ctx, c.kind, from, name)
	if err != nil {
		return err
	}
	limit(ch, c.count)
	return unlessKept(true, join(ctx, ch, joint{send: true, receive: true, hold: true}))
}

func checkCount(count int, k kind) error {
	if count < 0 {
		return usageError{fmt.Sprintf("-count %d is negative", count)}
	}
	if count > 0 && !k.message && !k.datagram {
		return usageError{"-count is for -message and -datagram"}
	}
	return nil
}

func limit(c connection, count int) {
	if m, ok := c.(*messages); ok {
		m.most = count
	}
}
