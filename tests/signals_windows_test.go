package tests

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/signal"
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
func raise(event uintptr) error {
	kernel := windows.NewLazySystemDLL("kernel32.dll")
	thread, _, err := kernel.NewProc("CreateThread").Call(0, 0, kernel.NewProc("CtrlRoutine").Addr(), event, 0, 0)
	if thread == 0 {
		return err
	}
	return windows.CloseHandle(windows.Handle(thread))
}

// consoleChild watches the events of its console, and says what comes to it, and what to os/signal.
func consoleChild([]string, *bufio.Scanner) error {
	channel := make(chan os.Signal, 1)
	signal.Notify(channel, os.Interrupt, syscall.SIGTERM)
	w, err := signals.Watch(os.Interrupt, signals.Break, signals.ConsoleClose, signals.Logoff, signals.Shutdown)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, event := range []uintptr{windows.CTRL_C_EVENT, windows.CTRL_BREAK_EVENT, windows.CTRL_CLOSE_EVENT,
		windows.CTRL_LOGOFF_EVENT, windows.CTRL_SHUTDOWN_EVENT} {
		if err := raise(event); err != nil {
			return err
		}
		info, err := w.Next(ctx)
		if err != nil {
			return err
		}
		fmt.Println(info, info.Code, info.PID, info.UID, len(channel))
	}
	if err := w.Close(); err != nil {
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
	p := start(t, "console")
	for _, name := range []string{"SIGINT", "BREAK", "CLOSE", "LOGOFF", "SHUTDOWN"} {
		p.expect(name + " 0 -1 -1 0")
	}
	p.expect("os/signal: SIGINT")
	p.end()
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
