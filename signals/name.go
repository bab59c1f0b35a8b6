package signals

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/lipc/ipc/internal/core"
)

// A ConsoleEvent is an event of a console on Windows. It is an [os.Signal]. [os.Interrupt] stands for Ctrl-C there.
type ConsoleEvent int

// The events of consoles other than Ctrl-C. After ConsoleClose, Logoff or Shutdown the program has a few seconds to
// clean up and exit before the system ends it, see [HandlerRoutine].
//
// [HandlerRoutine]: https://learn.microsoft.com/windows/console/handlerroutine
const (
	Break        ConsoleEvent = core.SignalBreak    // Ctrl-Break
	ConsoleClose ConsoleEvent = core.SignalClose    // the console is closed
	Logoff       ConsoleEvent = core.SignalLogoff   // a user logs off; only services get it
	Shutdown     ConsoleEvent = core.SignalShutdown // the system shuts down; only services get it
)

var eventNames = map[ConsoleEvent]string{
	Break: "BREAK", ConsoleClose: "CLOSE", Logoff: "LOGOFF", Shutdown: "SHUTDOWN",
}

// Signal does nothing. It makes a ConsoleEvent an [os.Signal].
func (ConsoleEvent) Signal() {}

func (e ConsoleEvent) String() string {
	if name, known := eventNames[e]; known {
		return name
	}
	return fmt.Sprintf("console event %d", int(e))
}

// number returns the number that the core uses for a signal.
func number(sig os.Signal) (int, error) {
	switch sig := sig.(type) {
	case syscall.Signal:
		if int(sig) != int(int32(sig)) { // the core's numbers have 32 bits
			return 0, core.Invalidf("there is no such signal")
		}
		return int(sig), nil
	case ConsoleEvent:
		if _, known := eventNames[sig]; !known {
			return 0, core.Invalidf("there is no such console event")
		}
		return int(sig), nil
	default:
		return 0, core.Invalidf("it is of type %T, and neither a syscall.Signal nor a ConsoleEvent", sig)
	}
}

func signalOf(n int) os.Signal {
	if n >= core.SignalBreak {
		return ConsoleEvent(n)
	}
	return syscall.Signal(n)
}

// RealTime returns the real-time signal SIGRTMIN+n. RealTime(0) is the first that the C library leaves to programs. If
// there is no such signal, RealTime returns -1, which the functions of this package refuse. macOS, OpenBSD and Windows
// have no real-time signals.
func RealTime(n int) syscall.Signal {
	if n < 0 || n >= core.SignalBreak {
		return -1
	}
	if r := core.RealTimeSignal(n); r >= 0 {
		return syscall.Signal(r)
	}
	return -1
}

// isRealTime reports whether sig is a signal that RealTime returns.
func isRealTime(sig os.Signal) bool {
	s, is := sig.(syscall.Signal)
	first := RealTime(0)
	return is && first > 0 && s >= first && RealTime(int(s-first)) > 0
}

// Name returns the name of a signal, such as "SIGHUP", "SIGRTMIN+1" or "BREAK". For a signal that has no name it
// returns "signal" and the number.
func Name(sig os.Signal) string {
	s, is := sig.(syscall.Signal)
	if !is {
		return fmt.Sprint(sig)
	}
	if name, known := systemNames[s]; known {
		return name
	}
	if isRealTime(s) {
		if n := int(s - RealTime(0)); n > 0 {
			return fmt.Sprintf("SIGRTMIN+%d", n)
		}
		return "SIGRTMIN"
	}
	return fmt.Sprintf("signal %d", int(s))
}

// realTimeNamed returns the signal RTMIN, RTMIN+N, RTMAX or RTMAX-N. It returns -1 if there is no such signal.
func realTimeNamed(name string) syscall.Signal {
	switch name {
	case "RTMIN":
		name = "RTMIN+0"
	case "RTMAX":
		name = "RTMAX-0"
	}
	n, err := strconv.ParseUint(name[min(len("RTMIN+"), len(name)):], 10, 16) // refuses another sign
	switch {
	case err != nil:
		return -1
	case strings.HasPrefix(name, "RTMIN+"):
		return RealTime(int(n))
	case strings.HasPrefix(name, "RTMAX-"):
		last := 0
		for RealTime(last+1) > 0 {
			last++
		}
		return RealTime(last - int(n))
	default:
		return -1
	}
}

// Parse returns the signal with a name, or with a number from 1 to 1000: "SIGHUP", "HUP" and "1" are the same signal,
// and so are "SIGRTMIN+1" and "RTMIN+1". The last real-time signal is "RTMAX", and "RTMAX-1" is the one before it. The
// names of a [ConsoleEvent] are "BREAK", "CLOSE", "LOGOFF" and "SHUTDOWN". Case does not matter.
func Parse(text string) (os.Signal, error) {
	if n, err := strconv.ParseUint(text, 10, 16); err == nil && n > 0 && n < core.SignalBreak {
		return syscall.Signal(n), nil
	}
	short := strings.TrimPrefix(strings.ToUpper(text), "SIG")
	if sig := realTimeNamed(short); sig > 0 {
		return sig, nil
	}
	for event, name := range eventNames {
		if name == short {
			return event, nil
		}
	}
	for sig, name := range systemNames {
		if name == "SIG"+short {
			return sig, nil
		}
	}
	return nil, core.Invalidf("there is no signal %q", text)
}
