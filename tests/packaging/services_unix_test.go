//go:build unix

package packaging

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/lipc/ipc/tests/project"
	"github.com/stretchr/testify/require"
)

// inServices returns a part of the page about services: what is in the block of that kind.
func inServices(t *testing.T, kind string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(project.Root(t), "docs/services.md"))
	require.NoError(t, err)
	block := regexp.MustCompile("(?s)\n```" + kind + "\n(.*?)\n```\n").FindStringSubmatch(string(page))
	require.NotNil(t, block, kind)
	return block[1] + "\n"
}

func TestProgramForInetdTakesAConnectionOrAListener(t *testing.T) {
	leakcheck.Start(t)
	project.Need(t, "systemd-socket-activate")
	project.Need(t, "socat")
	dir := newModule(t, project.Root(t), inServices(t, "go inetd"))
	project.MustRun(t, dir, nil, "go", "build", "-o", "greeter", ".")
	for i, line := range strings.Split(strings.TrimSpace(inServices(t, "sh")), "\n") {
		path := filepath.Join(dir, fmt.Sprint("s", i))
		cmd := exec.Command("sh", "-c", "exec "+line)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "path="+path)
		require.NoError(t, cmd.Start())
		t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait(); os.Remove(path) })
		for range 2 {
			c := dialOnceItListens(t, path)
			require.NoError(t, c.SetDeadline(time.Now().Add(30*time.Second)))
			greeting, err := bufio.NewReader(c).ReadString('\n')
			require.NoError(t, err, line)
			require.Equal(t, fmt.Sprintf("hello, process %d\n", os.Getpid()), greeting)
			_, err = c.Read(make([]byte, 1))
			require.Equal(t, io.EOF, err)
			require.NoError(t, c.Close())
		}
	}
}

func dialOnceItListens(t *testing.T, path string) *ipc.Conn {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; {
		c, err := ipc.Dial(t.Context(), ipc.Path(path))
		if err == nil || time.Now().After(end) {
			require.NoError(t, err)
			return c
		}
	}
}
