package signals

import (
	"fmt"
	"os"
	"strings"

	"github.com/lipc/ipc/internal/core"
)

// An Info describes a signal that came.
type Info struct {
	Signal os.Signal // a syscall.Signal, or a ConsoleEvent
	Code   Code      // how it was sent

	// PID is the process that sent the signal, which may have ended since, and UID is its real user. With CodeExited and
	// the other codes of SIGCHLD they are those of the child. They are -1 if the system itself sent the signal, if the
	// system had no memory to note the sender, or if the sender is outside of this process's namespace of processes. On
	// Windows they are always -1.
	//
	// The system vouches for the process and user that called kill(2). With CodeQueue the sender itself states them: on
	// Linux a process that may send a signal may put any PID and UID into it.
	PID, UID int

	Value int // the value that came with the signal; 0 if none did

	// Status is the exit status of the child if Code is CodeExited. With the other codes of SIGCHLD it is the number of
	// the signal that killed, stopped or continued the child. Otherwise it is 0.
	Status int

	Dropped int // how many signals were lost since the one before was taken, because too many waited
}

// A Code reports how a signal was sent: si_code, sigaction(2). Systems have more codes than those that are listed here.
// On Windows the code is 0, which is none of these.
type Code int

const (
	CodeUser   Code = core.CodeUser   // kill(2), [Send]
	CodeQueue  Code = core.CodeQueue  // sigqueue(3), [Queue]
	CodeThread Code = core.CodeThread // sent to a thread, tgkill(2); Linux, FreeBSD and NetBSD
	CodeTimer  Code = core.CodeTimer  // a timer, timer_create(2)

	// The codes of SIGCHLD. Other signals may have other codes with the same numbers.
	CodeExited    Code = core.CodeExited
	CodeKilled    Code = core.CodeKilled // by a signal
	CodeDumped    Code = core.CodeDumped // killed, and dumped core
	CodeTrapped   Code = core.CodeTrapped
	CodeStopped   Code = core.CodeStopped
	CodeContinued Code = core.CodeContinued
)

// String describes the signal in words, on one line.
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

// childText returns what happened to a child, in words that its status follows. It returns "" if i reports no child.
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
