package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/lipc/ipc/signals"
)

var signalsCommand = command{
	name: "signals", arguments: "",
	about: "print the signals that come, and their senders: process, user, executable",
	details: `
Watches signals until it is interrupted, or until -count signals have come. It first prints its process id, and then a
line for each signal: the signal, the process and user that sent it, the executable unless that process has ended, the
value of a queued signal, and what happened to a child process. On Windows the signals are the events of consoles, and
the system does not report their senders.

  lipc signals
  lipc signals -watch HUP,USR1,RTMIN+3
  lipc signals -watch INT,TERM -count 2`,
	define: func(options *flag.FlagSet) run {
		var p printing
		options.Var(&p.watched, "watch", "the `signals` to watch, separated by commas: names such as HUP, SIGHUP or\n"+
			"RTMIN+3, or numbers (by default "+usualSignalsText+")")
		options.IntVar(&p.count, "count", 0, "end after so `many` signals (by default never)")
		return p.run
	},
}

// ends are the signals that end the command, unless -watch names them.
var ends = []os.Signal{os.Interrupt, syscall.SIGTERM}

// A signalList is the value of -watch.
type signalList []os.Signal

func (l *signalList) String() string { return "" }

func (l *signalList) Set(text string) error {
	for name := range strings.SplitSeq(text, ",") {
		sig, err := signals.Parse(name)
		if err != nil {
			return err
		}
		*l = append(*l, sig)
	}
	return nil
}

// printing is the command signals.
type printing struct {
	watched signalList
	count   int
}

func (p *printing) run(_ context.Context, arguments, _ []string) error {
	if len(arguments) > 0 {
		return usageError{fmt.Sprintf("too many arguments: %s", arguments[0])}
	}
	if p.count < 0 {
		return usageError{fmt.Sprintf("-count %d is negative", p.count)}
	}
	if len(p.watched) == 0 {
		p.watched = usualSignals()
	}
	wanted := slices.Clone(p.watched)
	for _, sig := range ends {
		if watchable(sig) && !slices.Contains(wanted, sig) {
			wanted = append(wanted, sig)
		}
	}
	w, err := signals.Watch(wanted...)
	if err != nil {
		return err
	}
	defer w.Close()
	if _, err := fmt.Println("process", os.Getpid()); err != nil {
		return outputError(err)
	}
	printed := 0
	// Not the context of the command, which SIGHUP, SIGINT and SIGTERM end even if they are to be printed.
	for info, err := range w.All(context.Background()) {
		if err != nil {
			return err
		}
		if !slices.Contains(p.watched, info.Signal) {
			return nil
		}
		if _, err := fmt.Println(describeSignal(info)); err != nil {
			return outputError(err)
		}
		if printed++; printed == p.count {
			return nil
		}
	}
	return nil
}

// describeSignal describes a signal and its sender, on one line.
func describeSignal(info signals.Info) string {
	if info.PID < 0 {
		return info.String()
	}
	user := userName(strconv.Itoa(info.UID))
	sender := fmt.Sprintf("of user %s", user)
	if path, err := executable(info.PID); err == nil {
		sender += ", " + printable(path)
	}
	return strings.Replace(info.String(), fmt.Sprintf("of user %d", info.UID), sender, 1)
}

var sendSignalCommand = command{
	name: "send-signal", arguments: "PID SIG [VALUE]",
	about: "send a signal to a process, with or without a value",
	details: `
SIG is a name such as HUP, SIGHUP or RTMIN+3, or a number. If it is 0, nothing is sent, and the command only checks that
the process exists and may be sent signals. With a VALUE, a number of 32 bits, the signal is queued and carries it:
Linux, FreeBSD and NetBSD have this. The system merges signals that wait to be delivered, but not real-time signals. On
Windows signals can only be sent with -group: BREAK to a group, and BREAK or INT to group 0, which is all processes of
the console.

  lipc send-signal 1234 HUP
  lipc send-signal 1234 0
  lipc send-signal 1234 RTMIN+3 42
  lipc send-signal -group 1234 TERM`,
	define: func(options *flag.FlagSet) run {
		var s sendingSignal
		options.BoolVar(&s.group, "group", false, "send to the group of processes with the number PID")
		return s.run
	},
}

// sendingSignal is the command send-signal.
type sendingSignal struct{ group bool }

func (s *sendingSignal) run(_ context.Context, arguments, _ []string) error {
	switch {
	case len(arguments) < 2:
		return usageError{"PID or SIG is missing"}
	case len(arguments) > 3:
		return usageError{fmt.Sprintf("too many arguments: %s", strings.Join(arguments[3:], " "))}
	case len(arguments) == 3 && s.group:
		return usageError{"a group gets no VALUE"}
	}
	pid, err := strconv.Atoi(arguments[0])
	if err != nil {
		return usageError{fmt.Sprintf("%s is no process id", arguments[0])}
	}
	if pid < 0 {
		return usageError{fmt.Sprintf("PID %d is negative: \"-group %d\" sends to a group", pid, -pid)}
	}
	sig, err := signals.Parse(arguments[1])
	if arguments[1] == "0" {
		sig, err = syscall.Signal(0), nil // it cannot be watched, so Parse refuses it
	}
	if err != nil {
		return usageError{err.Error()}
	}
	if len(arguments) == 3 {
		value, err := strconv.ParseInt(arguments[2], 0, 32)
		if err != nil {
			return usageError{fmt.Sprintf("VALUE %s is no number of 32 bits", arguments[2])}
		}
		return signals.Queue(pid, sig, int(value))
	}
	if s.group {
		return signals.SendGroup(pid, sig)
	}
	return signals.Send(pid, sig)
}
