package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/facility"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/lipc/ipc/tests/project"
	"github.com/stretchr/testify/require"
)

// A manager of services moves all processes of its control group, so it gets a group of its own, which is removed with
// it. It also asks whether systemd has started the system, which makes what covers inaccessible files: in its namespace
// all of that is so, wherever the test runs. SIGINT ends the manager, and not this script.
const namespace = `
trap : INT
mount -t tmpfs none /run && mkdir -p /run/systemd/system /run/systemd/inaccessible/dir &&
touch /run/systemd/inaccessible/reg &&
umount -l /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup &&
mount -t tmpfs none /usr/lib/systemd/user-generators &&
mount -t tmpfs none /usr/lib/systemd/user-environment-generators &&
group=/sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup)/lipc-$$ && mkdir "$group" || exit
(
	echo 0 >"$group/cgroup.procs" || exit
	exec unshare --cgroup --mount sh -c 'umount -l /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup &&
		exec /lib/systemd/systemd --user --unit=sockets.target'
)
find "$group" -depth -type d -exec rmdir {} +`

// A systemd is the manager of a user's services.
type systemd struct {
	t   *testing.T
	env []string
}

// startSystemd starts a manager of services whose only ones are those of the files.
func startSystemd(t *testing.T, files map[string]string) systemd {
	t.Helper()
	for _, program := range []string{"unshare", "systemctl", "/lib/systemd/systemd"} {
		project.Need(t, program)
	}
	if os.Geteuid() != 0 {
		facility.Missing(t, "root, who can run a manager of services in a namespace")
	}
	if err := exec.Command("unshare", "--mount", "--cgroup", "true").Run(); err != nil {
		facility.Missing(t, "namespaces for mounts and control groups")
	}
	home, runtime, m := leakcheck.Dir(t), leakcheck.Dir(t), newManager(t)
	t.Setenv("XDG_RUNTIME_DIR", runtime)
	units := filepath.Join(home, ".config/systemd/user")
	require.NoError(t, os.MkdirAll(units, 0o755))
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(units, name), []byte(text), 0o644))
	}
	s := systemd{t, []string{"HOME=" + home, "XDG_RUNTIME_DIR=" + runtime}}
	cmd := exec.Command("unshare", "--mount", "sh", "-c", namespace)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stderr = os.Stderr
	cmd.Env = append(os.Environ(), append(s.env, "NOTIFY_SOCKET="+m.path)...)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGINT)
		require.NoError(t, cmd.Wait())
		require.NoError(t, os.RemoveAll(runtime))
	})
	for !strings.Contains(m.next(), "READY=1") {
	}
	return s
}

func (s systemd) control(args ...string) string {
	s.t.Helper()
	return project.MustRun(s.t, "/", s.env, "systemctl", append([]string{"--user"}, args...)...)
}

func (s systemd) property(service, name string) string {
	s.t.Helper()
	return strings.TrimSpace(s.control("show", "--value", "-p", name, service))
}

// waitUntilStopped waits until no thread of a service runs: SIGSTOP has stopped it, or it is gone.
func (s systemd) waitUntilStopped(service string) {
	s.t.Helper()
	threads, err := filepath.Glob(filepath.Join("/proc", s.property(service, "MainPID"), "task/*/stat"))
	require.NoError(s.t, err)
	for _, thread := range threads {
		for stat, err := os.ReadFile(thread); err == nil && !strings.Contains(string(stat), ") T "); {
			stat, err = os.ReadFile(thread)
		}
	}
}

// units returns files of examples/systemd that run the program, with some text replaced.
func units(t *testing.T, program string, replaced *strings.Replacer, files ...string) map[string]string {
	t.Helper()
	texts, log := map[string]string{}, program+".log" // there is no journal
	t.Cleanup(func() {
		if output, err := os.ReadFile(log); t.Failed() {
			t.Logf("%s\nerror: %v", output, err)
		}
	})
	line := regexp.MustCompile(`(?m)^ExecStart=\S+`)
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(project.Root(t), "examples/systemd", file))
		require.NoError(t, err)
		texts[filepath.Base(file)] = replaced.Replace(line.ReplaceAllString(string(text),
			"StandardError=append:"+log+"\nExecStart="+program))
	}
	return texts
}

func TestClientStartsTheServiceOfAUser(t *testing.T) {
	leakcheck.Start(t)
	program, name := build(t), ipc.UserName("greeter")
	s := startSystemd(t, units(t, program, strings.NewReplacer(), "user/greeter.socket", "user/greeter.service"))
	s.control("start", "greeter.socket")
	require.Equal(t, "inactive", s.property("greeter.service", "ActiveState"))
	r := begin(t, name)
	require.Equal(t, "active", s.property("greeter.service", "ActiveState"), "it has said that it is ready")
	first := s.property("greeter.service", "MainPID")

	s.control("stop", "--no-block", "greeter.service")
	for s.property("greeter.service", "SubState") != "stop-sigterm" {
	}
	next := ask(t, name) // a client that comes meanwhile
	r.finish()
	next.begun()
	next.finish()
	require.NotEqual(t, first, s.property("greeter.service", "MainPID"))
	require.Equal(t, "success", s.property("greeter.service", "Result"))
}

func TestServiceThatIsStuckIsReplacedAndItsClientsAreServed(t *testing.T) {
	leakcheck.Start(t)
	name := ipc.UserName("greeter")
	// SIGABRT, the default, would let it go on for a moment, in which it can accept the client.
	replaced := strings.NewReplacer("WatchdogSec=30", "WatchdogSec=2\nWatchdogSignal=SIGKILL")
	s := startSystemd(t, units(t, build(t), replaced, "user/greeter.socket", "user/greeter.service"))
	s.control("start", "greeter.socket", "greeter.service")
	s.control("kill", "--signal=STOP", "--kill-whom=main", "greeter.service")
	s.waitUntilStopped("greeter.service")
	begin(t, name).finish()
	require.NotEqual(t, "0", s.property("greeter.service", "NRestarts"))
}

// The services of the machine, in the sandboxes that their files describe. They are run by a manager of a user's
// services, which cannot change users.
func TestServicesOfTheMachineWorkInTheirSandboxes(t *testing.T) {
	leakcheck.Start(t)
	s := startSystemd(t, units(t, build(t), strings.NewReplacer("/run/lipc", "%t/lipc", "system:", "%t/lipc/",
		"DynamicUser=yes", "", "SocketUser=root", "", "SocketGroup=users", ""),
		"greeter.socket", "greeter.service", "keeper.service"))
	s.control("start", "greeter.socket", "keeper.service")
	own, err := os.Readlink("/proc/self/ns/net")
	require.NoError(t, err)
	for service, private := range map[string]bool{"greeter": true, "keeper": false} {
		begin(t, ipc.Path(filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "lipc", service))).finish()
		proc := filepath.Join("/proc", s.property(service+".service", "MainPID"))
		status, err := os.ReadFile(filepath.Join(proc, "status"))
		require.NoError(t, err)
		require.Contains(t, string(status), "\nSeccomp:\t2\n", "it may not create sockets of all families")
		net, err := os.Readlink(filepath.Join(proc, "ns/net"))
		require.NoError(t, err)
		require.Equal(t, private, net != own)
	}
	location := filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "lipc/keeper")
	s.control("stop", "keeper.service")
	require.NoFileExists(t, location, "it knows the file for its own")
}
