//go:build unix

// Package packaging tests what is built, installed and documented: none of it depends on how the Go package is
// compiled, so it is apart from the tests that are run in several builds.
package packaging

import (
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/lipc/ipc/tests/project"
	"github.com/stretchr/testify/require"
)

// These tests use the repository as its users do, from a module or a C program of their own.

const consumer = `package main

import (
	"fmt"

	"github.com/lipc/ipc"
)

func main() {
	a, b, err := ipc.Pair()
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(a, "works")
	var word string
	fmt.Fscan(b, &word)
	fmt.Println(word)
}
`

// newModule makes a module that requires the one in root, with source as its program.
func newModule(t *testing.T, root, source string) (dir string) {
	t.Helper()
	dir = leakcheck.Dir(t)
	module := "module consumer\n\ngo 1.25\n\n" +
		"require github.com/lipc/ipc v0.0.0\n\nreplace github.com/lipc/ipc => " + root + "\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte(module), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(source), 0o600))
	return dir
}

func TestModuleBuildsAgainstTheBundledSources(t *testing.T) {
	leakcheck.Start(t)
	dir := newModule(t, project.Root(t), consumer)
	require.Equal(t, "works\n", project.MustRun(t, dir, nil, "go", "run", "."))
}

func TestVendoredModuleBuilds(t *testing.T) {
	leakcheck.Start(t)
	dir := newModule(t, project.Root(t), consumer)
	project.MustRun(t, dir, nil, "go", "mod", "vendor")
	require.FileExists(t, filepath.Join(dir, "vendor/github.com/lipc/ipc/csrc/unix/stream.c"))
	require.Equal(t, "works\n", project.MustRun(t, dir, nil, "go", "run", "-mod=vendor", "."))
}

// installed installs the library in a folder of build/tests, which is known to Go's build cache through a macro that
// nothing uses: the cache does not notice when pkg-config changes its answer. So the same name stands for the same files.
func installed(t *testing.T, name string) (prefix string, env []string) {
	t.Helper()
	project.Need(t, "pkg-config")
	prefix = filepath.Join(project.Root(t), "build/tests", name)
	require.NoError(t, os.RemoveAll(prefix))
	project.InRoot(t, project.Make(), "install", "PREFIX="+prefix, "BUILD="+filepath.Join(prefix, "build"))
	return prefix, []string{"PKG_CONFIG_PATH=" + filepath.Join(prefix, "lib/pkgconfig"),
		"LD_LIBRARY_PATH=" + filepath.Join(prefix, "lib"), "CGO_CFLAGS=-O2 -g -DINSTALLED_AT=" + prefix}
}

func TestModuleBuildsAgainstTheInstalledLibrary(t *testing.T) {
	leakcheck.Start(t)
	prefix, env := installed(t, "installed")
	dir := newModule(t, project.Root(t), consumer)
	project.MustRun(t, dir, env, "go", "build", "-tags", "liblipc", "-o", "program", ".")
	require.Equal(t, "works\n", project.MustRun(t, dir, env, "./program"))
	if runtime.GOOS != "darwin" {
		program, err := elf.Open(filepath.Join(dir, "program"))
		require.NoError(t, err)
		defer program.Close()
		libraries, err := program.ImportedLibraries()
		require.NoError(t, err)
		require.Contains(t, libraries, "liblipc.so."+versionIn(t, project.Root(t)).abi())
	}

	// So does a C program, the README's.
	file := filepath.Join(dir, "program.c")
	require.NoError(t, os.WriteFile(file, []byte(programsInREADME(t, "c", "int main(")[0]), 0o600))
	flags := strings.Fields(project.MustRun(t, dir, env, "pkg-config", "--cflags", "--libs", "lipc"))
	project.MustRun(t, dir, env, project.Compiler(), append(append([]string{file}, flags...), "-o", "program-in-c")...)
	require.Equal(t, "hello\n", project.MustRun(t, dir, env, "./program-in-c"))

	// And what was installed can be removed again.
	project.InRoot(t, project.Make(), "uninstall", "PREFIX="+prefix)
	require.NoError(t, os.RemoveAll(filepath.Join(prefix, "build")))
	require.Empty(t, project.FilesIn(t, prefix))
}

