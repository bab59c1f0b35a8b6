//go:build unix

package packaging

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/lipc/ipc/tests/project"
	"github.com/stretchr/testify/require"
)

// A version is that of the library. It stands in include/lipc.h.
type version struct{ major, minor, patch int }

func (v version) String() string { return fmt.Sprintf("%d.%d.%d", v.major, v.minor, v.patch) }

// abi is the part of the version that the soname carries: until 1.0 that is one minor version.
func (v version) abi() string {
	if v.major == 0 {
		return fmt.Sprintf("0.%d", v.minor)
	}
	return strconv.Itoa(v.major)
}

// next is the version from which on programs have to be built anew.
func (v version) next() version {
	if v.major == 0 {
		return version{0, v.minor + 1, 0}
	}
	return version{v.major + 1, 0, 0}
}

// versionIn returns the version of the sources in root.
func versionIn(t *testing.T, root string) version {
	t.Helper()
	header, err := os.ReadFile(filepath.Join(root, "include/lipc.h"))
	require.NoError(t, err)
	number := func(part string) int {
		found := regexp.MustCompile(`(?m)^#define LIPC_VERSION_` + part + ` (\d+)$`).FindSubmatch(header)
		require.NotNil(t, found, part)
		n, err := strconv.Atoi(string(found[1]))
		require.NoError(t, err)
		return n
	}
	return version{number("MAJOR"), number("MINOR"), number("PATCH")}
}

// setVersion changes the version of the sources in root, which are a copy.
func setVersion(t *testing.T, root string, to version) {
	t.Helper()
	from := versionIn(t, root)
	for part, numbers := range map[string][2]int{"MAJOR": {from.major, to.major}, "MINOR": {from.minor, to.minor},
		"PATCH": {from.patch, to.patch}} {
		define := "#define LIPC_VERSION_" + part + " "
		edit(t, root, define+strconv.Itoa(numbers[0])+"\n", define+strconv.Itoa(numbers[1])+"\n")
	}
}

// Some formats cannot take the version from the header.
func TestCopiesOfTheVersionAreThatOfTheHeader(t *testing.T) {
	leakcheck.Start(t)
	root := project.Root(t)
	v := versionIn(t, root)
	require.Equal(t, v.String()+"\n", project.MustRun(t, root, nil, project.Make(), "-s", "version"))
	cargo := fmt.Sprintf("\nversion = %q\n", v)
	for file, line := range map[string]string{
		"examples/rust/lipc-sys/Cargo.toml": cargo,
		"examples/rust/lipc/Cargo.toml":     cargo,
		"examples/rust/opener/Cargo.toml":   cargo,
		"examples/rust/lipc-sys/build.rs":   fmt.Sprintf("range_version(%q..%q)", v.abi(), v.next().abi()),
		"internal/core/core.h":              fmt.Sprintf("#define IPC_MAJOR %d\n#define IPC_MINOR %d\n", v.major, v.minor),
		"examples/python/lipc.py":           fmt.Sprintf("\n_ABI = %q ", v.abi()),
	} {
		text, err := os.ReadFile(filepath.Join(root, file))
		require.NoError(t, err)
		require.Contains(t, string(text), line, file)
	}
}

// edit replaces a text wherever the headers and the core have it.
func edit(t *testing.T, root, from, to string) {
	t.Helper()
	edited := false
	for _, pattern := range []string{"include/*.h", "csrc/*.c", "csrc/*/*.c"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		require.NoError(t, err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			if strings.Contains(string(text), from) {
				require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(string(text), from, to)), 0o600))
				edited = true
			}
		}
	}
	require.True(t, edited, from)
}
