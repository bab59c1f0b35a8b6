//go:build unix

package packaging

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/lipc/ipc/tests/project"
	"github.com/stretchr/testify/require"
)

// buildConsumer builds the project in tests/cmake/consumer, and returns the folder of its programs.
func buildConsumer(t *testing.T, options ...string) (dir string) {
	t.Helper()
	dir = leakcheck.Dir(t)
	cmake(t, append([]string{"-S", filepath.Join(project.Root(t), "tests/cmake/consumer"), "-B", dir}, options...)...)
	cmake(t, "--build", dir)
	return dir
}

// cmake runs CMake with the compiler that "make test" was told to use.
func cmake(t *testing.T, args ...string) string {
	t.Helper()
	env := []string{"CC=" + project.Compiler(), "CMAKE_BUILD_PARALLEL_LEVEL=2"}
	return project.MustRun(t, project.Root(t), env, "cmake", args...)
}

// requireWorkingConsumer runs what buildConsumer built, and checks which programs contain the library.
func requireWorkingConsumer(t *testing.T, dir string, sharedByDefault bool) {
	t.Helper()
	abi := versionIn(t, project.Root(t)).abi()
	for program, shared := range map[string]bool{"with-lipc": sharedByDefault, "with-lipc_static": false,
		"with-lipc_shared": true} {
		path := filepath.Join(dir, program)
		require.Equal(t, "works\n", project.MustRun(t, dir, nil, path))
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, shared, strings.Contains(string(content), "liblipc.so."+abi) ||
			strings.Contains(string(content), "liblipc."+abi+".dylib"), program)
	}
}

func TestFindPackageFindsWhatMakeInstalledAndMoved(t *testing.T) {
	leakcheck.Start(t)
	project.Need(t, "cmake")
	root := leakcheck.Dir(t)
	project.InRoot(t, project.Make(), "install", "PREFIX="+filepath.Join(root, "first"),
		"BUILD="+filepath.Join(root, "build"))
	place := filepath.Join(root, "second")
	require.NoError(t, os.Rename(filepath.Join(root, "first"), place))
	v := versionIn(t, project.Root(t))
	requireWorkingConsumer(t, buildConsumer(t, "-DCMAKE_PREFIX_PATH="+place), false)
	requireWorkingConsumer(t, buildConsumer(t, "-DCMAKE_PREFIX_PATH="+place, "-DLIPC_WANTED="+v.abi(),
		"-DBUILD_SHARED_LIBS=ON"), true)

	for wanted, found := range map[string]bool{v.String() + ";EXACT": true, v.abi() + "..." + v.next().next().abi(): true,
		"0.0...<" + v.String(): false, fmt.Sprintf("%d.%d.999", v.major, v.minor): false, v.next().abi(): false,
		"0.0": false, strconv.Itoa(v.major+1) + ".0": false} {
		_, err := project.Run(t, root, []string{"CC=" + project.Compiler()}, "cmake", "-S",
			filepath.Join(project.Root(t), "tests/cmake/consumer"), "-B", leakcheck.Dir(t), "-DCMAKE_PREFIX_PATH="+place,
			"-DLIPC_WANTED="+wanted)
		require.Equal(t, found, err == nil, wanted)
	}
}

