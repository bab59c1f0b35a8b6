package tests

import (
	"os/exec"
	"syscall"
	"testing"

	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// startElsewhere runs the child "names" as root, with mounts of its own, after a script of sh(1), whose $1 is a
// directory for it, and whose $2 is the program.
func startElsewhere(t *testing.T, script string) *process {
	t.Helper()
	anotherUser(t) // root is needed
	dir := leakcheck.Dir(t)
	return startWith(t, func(cmd *exec.Cmd) {
		cmd.Args = []string{"sh", "-ec", script, "sh", dir, cmd.Path}
		cmd.Path = "/bin/sh"
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	}, "names")
}

func requireSystemNameServed(t *testing.T, p *process) {
	t.Helper()
	p.order("location system:app")
	p.expect("/run/lipc/app")
	p.order("dial system:app")
	require.Contains(t, p.answer(), "dial ipc system:app: no such file or directory")
	p.order("listen system:app")
	p.expect("listening")
	p.order("dial system:app")
	p.expect("connected")
}

func TestSystemNamesWorkInAContainerThatHasNoRun(t *testing.T) {
	leakcheck.Start(t)
	p := startElsewhere(t, `
		mount -t tmpfs -o mode=755 none "$1"
		cd "$1"
		for each in bin lib lib32 lib64 usr proc; do
			if [ -L /$each ]; then cp -P /$each .
			elif [ -d /$each ]; then mkdir $each; mount --bind /$each $each
			fi
		done
		cp "$2" program
		unset XDG_RUNTIME_DIR
		umask 077
		exec chroot . /program`)
	requireSystemNameServed(t, p)
	p.order("location user:app") // as it goes where there is no /tmp either
	p.expect("/tmp/lipc-0/app")
	p.order("listen user:app")
	require.Contains(t, p.answer(), "listen ipc user:app: no such file or directory")
}

func TestSetUserIDProgramIgnoresTheVariableOfTheUserThatStartedIt(t *testing.T) {
	leakcheck.Start(t)
	p := startElsewhere(t, `
		mount -t tmpfs -o mode=755 none "$1"
		mount -t tmpfs -o mode=755 none /run
		cp "$2" "$1/program"
		chown 65534 "$1/program"
		chmod 4755 "$1/program"
		mkdir -m 700 "$1/runtime"
		chown 65534 "$1/runtime"
		export XDG_RUNTIME_DIR="$1/runtime"
		exec "$1/program"`)
	p.order("location user:app")
	p.expect("/tmp/lipc-65534/app")
	p.order("setuid")
	p.expect("65534")
	p.order("location user:app")
	p.expect("/tmp/lipc-65534/app")
}

func TestSystemNamesWorkWhereTheDirectoryIsMissing(t *testing.T) {
	leakcheck.Start(t)
	requireSystemNameServed(t, startElsewhere(t, `mount -t tmpfs -o mode=755 none /run; exec "$2"`))
}

func TestSystemDirectoryThatIsNotSafeIsRefusedByName(t *testing.T) {
	leakcheck.Start(t)
	for _, prepare := range []string{
		`mkdir -m 775 /run/lipc`,
		`mkdir -m 1777 /run/lipc`,
		`mkdir -m 755 /run/lipc; chown 65534 /run/lipc`,
		`mkdir -m 755 /run/other; ln -s other /run/lipc`,
		`touch /run/lipc`,
		`mkdir -m 755 /run/lipc; chmod 777 /run`,
		`mkdir -m 755 /run/lipc; chown 65534 /run`,
	} {
		p := startElsewhere(t, `mount -t tmpfs -o mode=755 none /run; `+prepare+`; exec "$2"`)
		p.order("listen system:app")
		require.Contains(t, p.answer(),
			"listen ipc system:app: /run/lipc must be a directory of root that only root can write to: ", prepare)
		p.order("dial system:app")
		require.Contains(t, p.answer(),
			"dial ipc system:app: /run/lipc must be a directory of root that only root can write to: ", prepare)
		p.end()
	}
}