// Versions with the same soname can replace one another, see lipc.h.
func TestInstalledLibraryOfAnotherVersionIsRefusedByTheCompiler(t *testing.T) {
	leakcheck.Start(t)
	prefix, env := installed(t, "installed-other")
	own := versionIn(t, project.Root(t))
	header := filepath.Join(prefix, "include/lipc.h")
	text, err := os.ReadFile(header)
	require.NoError(t, err)
	dir := newModule(t, project.Root(t), consumer)
	build := func(to version) (string, error) {
		other := string(text)
		for part, n := range map[string]int{"MAJOR": to.major, "MINOR": to.minor, "PATCH": to.patch} {
			define := "#define LIPC_VERSION_" + part
			other = regexp.MustCompile(define+` \d+`).ReplaceAllString(other, fmt.Sprint(define, " ", n))
		}
		require.NoError(t, os.WriteFile(header, []byte(other), 0o600))
		known := slices.Clone(env)
		known[len(known)-1] += " -DINSTALLED_LIPC=" + to.String()
		return project.Run(t, dir, known, "go", "build", "-tags", "liblipc", ".")
	}
	output, err := build(version{own.major, own.minor, own.patch + 1})
	require.NoError(t, err, output)
	for _, other := range []version{own.next(), {own.major + 1, 0, 0}} {
		output, err := build(other)
		require.Error(t, err)
		require.Contains(t, output, "this package needs lipc "+own.abi())
		require.Contains(t, output, "but lipc.h is of version "+other.String())
	}
	require.NoError(t, os.RemoveAll(prefix))
}

func TestInstallKeepsToDESTDIR(t *testing.T) {
	leakcheck.Start(t)
	root := leakcheck.Dir(t)
	arguments := []string{"PREFIX=/opt/ipc", "DESTDIR=" + filepath.Join(root, "stage"),
		"BUILD=" + filepath.Join(root, "build")}
	project.InRoot(t, project.Make(), append(arguments, "install")...)
	files := project.FilesIn(t, filepath.Join(root, "stage"))
	manuals := 0
	for _, file := range files {
		if strings.HasPrefix(file, "opt/ipc/share/man/man3/lipc") {
			manuals++
		}
	}
	for _, file := range []string{"include/lipc.h", "include/lipc_channel.h", "include/lipc_signal.h", "include/lipc_unix.h",
		"include/lipc_windows.h", "lib/liblipc.a", "lib/pkgconfig/lipc.pc", "lib/cmake/lipc/lipcConfig.cmake",
		"lib/cmake/lipc/lipcConfigVersion.cmake", "lib/cmake/lipc/lipcTargets.cmake", "share/man/man3/lipc.3"} {
		require.Contains(t, files, "opt/ipc/"+file)
	}
	require.Len(t, files, 10+3+manuals) // ten besides manual pages, and the shared library under three names
	pc, err := os.ReadFile(filepath.Join(root, "stage/opt/ipc/lib/pkgconfig/lipc.pc"))
	require.NoError(t, err)
	require.Contains(t, string(pc), "prefix=/opt/ipc\n")
	require.NotContains(t, string(pc), root)
	targets, err := os.ReadFile(filepath.Join(root, "stage/opt/ipc/lib/cmake/lipc/lipcTargets.cmake"))
	require.NoError(t, err)
	require.Contains(t, string(targets), `"${lipc_libraries}/../include"`)
	require.NotContains(t, string(targets), "opt/ipc")
	project.InRoot(t, project.Make(), append(arguments, "uninstall")...)
	require.Empty(t, project.FilesIn(t, filepath.Join(root, "stage")))
	require.NoDirExists(t, filepath.Join(root, "stage/opt/ipc/lib/cmake/lipc"))
}

func TestInstallAndUninstallRefuseFoldersWithASpace(t *testing.T) {
	leakcheck.Start(t)
	root := leakcheck.Dir(t)
	for _, target := range []string{"install", "uninstall"} {
		for _, folder := range []string{"DESTDIR", "PREFIX", "LIBDIR", "INCLUDEDIR", "MANDIR"} {
			for _, path := range []string{filepath.Join(root, "a b"), root + " "} {
				output, err := project.Run(t, project.Root(t), nil, project.Make(), target, "BUILD="+filepath.Join(root, "build"),
					"PREFIX="+filepath.Join(root, "prefix"), folder+"="+path)
				require.Error(t, err)
				require.Contains(t, output, folder+` must not have a space in it: "`+path+`"`)
			}
		}
	}
	require.Empty(t, project.FilesIn(t, root))
}

// copyModule returns a copy of what the Go package is built of.
func copyModule(t *testing.T) string {
	t.Helper()
	root := filepath.Join(leakcheck.Dir(t), "copy")
	for _, folder := range []string{"csrc", "include", "internal"} {
		require.NoError(t, os.CopyFS(filepath.Join(root, folder), os.DirFS(filepath.Join(project.Root(t), folder))))
	}
	for _, pattern := range []string{"*.go", "go.mod", "go.sum"} {
		files, err := filepath.Glob(filepath.Join(project.Root(t), pattern))
		require.NoError(t, err)
		for _, file := range files {
			require.NoError(t, os.Symlink(file, filepath.Join(root, filepath.Base(file))))
		}
	}
	return root
}

