//go:build unix

package packaging

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/lipc/ipc/tests/project"
	"github.com/stretchr/testify/require"
)

func comingFrom(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(project.Root(t), "docs/coming-from-net-and-go-winio.md"))
	require.NoError(t, err)
	return string(page)
}

// linesOfCode counts the lines of a file that are neither empty nor a comment.
func linesOfCode(t *testing.T, file string) (lines int) {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(project.Root(t), file))
	require.NoError(t, err)
	for line := range strings.Lines(string(source)) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "//") {
			lines++
		}
	}
	return lines
}

func TestPageForThoseThatComeFromNetHasTheNumbersOfTheDaemon(t *testing.T) {
	leakcheck.Start(t)
	after := linesOfCode(t, "examples/daemon/main.go")
	common := linesOfCode(t, "examples/daemon/before/main.go")
	linux := linesOfCode(t, "examples/daemon/before/daemon_linux.go")
	windows := linesOfCode(t, "examples/daemon/before/daemon_windows.go")
	page := comingFrom(t)
	for row, counts := range map[string][2]int{
		"lines for all systems": {common, after},
		"lines for Linux":       {linux, 0},
		"lines for Windows":     {windows, 0},
		"lines in all":          {common + linux + windows, after},
	} {
		require.Regexp(t, fmt.Sprintf(`(?m)^\| %s +\| %d +\| %d +\|$`, row, counts[0], counts[1]), page)
	}
}

// inPage is what the snippets of the page use.
const inPage = `package page

import (
	"errors"
	"net"
	"os"

	"github.com/lipc/ipc"
	"golang.org/x/sys/unix"
)

var (
	_ = errors.New
	_ unix.Ucred
	_ ipc.Name
)

func use([]byte, *os.File) error { return nil }

`

func TestSnippetsInThePageForThoseThatComeFromNetCompile(t *testing.T) {
	leakcheck.Start(t)
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(comingFrom(t), -1)
	require.NotEmpty(t, blocks)
	source := inPage
	for i, block := range blocks {
		source += fmt.Sprintf("func snippet%d(c *net.UnixConn, conn *ipc.Conn, b []byte) error {\n%s}\n\n", i, block[1])
	}
	dir := newModule(t, project.Root(t), source)
	project.MustRun(t, dir, nil, "go", "mod", "edit", "-require=golang.org/x/sys@v0.40.0")
	sums, err := os.ReadFile(filepath.Join(project.Root(t), "go.sum"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.sum"), sums, 0o600))
	project.MustRun(t, dir, nil, "go", "vet", ".")
}

func TestDaemonWithGoWinioCompilesForWindows(t *testing.T) {
	leakcheck.Start(t)
	before := filepath.Join(project.Root(t), "examples/daemon/before")
	project.MustRun(t, before, []string{"GOOS=windows", "CGO_ENABLED=0"}, "go", "vet", ".")
}
