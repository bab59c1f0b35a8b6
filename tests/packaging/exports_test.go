//go:build unix

package packaging

import (
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/lipc/ipc/tests/project"
	"github.com/stretchr/testify/require"
)

// declared lists the functions that headers declare.
func declared(t *testing.T, headers ...string) (names []string) {
	t.Helper()
	for _, header := range headers {
		text, err := os.ReadFile(filepath.Join(project.Root(t), "include", header))
		require.NoError(t, err)
		found := regexp.MustCompile(`(?m)^LIPC_API\s[^;(]*?\b(\w+)\(`).FindAllSubmatch(text, -1)
		require.NotEmpty(t, found, header)
		require.Len(t, found, len(regexp.MustCompile(`(?m)^LIPC_API\b`).FindAll(text, -1)), header)
		for _, name := range found {
			names = append(names, string(name[1]))
		}
	}
	return names
}

// requireExports checks that the symbols are what the headers declare, no more and no less, all with the prefix.
func requireExports(t *testing.T, symbols []string, headers ...string) {
	t.Helper()
	for _, symbol := range symbols {
		require.Regexp(t, `^lipc_[a-z0-9]`, symbol)
	}
	require.ElementsMatch(t, declared(t, headers...), symbols)
}

// definedInShared lists the symbols that a shared library of this system exports.
func definedInShared(t *testing.T, path string) (names []string) {
	t.Helper()
	if runtime.GOOS == "darwin" {
		return definedInObject(t, path)
	}
	library, err := elf.Open(path)
	require.NoError(t, err)
	defer library.Close()
	symbols, err := library.DynamicSymbols()
	require.NoError(t, err)
	node := "LIPC_" + versionIn(t, project.Root(t)).abi()
	for _, symbol := range symbols {
		if symbol.Section == elf.SHN_UNDEF {
			continue
		}
		if symbol.Section == elf.SHN_ABS { // the version's own
			require.Equal(t, node, symbol.Name)
			continue
		}
		require.Equal(t, node, symbol.Version)
		names = append(names, symbol.Name)
	}
	return names
}

// definedInObject lists the global symbols that an object file of this system defines.
func definedInObject(t *testing.T, path string) (names []string) {
	t.Helper()
	if runtime.GOOS == "darwin" {
		const private, kind, external = 0x10, 0x0e, 0x01 // N_PEXT, N_TYPE, N_EXT
		object, err := macho.Open(path)
		require.NoError(t, err)
		defer object.Close()
		for _, symbol := range object.Symtab.Syms {
			if symbol.Type&external != 0 && symbol.Type&private == 0 && symbol.Type&kind != 0 {
				names = append(names, strings.TrimPrefix(symbol.Name, "_"))
			}
		}
		return names
	}
	object, err := elf.Open(path)
	require.NoError(t, err)
	defer object.Close()
	symbols, err := object.Symbols()
	require.NoError(t, err)
	for _, symbol := range symbols {
		if symbol.Section != elf.SHN_UNDEF && elf.ST_BIND(symbol.Info) != elf.STB_LOCAL {
			names = append(names, symbol.Name)
		}
	}
	return names
}

func TestLibrariesDefineWhatTheHeadersDeclareAndNothingElse(t *testing.T) {
	leakcheck.Start(t)
	dir := leakcheck.Dir(t)
	project.InRoot(t, project.Make(), "BUILD="+dir)
	pattern := "liblipc.so.*"
	if runtime.GOOS == "darwin" {
		pattern = "liblipc.*.dylib"
	}
	shared, err := filepath.Glob(filepath.Join(dir, pattern))
	require.NoError(t, err)
	require.Len(t, shared, 1)
	requireExports(t, definedInShared(t, shared[0]), "lipc.h", "lipc_channel.h", "lipc_signal.h", "lipc_unix.h")

	members := strings.Fields(project.MustRun(t, dir, nil, "ar", "t", "liblipc.a"))
	if runtime.GOOS != "darwin" { // whose archives have their index as a member
		require.Equal(t, []string{"lipc.o"}, members)
	}
	require.NoError(t, os.Remove(filepath.Join(dir, "lipc.o")))
	project.MustRun(t, dir, nil, "ar", "x", "liblipc.a", "lipc.o")
	requireExports(t, definedInObject(t, filepath.Join(dir, "lipc.o")), "lipc.h", "lipc_channel.h", "lipc_signal.h", "lipc_unix.h")
}

func TestWindowsLibrariesDefineWhatTheHeadersDeclareAndNothingElse(t *testing.T) {
	leakcheck.Start(t)
	const prefix = "x86_64-w64-mingw32-"
	project.Need(t, prefix+"gcc")
	dir := leakcheck.Dir(t)
	object, library := filepath.Join(dir, "lipc.o"), filepath.Join(dir, "lipc.dll")
	project.InRoot(t, prefix+"gcc", "-std=c11", "-Iinclude", "-c", "csrc/all.c", "-o", object)
	project.InRoot(t, prefix+"gcc", "-std=c11", "-Iinclude", "-DLIPC_BUILD_SHARED", "-shared", "csrc/all.c",
		"-lntdll", "-ladvapi32", "-o", library)

	const external = 2 // IMAGE_SYM_CLASS_EXTERNAL
	file, err := pe.Open(object)
	require.NoError(t, err)
	defer file.Close()
	var symbols []string
	for _, symbol := range file.Symbols {
		if symbol.StorageClass == external && symbol.SectionNumber > 0 && !strings.HasPrefix(symbol.Name, ".") {
			symbols = append(symbols, symbol.Name)
		}
	}
	requireExports(t, symbols, "lipc.h", "lipc_channel.h", "lipc_signal.h", "lipc_windows.h")

	var exports []string
	dump := project.MustRun(t, dir, nil, prefix+"objdump", "-p", library)
	_, table, found := strings.Cut(dump, "[Ordinal/Name Pointer] Table")
	require.True(t, found, dump)
	for _, line := range strings.Split(table, "\n")[1:] {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			break
		}
		exports = append(exports, fields[len(fields)-1])
	}
	requireExports(t, exports, "lipc.h", "lipc_channel.h", "lipc_signal.h", "lipc_windows.h")
}
