package signals

import (
	"fmt"
	"os"
	"strings"

	"github.com/lipc/ipc/internal/core"
)

// Info is a signal that came.
type Info struct {
	Signal os.Signal // on Unix a [syscall.Signal]
	Code   Code      // how it was sent

	// PID is the process that sent the signal, and UID its real user. With CodeExited and the other codes of SIGCHLD they
	// are those of the child. They are -1 if the system did not report them, which is so if it sent the signal itself, if
	// it had no memory to note the sender, or if that is outside of this process's namespace of processes; and always on
	// Windows. The system says who called kill(2). With CodeQueue the sender itself says it: on Linux a process that may
	// send a signal may put any PID and UID into it.
	PID, UID int

	Value int // that came with the signal; 0 if none did

	// Status is the exit status if Code is CodeExited. With CodeKilled and the other codes of SIGCHLD it is the number of
	// the signal that the child was killed, stopped or continued by. Otherwise it is 0.
	Status int

	Dropped int // how many signals were lost since the one before, because too many waited to be taken
}

// A Code says how a signal was sent: si_code, sigaction(2). Systems have more than those that are listed here. On
// Windows it is 0, which is none of these.
type Code int

const (
	CodeUser   Code = core.CodeUser   // kill(2), [Send]
	CodeQueue  Code = core.CodeQueue  // sigqueue(3), [Queue]
	CodeThread Code = core.CodeThread // sent to a thread, tgkill(2); Linux, FreeBSD and NetBSD
	CodeTimer  Code = core.CodeTimer  // a timer, timer_create(2)

	// Those of SIGCHLD.
	CodeExited    Code = core.CodeExited
	CodeKilled    Code = core.CodeKilled
	CodeDumped    Code = core.CodeDumped // killed, and dumped core
	CodeTrapped   Code = core.CodeTrapped
	CodeStopped   Code = core.CodeStopped
	CodeContinued Code = core.CodeContinued
)

// String returns the info in words, on one line.
func (i Info) String() string {
	var text strings.Builder
	text.WriteString(Name(i.Signal))
	if i.PID >= 0 {
		fmt.Fprintf(&text, " from process %d of user %d", i.PID, i.UID)
	}
	if i.Code == CodeQueue || i.Code == CodeTimer {
		fmt.Fprintf(&text, ", value %d", i.Value)
	}
	if what := i.childText(); what != "" {
		fmt.Fprintf(&text, ", which %s %d", what, i.Status)
	}
	if i.Dropped > 0 {
		fmt.Fprintf(&text, ", %d dropped before", i.Dropped)
	}
	return text.String()
}

// childText says what happened to a child, before its status.
func (i Info) childText() string {
	if !isChild(i.Signal) {
		return ""
	}
	switch i.Code {
	case CodeExited:
		return "exited with"
	case CodeKilled:
		return "was killed by signal"
	case CodeDumped:
		return "dumped core by signal"
	case CodeTrapped:
		return "was trapped by signal"
	case CodeStopped:
		return "was stopped by signal"
	case CodeContinued:
		return "was continued by signal"
	default:
		return ""
	}
}