func TestEditsOfTheCoreReachTheBuild(t *testing.T) {
	leakcheck.Start(t)
	root := copyModule(t)
	dir := newModule(t, root, consumer)
	project.MustRun(t, dir, nil, "go", "build", ".")
	for _, file := range []string{"csrc/unix/stream.c", "include/lipc.h"} {
		edited := filepath.Join(root, file)
		before, err := os.ReadFile(edited)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(edited, []byte("#error edited\n"), 0o600))
		output, err := project.Run(t, dir, nil, "go", "build", ".")
		require.Error(t, err, file)
		require.Contains(t, output, "edited")
		require.NoError(t, os.WriteFile(edited, before, 0o600))
	}
}

// The compiler keeps the layers apart.
func TestCTypesOfTheCoreAreOutOfReachOfTheOtherPackages(t *testing.T) {
	leakcheck.Start(t)
	root := copyModule(t)
	uses := []string{"core.Buffer{}.c", "core.Listener{}.c", "core.SocketName{}.c.length", "core._Ctype_lipc_name{}"}
	for folder, name := range map[string]string{".": "ipc", "internal/poll": "poll"} {
		source := "package " + name + "\n\nimport \"github.com/lipc/ipc/internal/core\"\n\n"
		for _, use := range uses {
			source += "var _ = " + use + "\n"
		}
		file := filepath.Join(root, folder, "use.go")
		require.NoError(t, os.WriteFile(file, []byte(source), 0o600))
		output, err := project.Run(t, root, nil, "go", "build", "./"+folder)
		require.Error(t, err)
		for line := range uses {
			require.Regexp(t, fmt.Sprintf(`use\.go:%d:\d+: .*(undefined|not exported)`, 5+line), output)
		}
		require.NoError(t, os.Remove(file))
	}
}

func TestWithoutCgoTheErrorsSayWhatToDo(t *testing.T) {
	leakcheck.Start(t)
	dir := newModule(t, project.Root(t), consumer)
	goTool := filepath.Join(strings.TrimSpace(project.MustRun(t, dir, nil, "go", "env", "GOROOT")), "bin/go")
	for name, env := range map[string][]string{
		"cgo is off":           {"CGO_ENABLED=0"},
		"there is no compiler": {"CGO_ENABLED=", "CC=", "PATH=" + leakcheck.Dir(t)},
	} {
		t.Run(name, func(t *testing.T) {
			output, err := project.Run(t, dir, env, goTool, "build", ".")
			require.Error(t, err)
			lines := strings.Split(strings.TrimSpace(output), "\n")
			require.Len(t, lines, 9, "%s", output) // the first names the package
			for i, text := range []string{"This package needs cgo and a C compiler. Install one:", "Debian, Ubuntu: apt install gcc",
				"Fedora: dnf install gcc", "Alpine: apk add gcc musl-dev", "macOS: xcode-select --install",
				"Windows: pacman -S mingw-w64-ucrt-x86_64-gcc", "Then set CGO_ENABLED=1, and CC"} {
				require.Contains(t, lines[1+i], `: "`+text)
			}
			require.NotContains(t, output, "...") // where the compiler cuts a text
		})
	}
	env := []string{"CGO_ENABLED=1", "CC=", "PATH=" + leakcheck.Dir(t)}
	output, err := project.Run(t, dir, env, goTool, "build", ".")
	require.Error(t, err)
	require.Contains(t, output, `C compiler "`)
	require.Contains(t, output, "not found")
}

// programsInREADME returns the README's programs in a language, which have the mark of a whole program.
func programsInREADME(t *testing.T, language, mark string) (programs []string) {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(project.Root(t), "README.md"))
	require.NoError(t, err)
	for _, block := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(readme), -1) {
		if strings.Contains(block[1], mark) {
			programs = append(programs, block[1])
		}
	}
	require.NotEmpty(t, programs)
	return programs
}

func TestProgramsInTheREADMECompileAndRun(t *testing.T) {
	leakcheck.Start(t)
	for _, source := range programsInREADME(t, "go", "package main") {
		dir := newModule(t, project.Root(t), source)
		project.MustRun(t, dir, nil, "go", "vet", ".")
		require.Regexp(t, `^hello, process \d+\n$`, project.MustRun(t, dir, nil, "go", "run", "."))
	}
	for _, source := range programsInREADME(t, "c", "int main(") {
		require.Equal(t, "hello\n", runInC(t, source))
	}
}

// runInC compiles a C program together with the library, and returns what it prints.
func runInC(t *testing.T, source string) string {
	t.Helper()
	dir := leakcheck.Dir(t)
	file := filepath.Join(dir, "program.c")
	require.NoError(t, os.WriteFile(file, []byte(source), 0o600))
	project.InRoot(t, project.Compiler(), "-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-Iinclude",
		"-D_GNU_SOURCE", file, "csrc/all.c", "-o", filepath.Join(dir, "program"))
	return project.MustRun(t, dir, nil, "./program")
}
