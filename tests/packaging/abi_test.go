// The ABI is recorded for Linux on x86-64: sizes differ on others, and libabigail reads ELF.

//go:build linux && amd64

package packaging

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/lipc/ipc/tests/project"
	"github.com/stretchr/testify/require"
)

func TestABIIsTheRecordedOne(t *testing.T) {
	leakcheck.Start(t)
	project.Need(t, "abidw")
	project.MustRun(t, project.Root(t), []string{"BUILD=" + leakcheck.Dir(t)}, "tests/abi/run")
}

// newCopyWithEdit copies what the library is built from, and replaces a text in it.
func newCopyWithEdit(t *testing.T, from, to string) (root string) {
	t.Helper()
	root = leakcheck.Dir(t)
	for _, folder := range []string{"include", "csrc", "tests/abi"} {
		require.NoError(t, os.CopyFS(filepath.Join(root, folder), os.DirFS(filepath.Join(project.Root(t), folder))))
	}
	require.NoError(t, os.Symlink(filepath.Join(project.Root(t), "Makefile"), filepath.Join(root, "Makefile")))
	edit(t, root, from, to)
	return root
}

func TestABIThatChangesTakesAnotherVersion(t *testing.T) {
	leakcheck.Start(t)
	project.Need(t, "abidw")
	for change, texts := range map[string][2]string{
		"a field":     {"    int64_t reserved[5];", "    int64_t reserved[6];"},
		"a parameter": {"lipc_duplicate(lipc_handle handle, ", "lipc_duplicate(int handle, "},
		"a result":    {"int lipc_name_types(void)", "int64_t lipc_name_types(void)"},
		"a constant":  {"LIPC_READ = 1,", "LIPC_READ = 3,"},
		"an error":    {"X(LIPC_EEXIST, 23,", "X(LIPC_EEXIST, 26,"},
		"a function":  {"LIPC_API int lipc_version(void);", "LIPC_API int lipc_version(void), lipc_newer(void);"},
	} {
		t.Run(change, func(t *testing.T) {
			root := newCopyWithEdit(t, texts[0], texts[1])
			if change == "a function" {
				edit(t, root, "int lipc_version(void) {", "int lipc_newer(void) {\n    return 1;\n}\n\nint lipc_version(void) {")
			}
			output, err := project.Run(t, root, nil, "tests/abi/run")
			require.Error(t, err)
			require.Contains(t, output, "is not that of "+versionIn(t, root).String()+" any more: set another version")
		})
	}
}

func TestABIIsRecordedOnlyForAnotherVersion(t *testing.T) {
	leakcheck.Start(t)
	project.Need(t, "abidw")
	root := newCopyWithEdit(t, "    int64_t reserved[5];", "    int64_t reserved[6];")
	output, err := project.Run(t, root, nil, project.Make(), "abi")
	require.Error(t, err)
	require.Contains(t, output, "set another version in include/lipc.h first")
	next := versionIn(t, root).next()
	setVersion(t, root, next)
	output, err = project.Run(t, root, nil, "tests/abi/run")
	require.Error(t, err)
	require.Contains(t, output, "the ABI of "+next.String()+" is not recorded")
	project.MustRun(t, root, nil, project.Make(), "abi")
	project.MustRun(t, root, nil, "tests/abi/run")
}

func TestABIThatBreaksProgramsIsNotRecordedUnderTheSameSoname(t *testing.T) {
	leakcheck.Start(t)
	project.Need(t, "abidw")
	for change, texts := range map[string][2]string{
		"a field":            {"    int64_t reserved[5];", "    int64_t reserved[6];"},
		"a parameter":        {"lipc_duplicate(lipc_handle handle, ", "lipc_duplicate(int handle, "},
		"a constant":         {"LIPC_READ = 1,", "LIPC_READ = 3,"},
		"a removed function": {"LIPC_API int lipc_version(void);", "int lipc_version(void);"},
	} {
		t.Run(change, func(t *testing.T) {
			root := newCopyWithEdit(t, texts[0], texts[1])
			old := versionIn(t, root)
			setVersion(t, root, version{old.major, old.minor, old.patch + 1})
			output, err := project.Run(t, root, nil, project.Make(), "abi")
			require.Error(t, err)
			require.Contains(t, output, "programs built with "+old.String()+" would break")
			require.Contains(t, output, "set another minor version in include/lipc.h first")
			require.DirExists(t, filepath.Join(root, "tests/abi", old.String()))
			setVersion(t, root, old.next())
			project.MustRun(t, root, nil, project.Make(), "abi")
		})
	}
}

func TestABIThatOnlyGrowsIsRecordedUnderTheSameSoname(t *testing.T) {
	leakcheck.Start(t)
	project.Need(t, "abidw")
	root := newCopyWithEdit(t, "LIPC_API int lipc_version(void);", "LIPC_API int lipc_version(void), lipc_newer(void);")
	edit(t, root, "int lipc_version(void) {", "int lipc_newer(void) {\n    return 1;\n}\n\nint lipc_version(void) {")
	edit(t, root, `X(LIPC_EEXIST, 23,`, "X(LIPC_ENEWER, 26, \"newer\") \\\n    X(LIPC_EEXIST, 23,")
	old := versionIn(t, root)
	setVersion(t, root, version{old.major, old.minor, old.patch + 1})
	project.MustRun(t, root, nil, project.Make(), "abi")
	project.MustRun(t, root, nil, "tests/abi/run")
}
