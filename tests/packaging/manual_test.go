//go:build unix

package packaging

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/lipc/ipc/tests/project"
	"github.com/stretchr/testify/require"
)

// manuals returns the manual pages by their names.
func manuals(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(project.Root(t), "man/*.3"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	pages := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		pages[strings.TrimSuffix(filepath.Base(file), ".3")] = string(text)
	}
	return pages
}

// readHeader returns a header with each run of spaces as one.
func readHeader(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(project.Root(t), "include", name))
	require.NoError(t, err)
	return strings.Join(strings.Fields(string(text)), " ")
}

func TestManualPagesHaveThePrototypesAndErrorsOfTheHeaders(t *testing.T) {
	var header string
	for _, name := range []string{"lipc.h", "lipc_channel.h", "lipc_signal.h", "lipc_unix.h"} {
		header += readHeader(t, name) + " "
	}
	prototype := regexp.MustCompile(`(?m)^\.Ft "?([^"\n]+)"?\n\.Fn (\w+) (.+)$`)
	argument := regexp.MustCompile(`"[^"]*"|\S+`)
	for page, text := range manuals(t) {
		found := prototype.FindAllStringSubmatch(text, -1)
		require.NotEmpty(t, found, page)
		var described []string
		for _, function := range found {
			arguments := argument.FindAllString(function[3], -1)
			for i := range arguments {
				arguments[i] = strings.Trim(arguments[i], `"`)
			}
			declaration := function[1] + " " + function[2] + "(" + strings.Join(arguments, ", ") + ");"
			require.Contains(t, header, "LIPC_API "+strings.Replace(declaration, "* ", "*", 1), page)
			described = append(described, function[2])
		}
		names, _, _ := strings.Cut(text, "\n.Nd ")
		for _, name := range regexp.MustCompile(`(?m)^\.Nm (\w+)`).FindAllStringSubmatch(names, -1) {
			if name[1] != page {
				require.Contains(t, described, name[1], page)
			}
		}
		for _, name := range described {
			require.Contains(t, names, "\n.Nm "+name, page)
		}
		for _, constant := range regexp.MustCompile(`LIPC_[A-Z_]*[A-Z]`).FindAllString(text, -1) {
			require.True(t, constant == strings.ToUpper(page) || strings.Contains(header, constant), "%s: %s", page, constant)
		}
	}
	_, listed, _ := strings.Cut(manuals(t)["lipc"], "\n.Bl -tag -width LIPC_ENAMETOOLONG -compact\n")
	listed, _, _ = strings.Cut(listed, ".El")
	var wanted string
	for _, e := range regexp.MustCompile(`X\((LIPC_\w+), \d+, "(.*?)"\)`).FindAllStringSubmatch(header, -1) {
		wanted += ".It Dv " + e[1] + "\n" + e[2] + "\n"
	}
	require.Equal(t, wanted, listed)
}

func TestProgramsInTheManualPagesCompileAndRun(t *testing.T) {
	leakcheck.Start(t)
	for _, page := range []string{"lipc", "lipc_channel", "lipc_signal"} {
		_, program, found := strings.Cut(manuals(t)[page], ".Bd -literal\n#include")
		require.True(t, found, page)
		program, _, _ = strings.Cut("#include"+program, ".Ed\n")
		require.Equal(t, "hello\n", runInC(t, strings.ReplaceAll(program, `\e`, `\`)), page)
	}
}

func TestManualPagesAreInstalledUnderTheNamesOfTheirFunctions(t *testing.T) {
	leakcheck.Start(t)
	root := leakcheck.Dir(t)
	project.InRoot(t, project.Make(), "install", "PREFIX="+root, "BUILD="+filepath.Join(root, "build"))
	installed := func(name string) string {
		text, err := os.ReadFile(filepath.Join(root, "share/man/man3", name+".3"))
		require.NoError(t, err)
		return string(text)
	}
	require.Equal(t, ".so man3/lipc_listen.3\n", installed("lipc_accept"))
	require.Equal(t, ".so man3/lipc_message.3\n", installed("lipc_peer_credentials"))
	require.Equal(t, ".so man3/lipc_channel.3\n", installed("lipc_channel_open"))
	require.Equal(t, ".so man3/lipc_signal.3\n", installed("lipc_signal_watch"))
	for page, text := range manuals(t) {
		require.Equal(t, text, installed(page))
		for _, name := range regexp.MustCompile(`(?m)^\.Xr (lipc\w*) 3`).FindAllStringSubmatch(text, -1) {
			installed(name[1])
		}
	}
}
