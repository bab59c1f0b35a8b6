package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"

	"github.com/lipc/ipc/tests/facility"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/lipc/ipc/tests/project"
	"github.com/stretchr/testify/require"
)

// systemdFiles are the examples of descriptions for systemd, and what they must say.
var systemdFiles = map[string][]string{
	"lipc.conf":       {"d /run/lipc 0755 root root -"},
	"greeter.socket":  {"ListenStream=/run/lipc/greeter", "SocketUser=root", "SocketMode=0660", "DirectoryMode=0755"},
	"greeter.service": {"DynamicUser=yes", "Also=greeter.socket", "RestrictAddressFamilies=AF_UNIX"},
	"keeper.service": {"RestrictAddressFamilies=AF_UNIX AF_NETLINK", "RuntimeDirectory=lipc",
		"RuntimeDirectoryMode=0755", "RuntimeDirectoryPreserve=yes"},
	"user/greeter.socket":  {"ListenStream=%t/lipc/greeter", "SocketMode=0600", "DirectoryMode=0700"},
	"user/greeter.service": {"Also=greeter.socket", "RestrictAddressFamilies=AF_UNIX"},
}

func TestDescriptionsForSystemdAreValid(t *testing.T) {
	leakcheck.Start(t)
	dir := leakcheck.Dir(t)
	units := map[string][]string{} // by their folder: those of the system, and of its users
	program := regexp.MustCompile(`(?m)^ExecStart=\S+`)
	for name, lines := range systemdFiles {
		content, err := os.ReadFile(filepath.Join(project.Root(t), "examples", "systemd", name))
		require.NoError(t, err)
		for _, line := range lines {
			require.Regexp(t, "(?m)^"+regexp.QuoteMeta(line)+"$", string(content), name)
		}
		if filepath.Ext(name) == ".conf" {
			continue
		}
		units[filepath.Dir(name)] = append(units[filepath.Dir(name)], filepath.Join(dir, name))
		content = program.ReplaceAll(content, []byte("ExecStart=/bin/sh")) // which is there
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o644))
	}
	require.Len(t, project.FilesIn(t, filepath.Join(project.Root(t), "examples", "systemd")), len(systemdFiles))
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		facility.Missing(t, "systemd-analyze")
	}
	for folder, manager := range map[string]string{".": "--system", "user": "--user"} {
		output := project.MustRun(t, dir, []string{"XDG_RUNTIME_DIR=" + dir}, "systemd-analyze",
			append([]string{"verify", "--man=no", manager}, units[folder]...)...)
		require.Empty(t, output)
	}
}

func TestTmpfilesMakeTheDirectoryOfTheMachinesNames(t *testing.T) {
	leakcheck.Start(t)
	program, err := exec.LookPath("systemd-tmpfiles")
	if err != nil || os.Geteuid() != 0 {
		facility.Missing(t, "systemd-tmpfiles, and root to run it")
	}
	root := leakcheck.Dir(t)
	project.MustRun(t, project.Root(t), nil, program, "--root="+root, "--create",
		filepath.Join(project.Root(t), "examples", "systemd", "lipc.conf"))
	info, err := os.Lstat(filepath.Join(root, "run", "lipc"))
	require.NoError(t, err)
	require.Equal(t, os.ModeDir|0o755, info.Mode())
	require.Zero(t, info.Sys().(*syscall.Stat_t).Uid)
}
