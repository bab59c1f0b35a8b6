//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/lipc/ipc/tests/project"
	"github.com/stretchr/testify/require"
)

func TestServiceRunsByHandAndFinishesWhatIsUnderWay(t *testing.T) {
	leakcheck.Start(t)
	t.Setenv("XDG_RUNTIME_DIR", leakcheck.Dir(t))
	name := ipc.UserName("greeter")
	location, err := name.Location()
	require.NoError(t, err)
	p := start(t, exec.Command(build(t), name.String()))
	p.expect("listening on user:greeter")
	r := begin(t, name)
	p.expect(fmt.Sprintf("connected: process %d of user %d", os.Getpid(), os.Getuid()))
	p.terminate()
	for err = nil; err == nil; { // until it does not listen any more
		var c *ipc.Conn
		if c, err = ipc.Dial(t.Context(), name); err == nil {
			c.Close()
		}
	}
	r.finish()
	p.end()
	require.NoFileExists(t, location)
}

// The program of systemd's that passes a listener and then becomes the service.
func TestServiceTellsItsManagerWhenItIsReadyAliveAndStopping(t *testing.T) {
	leakcheck.Start(t)
	project.Need(t, "systemd-socket-activate")
	path := filepath.Join(leakcheck.Dir(t), "s")
	m := newManager(t)
	p := start(t, exec.Command("systemd-socket-activate", "-l", path, "-E", "NOTIFY_SOCKET="+m.path,
		"-E", "WATCHDOG_USEC=20000", build(t), "user:not-used"))
	t.Cleanup(func() { os.Remove(path) })
	p.expect("Listening on " + path)
	r := begin(t, ipc.Path(path))
	p.expect("listening on " + path)
	p.expect(fmt.Sprintf("connected: process %d of user %d", os.Getpid(), os.Getuid()))
	require.Equal(t, "READY=1", m.next())
	require.Equal(t, "WATCHDOG=1", m.next())
	require.Equal(t, "WATCHDOG=1", m.next())
	p.terminate()
	for said := m.next(); said != "STOPPING=1"; said = m.next() {
		require.Equal(t, "WATCHDOG=1", said)
	}
	r.finish()
	p.end()
	require.FileExists(t, path, "it belongs to the service manager")
}
