package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// awaitListener waits until somebody listens on a path.
func awaitListener(t *testing.T, name string) {
	t.Helper()
	require.Eventually(t, func() bool {
		table, err := os.ReadFile("/proc/net/unix")
		require.NoError(t, err)
		for line := range strings.Lines(string(table)) {
			if e, _, ok := parseSocket(strings.TrimSuffix(line, "\n")); ok && e.name == name {
				return true
			}
		}
		return false
	}, patience, tick)
}

// openTerminal returns the two ends of a terminal: what is typed is written to the first.
func openTerminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	require.NoError(t, err)
	t.Cleanup(func() { person.Close() })
	number, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	require.NoError(t, unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0))
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { program.Close() })
	return person, program
}

func TestEndOfThePeerEndsWhoHasATerminal(t *testing.T) {
	leakcheck.Start(t)
	name := newName(t)
	person, program := openTerminal(t)
	listener := beginWith(t, withInput(program), "listen", name)
	c := dial(t, name)
	_, err := io.WriteString(person, "typed\n")
	require.NoError(t, err)
	got := make([]byte, 6)
	_, err = io.ReadFull(c, got)
	require.NoError(t, err)
	require.Equal(t, "typed\n", string(got))
	_, err = io.WriteString(c, "copied")
	require.NoError(t, err)
	require.NoError(t, c.CloseWrite()) // and waits for the end, as connect does
	require.Equal(t, "copied", listener.rest())
	listener.ends(0)
	_, err = c.Read(got)
	require.ErrorIs(t, err, io.EOF)
}

func TestPersonTalksToWhoHasNothingToSay(t *testing.T) {
	leakcheck.Start(t)
	name := newName(t)
	person, program := openTerminal(t)
	l, err := ipc.Listen(ipc.Path(name))
	require.NoError(t, err)
	defer l.Close()
	connected := beginWith(t, withInput(program), "connect", name)
	c, err := l.AcceptConn(t.Context())
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.CloseWrite())             // as a listener does whose standard input is empty
	_, err = io.WriteString(person, "typed\n\x04") // Ctrl-D
	require.NoError(t, err)
	got, err := io.ReadAll(c)
	require.NoError(t, err)
	require.Equal(t, "typed\n", string(got))
	require.NoError(t, c.Close())
	connected.ends(0)
}

func TestProgressIsShownOnATerminal(t *testing.T) {
	leakcheck.Start(t)
	person, program := openTerminal(t)
	x := newTransfer(t)
	sender := beginWith(t, func(cmd *exec.Cmd) { cmd.Stderr = program }, "send-files", x.name, soon, "-progress", "-")
	shown := make([]byte, 100)
	n, err := person.Read(shown)
	require.NoError(t, err)
	require.Equal(t, "\rstdin  0 B  0 B/s", string(shown[:n]))
	require.NoError(t, sender.in.Close())
	sender.ends(0)
	x.receiver.ends(0)
}

// descriptors returns how many a process has.
func descriptors(t *testing.T, p *process) int {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	require.NoError(t, err)
	return len(entries)
}
