//go:build unix

package packaging

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/lipc/ipc/tests/project"
	"github.com/stretchr/testify/require"
)

func TestReferenceHasAPageForEveryFunctionAndConstant(t *testing.T) {
	leakcheck.Start(t)
	project.Need(t, "doxygen")
	dir := leakcheck.Dir(t)
	project.InRoot(t, project.Make(), "docs", "BUILD="+dir) // fails if anything has no documentation
	tags, err := os.ReadFile(filepath.Join(dir, "docs/lipc.tag"))
	require.NoError(t, err)
	documented := map[string]bool{}
	entry := regexp.MustCompile(`<name>(\w+)</name>\s*<anchorfile>(\w+\.html)</anchorfile>` +
		`|file="(\w+\.html)"[^>]*>(\w+)</enumvalue>`)
	for _, found := range entry.FindAllSubmatch(tags, -1) {
		require.FileExists(t, filepath.Join(dir, "docs/html", string(found[2])+string(found[3])))
		documented[string(found[1])+string(found[4])] = true
	}
	for _, name := range declared(t, "lipc.h", "lipc_channel.h", "lipc_signal.h", "lipc_unix.h", "lipc_windows.h") {
		require.True(t, documented[name], name)
	}
	constant := regexp.MustCompile(`(?m)^ +X?\(?(LIPC_[A-Z_0-9]+)(?: =|, \d)|^enum \{ (LIPC_\w+)` +
		`|^#define (LIPC_(?:VERSION|STRLEN|INVALID)\w*)`)
	for _, header := range []string{"lipc.h", "lipc_channel.h", "lipc_signal.h", "lipc_unix.h", "lipc_windows.h"} {
		text, err := os.ReadFile(filepath.Join(project.Root(t), "include", header))
		require.NoError(t, err)
		constants := constant.FindAllSubmatch(text, -1)
		require.NotEmpty(t, constants)
		for _, found := range constants {
			name := string(found[1]) + string(found[2]) + string(found[3])
			require.True(t, documented[name], name)
		}
	}
}
