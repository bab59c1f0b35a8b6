package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/lipc/ipc"
)

var serveCommand = command{
	name: "serve", arguments: "NAME -- CMD [ARG…]",
	about:   "run a program for each connection, as its standard input and output",
	program: true,
	details: `
Runs CMD for each connection, and serves several connections at the same time. The standard input and output of CMD are
the connection (on Windows pipes from and to it). CMD has in its environment:

  LIPC_NAME                           the NAME
  LIPC_PEER_PID, _UID, _GID, _SID     the peer, supplied by the kernel, as far as the system reports it

Runs until interrupted. Then the programs that still run are asked to end (SIGTERM), and killed after 5 seconds.

  lipc serve user:date -- date
  lipc serve user:shell -- sh -c 'echo "hello, process $LIPC_PEER_PID"; exec cat'
  lipc serve user:sums -message -- ./one-message-per-read`,
	define: func(options *flag.FlagSet) run {
		var s serving
		s.define(options)
		return s.run
	},
}

// serving is the command serve.
type serving struct {
	kind
	permission
	most  int
	quiet bool
}

func (s *serving) define(options *flag.FlagSet) {
	options.BoolVar(&s.message, "message", false,
		"messages instead of bytes: each read(2) and write(2) of the program is one; not on Windows")
	s.permission.define(options)
	options.IntVar(&s.most, "max", 100, "how `many` programs may run at a time; further clients wait")
	options.BoolVar(&s.quiet, "quiet", false, "do not report programs that failed")
}

// killedAfter is how long a program may take to end after it was asked to.
const killedAfter = 5 * time.Second

func (s *serving) run(ctx context.Context, arguments, program []string) error {
	if len(program) == 0 {
		return usageError{"which program? It stands behind \"--\": lipc serve NAME -- CMD"}
	}
	name, err := oneName(arguments)
	if err == nil && s.most < 1 {
		err = usageError{fmt.Sprintf("-max %d: at least 1", s.most)}
	}
	if err == nil {
		program[0], err = exec.LookPath(program[0])
	}
	if err == nil && s.message && !passesConnections {
		err = fmt.Errorf("serve -message: %w on this system", errors.ErrUnsupported)
	}
	if err != nil {
		return err
	}
	a, err := s.listen(ctx, s.kind, name)
	if err != nil {
		return err
	}
	defer a.Close()
	var running sync.WaitGroup
	defer running.Wait()
	ctx, end := context.WithCancel(ctx)
	defer end()
	places := make(chan struct{}, s.most)
	for {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		c, err := a.accept(ctx)
		if err != nil {
			a.Close() // now, and not after the programs have ended
			return unlessKept(true, err)
		}
		running.Go(func() {
			defer func() { <-places }()
			s.serve(ctx, c, name, program)
		})
	}
}

// serve runs the program for a connection.
func (s *serving) serve(ctx context.Context, c connection, name ipc.Name, program []string) {
	defer c.Close()
	cmd := exec.CommandContext(ctx, program[0], program[1:]...)
	cmd.Env = environment(c, name)
	cmd.Stderr = os.Stderr
	cmd.WaitDelay = killedAfter
	err := runJoined(cmd, c)
	if err != nil && !cutOff(err) && ctx.Err() == nil && !s.quiet {
		fmt.Fprintf(os.Stderr, "lipc: %s: %v\n", strings.Join(program, " "), err)
	}
}

// environment returns the environment of this process, with variables for the name and the peer.
func environment(c connection, name ipc.Name) []string {
	lines := slices.DeleteFunc(os.Environ(), func(line string) bool { // inherited ones may be false
		return strings.HasPrefix(line, "LIPC_PEER_") || strings.HasPrefix(line, "LIPC_FILE_") ||
			strings.HasPrefix(line, "LIPC_NAME=")
	})
	lines = append(lines, "LIPC_NAME="+name.String())
	peer, err := c.peer()
	if err != nil && !errors.Is(err, syscall.EAGAIN) { // EAGAIN: not all is known yet
		return lines
	}
	for _, id := range []struct {
		name  string
		value int
	}{{"PID", peer.PID}, {"UID", peer.UID}, {"GID", peer.GID}} {
		if id.value >= 0 {
			lines = append(lines, fmt.Sprintf("LIPC_PEER_%s=%d", id.name, id.value))
		}
	}
	if peer.SID != "" {
		lines = append(lines, "LIPC_PEER_SID="+peer.SID)
	}
	return lines
}
