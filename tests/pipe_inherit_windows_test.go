package tests

import (
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows"
)

// startHeir runs the child "pipes", which inherits one more handle. (With package syscall a child inherits only the
// handles that are listed.)
func startHeir(t *testing.T, handle windows.Handle) *process {
	t.Helper()
	return startWith(t, func(cmd *exec.Cmd) {
		cmd.SysProcAttr = &syscall.SysProcAttr{AdditionalInheritedHandles: []syscall.Handle{syscall.Handle(handle)}}
	}, "pipes")
}

func TestChildInheritsAnEndThatIsForIt(t *testing.T) {
	leakcheck.Start(t)
	r, w := newPipe(t, &ipc.PipeConfig{InheritReader: true})
	requireInherit(t, r, true)
	requireInherit(t, w, false)
	for range 2 {
		p := startHeir(t, handleOf(t, r))
		_, err := w.Write([]byte("to a child"))
		require.NoError(t, err)
		p.order("plain read %d", handleOf(t, r))
		p.expect(`"to a child"`)
		p.end()
	}
	r, w = newPipe(t, &ipc.PipeConfig{InheritWriter: true})
	requireInherit(t, r, false)
	requireInherit(t, w, true)
	for range 2 {
		p := startHeir(t, handleOf(t, w))
		p.order("plain write %d from a child", handleOf(t, w))
		p.expect("written")
		p.end()
		b := make([]byte, 12)
		_, err := io.ReadFull(r, b)
		require.NoError(t, err)
		require.Equal(t, "from a child", string(b))
	}
}

func TestPipesArePassedAsHandles(t *testing.T) {
	leakcheck.Start(t)
	r, w := newPipe(t, new(ipc.PipeConfig))
	requireCloseOnExec(t, r)
	requireCloseOnExec(t, w)
	var cmd *exec.Cmd
	p := startWith(t, func(c *exec.Cmd) {
		cmd = c
		require.NoError(t, r.PassTo(c, "PLAIN"))
		for _, name := range []string{"", "a=b", "a\x00b"} {
			err := r.PassTo(c, name)
			require.ErrorIs(t, err, syscall.EINVAL)
			require.ErrorContains(t, err, fmt.Sprintf("pass ipc: %q cannot be the name of a pipe", name))
		}
	}, "pipes")
	var value string
	for _, variable := range cmd.Env {
		if after, found := strings.CutPrefix(variable, "IPC_PIPE_PLAIN="); found {
			value = after
		}
	}
	require.NotEmpty(t, value)
	require.NoError(t, r.Close()) // it is the child's now
	p.order("environment")
	p.expect("1")
	p.order("reader absent")
	p.expect("absent")
	_, err := w.Write([]byte("plain"))
	require.NoError(t, err)
	p.order("plain read %s", value)
	p.expect(`"plain"`)
	p.end()
	_, err = w.Write([]byte("x")) // the child was the last that had it
	require.ErrorIs(t, err, syscall.EPIPE)
}

func TestVariableThatNamesNoHandleIsAnErrorThatSaysSo(t *testing.T) {
	leakcheck.Start(t)
	for _, value := range []string{"", "garbage", "-1", "3 ", "99999999999999999999", "3"} {
		t.Setenv("IPC_PIPE_x", value)
		_, err := ipc.InheritedPipeReader("x")
		require.ErrorContains(t, err, "inherit ipc: pipe \"x\"", value)
		require.ErrorContains(t, err, fmt.Sprintf("%q", value))
	}
	file := numbered(t, 1)[0]
	t.Setenv("IPC_PIPE_x", fmt.Sprint(file.Fd()))
	_, err := ipc.InheritedPipeReader("x")
	require.ErrorIs(t, err, syscall.EINVAL)
	require.ErrorContains(t, err, "it is no pipe")
}
