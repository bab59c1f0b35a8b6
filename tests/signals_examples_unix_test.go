//go:build unix

package tests

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/lipc/ipc/signals"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/lipc/ipc/tests/project"
	"github.com/stretchr/testify/require"
)

// buildExample builds a program of the folder examples.
func buildExample(t *testing.T, name string) string {
	t.Helper()
	program := filepath.Join(leakcheck.Dir(t), name)
	project.InRoot(t, "go", "build", "-o", program, "./examples/"+name)
	return program
}

// startExample starts an example, which ends with the test at the latest.
func startExample(t *testing.T, program string, args ...string) *process {
	t.Helper()
	return startCommand(t, exec.Command(program, args...))
}

// startCommand is startExample for a command.
func startCommand(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	cmd.Stderr = os.Stderr
	orders, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	p := &process{t: t, cmd: cmd, orders: orders, answers: bufio.NewScanner(stdout)}
	t.Cleanup(func() {
		if !p.ended {
			p.kill()
		}
	})
	return p
}

func TestExampleThatReloadsSaysWhoAsked(t *testing.T) {
	leakcheck.Start(t)
	file := filepath.Join(leakcheck.Dir(t), "file")
	require.NoError(t, os.WriteFile(file, []byte("first"), 0o600))
	name := newUserName(t)
	server := startExample(t, buildExample(t, "reload"), name.String(), file)
	server.expect(fmt.Sprintf("process %d is listening on %s", server.cmd.Process.Pid, name))
	read := func() string {
		text, err := io.ReadAll(dial(t, name))
		require.NoError(t, err)
		return string(text)
	}
	require.Equal(t, "first", read())
	require.NoError(t, os.WriteFile(file, []byte("second"), 0o600))
	require.Equal(t, "first", read())
	require.NoError(t, signals.Send(server.cmd.Process.Pid, syscall.SIGHUP))
	answer := server.answer()
	require.Contains(t, answer, fmt.Sprintf("reloaded for process %d of user ", os.Getpid()))
	if runtime.GOOS == "linux" {
		program, err := os.Executable()
		require.NoError(t, err)
		require.Contains(t, answer, strconv.Quote(program))
	}
	require.Equal(t, "second", read())
	require.NoError(t, signals.Send(server.cmd.Process.Pid, syscall.SIGTERM))
	require.Contains(t, server.answer(), fmt.Sprintf("ended by process %d of user ", os.Getpid()))
	server.end()
}

func TestExampleSupervisorKnowsHowEachProgramEnded(t *testing.T) {
	leakcheck.Start(t)
	mark := filepath.Join(leakcheck.Dir(t), "mark")
	// It fails once in one way, once in another, and then succeeds.
	command := fmt.Sprintf(`echo x >>%s; case $(wc -l <%s) in *1) exit 7;; *2) kill -KILL $$;; esac`, mark, mark)
	supervisor := startExample(t, buildExample(t, "supervisor"), command, "exit 0")
	output, err := io.ReadAll(outputOf(supervisor))
	require.NoError(t, err)
	pids := map[string][]string{}
	ends := map[string]string{}
	for line := range strings.Lines(string(output)) {
		line = strings.TrimSpace(line)
		if program, pid, begun := strings.Cut(line, " is process "); begun {
			pids[program] = append(pids[program], pid)
			continue
		}
		pid, end, _ := strings.Cut(strings.TrimPrefix(line, "process "), " ")
		ends[pid] = end
	}
	tried := pids[strconv.Quote(command)]
	require.Len(t, tried, 3)
	require.Equal(t, "exited with 7", ends[tried[0]])
	require.Equal(t, "was killed by SIGKILL", ends[tried[1]])
	require.Equal(t, "exited with 0", ends[tried[2]])
	require.Len(t, pids[`"exit 0"`], 1)
	require.Equal(t, "exited with 0", ends[pids[`"exit 0"`][0]])
	supervisor.end()
}

func TestExampleSupervisorEndsItsPrograms(t *testing.T) {
	leakcheck.Start(t)
	supervisor := startExample(t, buildExample(t, "supervisor"), "exec sleep 1000", "exec sleep 2000")
	var pids []string
	for range 2 {
		_, pid, _ := strings.Cut(supervisor.answer(), " is process ")
		pids = append(pids, pid)
	}
	require.NoError(t, signals.Send(supervisor.cmd.Process.Pid, syscall.SIGTERM))
	require.Contains(t, supervisor.answer(), fmt.Sprintf("asked to end: SIGTERM from process %d", os.Getpid()))
	ends := []string{supervisor.answer(), supervisor.answer()}
	for _, pid := range pids {
		require.Contains(t, ends, "process "+pid+" was killed by SIGTERM")
	}
	supervisor.end()
}

func TestExampleDoesEachQueuedJob(t *testing.T) {
	leakcheck.Start(t)
	if !queues(t) {
		return
	}
	program := buildExample(t, "jobs")
	worker := startExample(t, program, "work")
	pid := worker.answer()
	require.Equal(t, strconv.Itoa(worker.cmd.Process.Pid), pid)
	want := map[string]bool{}
	arguments := []string{"add", pid}
	for i := range 500 {
		arguments = append(arguments, strconv.Itoa(i))
	}
	adder := exec.Command(program, arguments...)
	require.NoError(t, adder.Run())
	for i := range 500 {
		want[fmt.Sprintf("job %d for process %d of user %d", i, adder.Process.Pid, os.Getuid())] = true
	}
	for range 500 {
		answer := worker.answer()
		require.True(t, want[answer], "%s", answer)
		delete(want, answer)
	}
	require.NoError(t, signals.Send(worker.cmd.Process.Pid, syscall.SIGTERM))
	worker.end()
}
