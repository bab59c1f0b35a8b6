package tests

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"testing"

	"github.com/lipc/ipc/signals"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows"
)

func init() { maps.Copy(children, map[string]child{"console": consoleChild}) }

// raise has the system's own routine call this process's handlers, in a thread of its own, as for an event. Wine 8 cannot
// send events.
func raise(event int) error {
	kernel := windows.NewLazySystemDLL("kernel32.dll")
	thread, _, err := kernel.NewProc("CreateThread").Call(0, 0, kernel.NewProc("CtrlRoutine").Addr(), uintptr(event), 0, 0)
	if thread == 0 {
		return err
	}
	return windows.CloseHandle(windows.Handle(thread))
}

// consoleChild watches the events of its console, raises those of its arguments, and says what comes to it, and how many
// came to os/signal. Then it closes the watch, raises Ctrl-Break if it was not to end, and says what comes to os/signal.
func consoleChild(args []string, _ *bufio.Scanner) error {
	channel := make(chan os.Signal, 1)
	signal.Notify(channel, os.Interrupt, syscall.SIGTERM)
	w, err := signals.Watch(os.Interrupt, signals.Break, signals.ConsoleClose, signals.Logoff, signals.Shutdown)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ends := false
	for _, arg := range args {
		event, err := strconv.Atoi(arg)
		if err != nil {
			return err
		}
		if err := raise(event); err != nil {
			return err
		}
		info, err := w.Next(ctx)
		if err != nil {
			return err
		}
		fmt.Println(info, int(info.Code), info.PID, info.UID, len(channel))
		ends = event >= windows.CTRL_CLOSE_EVENT
	}
	if err := w.Close(); err != nil || ends {
		return err
	}
	if err := raise(windows.CTRL_BREAK_EVENT); err != nil {
		return err
	}
	fmt.Println("os/signal:", signals.Name(<-channel))
	return nil
}

func TestEventsOfTheConsoleComeToWatchersAloneWhileTheyAreWatched(t *testing.T) {
	leakcheck.Start(t)
	p := start(t, "console", "0", "1", "0")
	p.expect("SIGINT 0 -1 -1 0")
	p.expect("BREAK 0 -1 -1 0")
	p.expect("SIGINT 0 -1 -1 0")
	p.expect("os/signal: SIGINT")
	p.end()
}

// The handler of such an event does not return.
func TestProgramThatIsToEndCanCleanUp(t *testing.T) {
	leakcheck.Start(t)
	for event, name := range map[string]string{"2": "CLOSE", "5": "LOGOFF", "6": "SHUTDOWN"} {
		p := start(t, "console", event)
		p.expect(name + " 0 -1 -1 0")
		p.end()
	}
}

func TestOtherSignalsAreUnsupportedOnWindows(t *testing.T) {
	leakcheck.Start(t)
	require.Equal(t, syscall.Signal(-1), signals.RealTime(0))
	for what, err := range map[string]error{
		"watch SIGTERM": second(signals.Watch(os.Interrupt, syscall.SIGTERM)),
		"watch SIGKILL": second(signals.Watch(os.Kill)),
		"send SIGTERM":  signals.Send(os.Getpid(), syscall.SIGTERM),
		"send BREAK":    signals.Send(os.Getpid(), signals.Break),
		"send SIGINT":   signals.Queue(os.Getpid(), os.Interrupt, 1),
		"send LOGOFF":   signals.SendGroup(0, signals.Logoff),
		"send SIGHUP":   signals.SendPIDFD(os.Stdin, syscall.SIGHUP),
	} {
		require.ErrorIs(t, err, errors.ErrUnsupported, what)
		require.ErrorContains(t, err, what)
		require.ErrorContains(t, err, "Windows")
	}
}
