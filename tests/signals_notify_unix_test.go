//go:build unix

package tests

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/lipc/ipc/signals"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func init() { maps.Copy(children, map[string]child{"notified": notifiedChild}) }

// notifiedChild does what its orders say, and answers each with a line. Its signals are those of the arguments. "watch"
// watches them, "close" ends that; "notify", "stop", "reset" and "ignore" are the functions of os/signal. "kill WHO…"
// sends itself one of each, and answers who got them: "watcher", "channel", "both" or "nobody". It waits for those that
// the order names, and gives the others a moment.
func notifiedChild(args []string, orders *bufio.Scanner) error {
	n := notified{channel: make(chan os.Signal, 16)}
	for _, name := range args {
		sig, err := signals.Parse(name)
		if err != nil {
			return err
		}
		n.sigs = append(n.sigs, sig)
	}
	for orders.Scan() {
		answer, err := n.obey(orders.Text())
		if err != nil {
			return err
		}
		fmt.Println(answer)
	}
	return nil
}

type notified struct {
	sigs    []os.Signal
	channel chan os.Signal
	watcher *signals.Watcher
}

func (n *notified) obey(order string) (answer string, err error) {
	switch order {
	case "watch":
		n.watcher, err = signals.Watch(n.sigs...)
	case "close":
		err, n.watcher = n.watcher.Close(), nil
	case "notify":
		signal.Notify(n.channel, n.sigs...)
	case "stop":
		signal.Stop(n.channel)
	case "reset":
		signal.Reset(n.sigs...)
	case "ignore":
		signal.Ignore(n.sigs...)
	default:
		return n.kill(strings.Fields(order)[1:])
	}
	return order, err
}

func (n *notified) kill(expected []string) (string, error) {
	answer := "kill"
	for i, sig := range n.sigs {
		if err := signals.Send(os.Getpid(), sig); err != nil {
			return "", err
		}
		answer += " " + n.whoGets(sig, expected[i])
	}
	return answer, nil
}

func (n *notified) whoGets(sig os.Signal, expected string) string {
	wait := func(who string) (context.Context, context.CancelFunc) {
		if expected == who || expected == "both" {
			return context.WithTimeout(context.Background(), patience)
		}
		return context.WithTimeout(context.Background(), 10*tick)
	}
	watcher, channel := false, false
	if n.watcher != nil {
		ctx, cancel := wait("watcher")
		defer cancel()
		info, err := n.watcher.Next(ctx)
		watcher = err == nil && info.Signal == sig
	}
	ctx, cancel := wait("channel")
	defer cancel()
	select {
	case got := <-n.channel:
		channel = got == sig
	case <-ctx.Done():
	}
	switch {
	case watcher && channel:
		return "both"
	case watcher:
		return "watcher"
	case channel:
		return "channel"
	default:
		return "nobody"
	}
}

// obeys orders a child to take steps. An order to kill is at the same time its answer.
func obeys(p *process, steps ...string) {
	p.t.Helper()
	for _, step := range steps {
		p.order("%s", step)
		p.expect(step)
	}
}

// The signals of which the Go runtime handles some from its start, others only for Notify, and one never.
var variousSignals = []string{"SIGTERM", "SIGUSR1", "SIGCHLD", "SIGWINCH", "SIGTSTP", "SIGCONT"}

// killFor is the order to send each of these, which all come to somebody.
func killFor(who string) string { return "kill" + strings.Repeat(" "+who, len(variousSignals)) }

func TestWatcherAndOSSignalBothGetASignalInWhateverOrderTheyBegan(t *testing.T) {
	leakcheck.Start(t)
	for _, begin := range [][]string{{"watch", "notify"}, {"notify", "watch"}} {
		p := start(t, "notified", variousSignals...)
		obeys(p, begin[0], begin[1], killFor("both"))
		obeys(p, "stop", killFor("watcher")) // none of them ended the process
		obeys(p, "notify", killFor("both"), "close", killFor("channel"), "watch", killFor("both"))
		p.end()
	}
}

func TestIgnoredSignalsComeToNobodyUntilTheyAreWatchedAnew(t *testing.T) {
	leakcheck.Start(t)
	for _, steps := range [][]string{
		{"watch", "ignore", killFor("nobody"), "close", killFor("nobody"), "watch", killFor("watcher")},
		{"watch", "notify", "ignore", killFor("nobody"), "notify", killFor("channel")},
		{"ignore", "watch", killFor("watcher"), "notify", killFor("both"), "stop", killFor("watcher")},
	} {
		p := start(t, "notified", variousSignals...)
		obeys(p, steps...)
		p.end()
	}
}

func TestResetBringsTheRuntimesHandlingBackAlthoughASignalIsWatched(t *testing.T) {
	leakcheck.Start(t)
	p := start(t, "notified", "SIGUSR1", "SIGCHLD", "SIGCONT")
	obeys(p, "watch", "notify", "reset", "kill watcher watcher watcher")
	p.end()

	p = start(t, "notified", "SIGTERM")
	obeys(p, "watch", "kill watcher", "reset")
	p.order("kill nobody")
	endsBy(p, syscall.SIGTERM)
}

// endsBy requires that a signal ends a child.
func endsBy(p *process, sig syscall.Signal) {
	p.t.Helper()
	var exit *exec.ExitError
	require.ErrorAs(p.t, p.cmd.Wait(), &exit)
	p.ended = true
	require.Equal(p.t, sig, exit.Sys().(syscall.WaitStatus).Signal())
}

// A signal that was ignored when the program began, as by nohup(1), is ignored again.
func TestSignalThatWasIgnoredBeforeIsIgnoredAgainOnceItIsNotWatched(t *testing.T) {
	leakcheck.Start(t)
	p := startWith(t, func(cmd *exec.Cmd) {
		cmd.Args = append([]string{"sh", "-c", `trap "" HUP; exec "$0" "$@"`, cmd.Path}, cmd.Args[1:]...)
		cmd.Path = "/bin/sh"
	}, "notified", "SIGHUP")
	obeys(p, "kill nobody", "watch", "kill watcher", "close", "kill nobody")
	p.end()
}

func TestSignalThatWasIgnoredByOSSignalIsNotOnceItWasWatched(t *testing.T) {
	leakcheck.Start(t)
	p := start(t, "notified", "SIGTERM")
	obeys(p, "ignore", "kill nobody", "watch", "kill watcher", "close")
	p.order("kill nobody")
	endsBy(p, syscall.SIGTERM)

	p = start(t, "notified", "SIGTSTP")
	obeys(p, "watch", "kill watcher", "close", "kill nobody") // and it was not stopped
	p.end()
}

// os/signal does not know the signals over 64, real-time ones of FreeBSD among them.
func TestFirstSignalThatAProgramWatchesMayBeOneThatOSSignalDoesNotKnow(t *testing.T) {
	leakcheck.Start(t)
	sig := syscall.Signal(65)
	p := start(t, "notified", "65")
	p.order("watch")
	if signals.Name(sig) == "signal 65" { // there is none
		p.expect("notified: signals: watch signal 65: invalid argument")
		require.Error(t, p.cmd.Wait())
		p.ended = true
		return
	}
	p.expect("watch")
	obeys(p, "kill watcher", "close")
	p.end()
}