func TestCMakeInstallsWhatMakeInstalls(t *testing.T) {
	leakcheck.Start(t)
	project.Need(t, "cmake")
	project.Need(t, "pkg-config")
	root := leakcheck.Dir(t)
	byMake, first, place := filepath.Join(root, "make"), filepath.Join(root, "first"), filepath.Join(root, "second")
	project.InRoot(t, project.Make(), "install", "PREFIX="+byMake, "BUILD="+filepath.Join(root, "build"))
	cmake(t, "-S", ".", "-B", filepath.Join(root, "cmake"), "-DCMAKE_INSTALL_LIBDIR=lib", "-DCMAKE_BUILD_TYPE=Release")
	cmake(t, "--build", filepath.Join(root, "cmake"))
	cmake(t, "--install", filepath.Join(root, "cmake"), "--prefix", first)
	require.NoError(t, os.Rename(first, place))
	want := append(project.FilesIn(t, byMake), "lib/cmake/lipc/lipcTargets-release.cmake")
	require.ElementsMatch(t, want, project.FilesIn(t, place))
	requireWorkingConsumer(t, buildConsumer(t, "-DCMAKE_PREFIX_PATH="+place), false)

	env := []string{"PKG_CONFIG_PATH=" + filepath.Join(place, "lib/pkgconfig")}
	for form, flag := range map[string]string{"shared": "-Wl,-rpath," + filepath.Join(place, "lib"),
		"static": filepath.Join(place, "lib/liblipc.a")} {
		args := []string{"--cflags", "--libs", "lipc"}
		if form == "static" {
			args = []string{"--cflags", "lipc"}
		}
		flags := strings.Fields(project.MustRun(t, root, env, "pkg-config", args...))
		program := filepath.Join(root, form)
		project.InRoot(t, project.Compiler(), append(append([]string{"tests/cmake/consumer/main.c"}, flags...), flag,
			"-lpthread", "-o", program)...)
		require.Equal(t, "works\n", project.MustRun(t, root, nil, program))
	}
}

func TestFetchContentBuildsOnlyWhatTheProjectLinks(t *testing.T) {
	leakcheck.Start(t)
	project.Need(t, "cmake")
	prefix := filepath.Join(leakcheck.Dir(t), "p")
	dir := buildConsumer(t, "-DLIPC_SOURCE="+project.Root(t), "-DCMAKE_INSTALL_PREFIX="+prefix)
	requireWorkingConsumer(t, dir, false)
	cmake(t, "--install", dir)
	installed, err := os.ReadFile(filepath.Join(dir, "install_manifest.txt"))
	require.NoError(t, err)
	require.Empty(t, installed) // the project has no rules for it, and gets none

	// A parent that links nothing builds nothing.
	parent := leakcheck.Dir(t)
	lists := "cmake_minimum_required(VERSION 3.16)\nproject(parent C)\nadd_subdirectory(" + project.Root(t) + " lipc)\n"
	require.NoError(t, os.WriteFile(filepath.Join(parent, "CMakeLists.txt"), []byte(lists), 0o600))
	cmake(t, "-S", parent, "-B", filepath.Join(parent, "build"))
	cmake(t, "--build", filepath.Join(parent, "build"))
	for _, file := range project.FilesIn(t, filepath.Join(parent, "build")) {
		require.NotContains(t, filepath.Base(file), "liblipc")
	}
}

func TestFindPackageFindsOnlyALibraryForAsManyBits(t *testing.T) {
	leakcheck.Start(t)
	project.Need(t, "cmake")
	root := leakcheck.Dir(t)
	byMake, byCMake := filepath.Join(root, "make"), filepath.Join(root, "cmake")
	project.InRoot(t, project.Make(), "install", "PREFIX="+byMake,
		"BUILD="+filepath.Join(root, "a"))
	cmake(t, "-S", ".", "-B", filepath.Join(root, "b"))
	cmake(t, "--build", filepath.Join(root, "b"))
	cmake(t, "--install", filepath.Join(root, "b"), "--prefix", byCMake)

	user := leakcheck.Dir(t)
	require.NoError(t, os.WriteFile(filepath.Join(user, "CMakeLists.txt"), []byte("cmake_minimum_required(VERSION 3.16)\n"+
		"project(user C)\nset(CMAKE_SIZEOF_VOID_P ${POINTER_SIZE})\nfind_package(lipc REQUIRED)\n"), 0o600))
	for _, place := range []string{byMake, byCMake} {
		for _, size := range []int{4, 8} {
			output, err := project.Run(t, user, []string{"CC=" + project.Compiler()}, "cmake", "-S", user,
				"-B", leakcheck.Dir(t), "-DCMAKE_PREFIX_PATH="+place, "-DPOINTER_SIZE="+strconv.Itoa(size))
			if size*8 == strconv.IntSize {
				require.NoError(t, err, output)
			} else {
				require.Error(t, err)
				require.Contains(t, output, "version: "+versionIn(t, project.Root(t)).String()+" ("+strconv.Itoa(strconv.IntSize)+" bit)")
			}
		}
	}
}
