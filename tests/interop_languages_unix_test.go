//go:build unix

package tests

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/lipc/ipc/tests/project"
	"github.com/stretchr/testify/require"
)

// The opener is an example that passes open files to other processes. It exists in several languages, and each links
// the library as programs in that language do. Every server must work with every reader. Python and Rust are for Unix
// so far.

// A language has an opener.
type language struct {
	name  string
	needs []string
	// program builds the opener against the library that is installed below prefix, and returns how to run it.
	program func(prefix string) ([]string, error)
}

// languagesPrefix is where the library is installed for the other languages. It stays there, so a second run is quick.
const languagesPrefix = "build/tests/languages"

var languages = []language{
	{"Go", nil, func(prefix string) ([]string, error) {
		program := filepath.Join(prefix, "opener-go")
		return []string{program}, build("go", "build", "-o", program, "./examples/opener")
	}},
	{"C", []string{project.Compiler()}, func(prefix string) ([]string, error) { // on the static library
		program := filepath.Join(prefix, "opener-c")
		return []string{program}, build(project.Compiler(), "-std=c11", "-Wall", "-Wextra", "-pedantic", "-Werror", "-O2",
			"-I"+prefix+"/include", "examples/c/opener.c", prefix+"/lib/liblipc.a", "-lpthread", "-o", program)
	}},
	{"C++", []string{compilerOfCpp()}, func(prefix string) ([]string, error) { // on the shared library
		program := filepath.Join(prefix, "opener-cpp")
		return []string{program}, build(compilerOfCpp(), "-std=c++17", "-Wall", "-Wextra", "-pedantic", "-Werror", "-O2",
			"-I"+prefix+"/include", "examples/cpp/opener.cpp", "-L"+prefix+"/lib", "-llipc", "-o", program)
	}},
	{"Python", []string{"python3"}, func(string) ([]string, error) {
		root, err := filepath.Abs("..")
		return []string{"python3", filepath.Join(root, "examples/python/opener.py")}, err
	}},
	{"Rust", []string{"cargo", "pkg-config"}, func(prefix string) ([]string, error) {
		root, err := filepath.Abs("..")
		if err != nil {
			return nil, err
		}
		return []string{filepath.Join(root, "build/rust/debug/opener")}, build("cargo", rust(prefix, "build")...)
	}},
}

// compilerOfCpp returns the C++ compiler.
func compilerOfCpp() string {
	if program := os.Getenv("CXX"); program != "" {
		return program
	}
	return "c++"
}

// rust returns the arguments of cargo.
func rust(prefix, command string, more ...string) []string {
	return append([]string{command, "--quiet", "--locked", "--manifest-path", "examples/rust/Cargo.toml",
		"--target-dir", "build/rust"}, more...)
}

// build runs a program in the root of the repository.
func build(program string, args ...string) error {
	cmd := exec.Command(program, args...)
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), languagesEnvironment()...)
	output, err := cmd.CombinedOutput()
	if err != nil {
		return &buildError{program + " " + strings.Join(args, " "), string(output), err}
	}
	return nil
}

type buildError struct {
	command, output string
	err             error
}

func (e *buildError) Error() string { return e.command + ": " + e.err.Error() + "\n" + e.output }

// languagesEnvironment returns the variables by which programs find the library when they are built and when they run.
func languagesEnvironment() []string {
	prefix, err := filepath.Abs("../" + languagesPrefix)
	if err != nil {
		panic(err)
	}
	library := filepath.Join(prefix, "lib/liblipc.so")
	if runtime.GOOS == "darwin" {
		library = filepath.Join(prefix, "lib/liblipc.dylib")
	}
	return []string{"LIPC_LIBRARY=" + library, "LD_LIBRARY_PATH=" + filepath.Join(prefix, "lib"),
		"PKG_CONFIG_PATH=" + filepath.Join(prefix, "lib/pkgconfig"), "PYTHONDONTWRITEBYTECODE=1",
		"CGO_CFLAGS=-O2 -g"} // all of them have the same core, however this test was built
}

// installForLanguages installs the library, once.
var installForLanguages = sync.OnceValues(func() (prefix string, err error) {
	if prefix, err = filepath.Abs("../" + languagesPrefix); err != nil {
		return "", err
	}
	return prefix, build(project.Make(), "install", "PREFIX="+prefix)
})

// openers keeps what the functions program returned.
var openers sync.Map // name of the language to func() ([]string, error)

// opener returns how to run the language's opener. It is built once.
func (l language) opener(t *testing.T) []string {
	t.Helper()
	for _, program := range l.needs {
		project.Need(t, program)
	}
	prefix, err := installForLanguages()
	require.NoError(t, err)
	once, _ := openers.LoadOrStore(l.name, sync.OnceValues(func() ([]string, error) { return l.program(prefix) }))
	command, err := once.(func() ([]string, error))()
	require.NoError(t, err)
	return command
}

// eachLanguage runs a test for each language.
func eachLanguage(t *testing.T, test func(t *testing.T, opener []string)) {
	t.Helper()
	for _, l := range languages {
		t.Run(l.name, func(t *testing.T) { test(t, l.opener(t)) })
	}
}

// ask runs a reader.
func ask(t *testing.T, opener []string, name ipc.Name, file string) (string, error) {
	t.Helper()
	args := append(slices.Clone(opener[1:]), "read", name.String(), file)
	return project.Run(t, ".", languagesEnvironment(), opener[0], args...)
}

// serveFiles runs a server of the files in dir. The function that it returns ends the server with a signal, and
// requires that nothing is left.
func serveFiles(t *testing.T, opener []string, name ipc.Name, dir string) (stop func(os.Signal)) {
	t.Helper()
	cmd := exec.Command(opener[0], append(opener[1:len(opener):len(opener)], "serve", name.String(), dir)...)
	cmd.Env = append(os.Environ(), languagesEnvironment()...)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	ended := false
	t.Cleanup(func() {
		if !ended {
			cmd.Process.Kill()
			cmd.Wait()
		}
	})
	lines := bufio.NewScanner(stdout)
	expectLine(t, lines, "listening on "+name.String())
	drained := make(chan struct{})
	go func() {
		for lines.Scan() {
		}
		close(drained)
	}()
	return func(signal os.Signal) {
		t.Helper()
		require.NoError(t, cmd.Process.Signal(signal))
		<-drained
		ended = true
		require.NoError(t, cmd.Wait())
		requireNameGone(t, name)
	}
}

// vault makes a directory with a file that only its owner may read, and returns the file's content.
func vault(t *testing.T) (dir, content string) {
	t.Helper()
	dir = leakcheck.Dir(t)
	content = strings.Repeat("what is in it\n", 10_000)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "secret"), []byte(content), 0o600))
	return dir, content
}

func TestOpenersOfAllLanguagesPassFilesToEachOther(t *testing.T) {
	leakcheck.Start(t)
	dir, content := vault(t)
	t.Setenv("XDG_RUNTIME_DIR", leakcheck.Dir(t)) // which also shows that they come to the same directory
	eachLanguage(t, func(t *testing.T, server []string) {
		for _, name := range []ipc.Name{newPath(t), newNamespaced(t), ipc.UserName("opener")} {
			stop := serveFiles(t, server, name, dir)
			eachLanguage(t, func(t *testing.T, reader []string) {
				output, err := ask(t, reader, name, "secret")
				require.NoError(t, err, "%s", output)
				_, output, _ = strings.Cut(output, "the opener says: ") // the opener in Go first prints the user that it reads as
				require.True(t, output == "here it is\n"+content, "%.200q", output)

				for _, file := range []string{"missing", "../" + filepath.Base(dir) + "/secret", ""} {
					output, err := ask(t, reader, name, file)
					requireExitCode(t, 1, err)
					require.Contains(t, output, "the opener says: cannot open it: ")
					require.Contains(t, output, "opener: no file came")
				}
			})
			stop(syscall.SIGTERM)
		}
	})
}

// requireExitCode requires that a program ended by itself, with that code.
func requireExitCode(t *testing.T, code int, err error) {
	t.Helper()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, code, exit.ExitCode())
}

func TestOpenersSayWhatIsWrongAtTheStart(t *testing.T) {
	leakcheck.Start(t)
	eachLanguage(t, func(t *testing.T, opener []string) {
		name := newPath(t)
		for _, test := range []struct{ want, arguments string }{
			{name.String(), "read " + name.String() + " file"},
			{"usage: ", "read " + name.String()},
			{"no such command: eat", "eat " + name.String() + " file"},
			{"name", "read " + strings.Repeat("x", 2000) + " file"},
			{"/no/such/directory", "serve " + name.String() + " /no/such/directory"},
			{"/no/such/s", "serve /no/such/s /"},
		} {
			arguments := append(slices.Clone(opener[1:]), strings.Fields(test.arguments)...)
			output, err := project.Run(t, ".", languagesEnvironment(), opener[0], arguments...)
			requireExitCode(t, 1, err)
			require.Regexp(t, `^opener: .*\n$`, output)
			require.Contains(t, output, test.want)
		}
		requireNameGone(t, name)
	})
}

func TestOpenersAnswerSeveralRequestsOfAConnection(t *testing.T) {
	leakcheck.Start(t)
	dir, content := vault(t)
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
	require.NoError(t, os.Symlink("/dev/null", filepath.Join(dir, "link")))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "folder"), 0o700))
	eachLanguage(t, func(t *testing.T, server []string) {
		name := newPath(t)
		stop := serveFiles(t, server, name, dir)
		for range 2 { // one connection after the other
			c := dial(t, name)
			for range 2 {
				_, err := io.WriteString(c, "secret\nsecr")
				require.NoError(t, err)
				requireHandedOver(t, c, content)
				_, err = io.WriteString(c, "et\nsecret\n")
				require.NoError(t, err)
				requireHandedOver(t, c, content)
				requireHandedOver(t, c, content)
			}
			if !strings.Contains(t.Name(), "/Go") { // which also opens what else is in the directory
				for _, file := range []string{"fifo", "link", "folder", ".", "..", "folder/../secret", "\x00"} {
					_, err := io.WriteString(c, file+"\n")
					require.NoError(t, err)
					requireRefused(t, c)
				}
				_, err := io.WriteString(c, strings.Repeat("x", 5000)) // and then the connection is given up
				require.NoError(t, err)
				requireRefused(t, c)
			}
			require.NoError(t, c.Close())
		}
		idle := dial(t, name) // does not keep the server from ending
		_, err := io.WriteString(idle, "secret\nsecr")
		require.NoError(t, err)
		requireHandedOver(t, idle, content)
		stop(os.Interrupt)
		n, err := idle.Read(make([]byte, 1))
		require.Equal(t, io.EOF, err, "%d", n)
	})
}

// requireHandedOver requires that a file with that content was handed over.
func requireHandedOver(t *testing.T, c *ipc.Conn, content string) {
	t.Helper()
	answer, files := make([]byte, len("here it is\n")), make([]*os.File, 1)
	n, count, err := c.ReceiveFiles(answer, files)
	require.NoError(t, err)
	require.Equal(t, "here it is\n", string(answer[:n]))
	require.Equal(t, 1, count)
	defer files[0].Close()
	got, err := io.ReadAll(files[0])
	require.NoError(t, err)
	require.True(t, content == string(got))
}

// requireRefused requires an error that says why there is no file.
func requireRefused(t *testing.T, c *ipc.Conn) {
	t.Helper()
	answer, files := make([]byte, 1000), make([]*os.File, 1)
	n, count, err := c.ReceiveFiles(answer, files)
	require.NoError(t, err)
	require.Regexp(t, "^cannot open it: .*\n$", string(answer[:n]))
	require.Zero(t, count)
}

func TestWrapperInCpp(t *testing.T) {
	leakcheck.Start(t)
	project.Need(t, compilerOfCpp())
	prefix, err := installForLanguages()
	require.NoError(t, err)
	program := filepath.Join(prefix, "wrapper-test")
	flags := []string{"-std=c++17", "-g", "-O1", "-Wall", "-Wextra", "-Wshadow", "-pedantic", "-Werror",
		"-I" + prefix + "/include", "-Iexamples/cpp", "tests/cpp/wrapper_test.cpp", prefix + "/lib/liblipc.a", "-lpthread",
		"-o", program}
	sanitize := []string{"-fsanitize=address,undefined", "-fno-sanitize-recover=all"}
	if err := build(compilerOfCpp(), append(sanitize, flags...)...); err != nil {
		require.Empty(t, os.Getenv("CI"), "%v", err)
		t.Log("without sanitizers:", err)
		require.NoError(t, build(compilerOfCpp(), flags...))
	}
	t.Log(project.MustRun(t, ".", nil, program, leakcheck.Dir(t)))
}

func TestWrapperInPython(t *testing.T) {
	leakcheck.Start(t)
	project.Need(t, "python3")
	_, err := installForLanguages()
	require.NoError(t, err)
	env := append(languagesEnvironment(), "PYTHONPATH="+filepath.Join(project.Root(t), "examples/python"))
	t.Log(project.MustRun(t, ".", env, "python3", "-W", "error", "python/wrapper_test.py"))
}

func TestWrapperInPythonFindsTheInstalledLibrary(t *testing.T) {
	leakcheck.Start(t)
	project.Need(t, "python3")
	prefix, err := installForLanguages()
	require.NoError(t, err)
	env := append(languagesEnvironment(), "PYTHONPATH="+filepath.Join(project.Root(t), "examples/python"))
	program := []string{"-c", "import lipc; a, b = lipc.pair(); a.write(b'works'); print(b.read(5).decode())"}
	if onLinux {
		env := append(env, "LIPC_LIBRARY=", "LD_LIBRARY_PATH="+prefix+"/lib")
		output := project.MustRun(t, ".", env, "python3", program...)
		require.Equal(t, "works\n", output)
	}
	output, err := project.Run(t, ".", append(env, "LIPC_LIBRARY=/no/such/library"), "python3", program...)
	requireExitCode(t, 1, err)
	require.Contains(t, output, "/no/such/library")
}

func TestWrapperInRust(t *testing.T) {
	leakcheck.Start(t)
	project.Need(t, "cargo")
	project.Need(t, "pkg-config")
	prefix, err := installForLanguages()
	require.NoError(t, err)
	t.Log(project.MustRun(t, project.Root(t), languagesEnvironment(), "cargo", rust(prefix, "test")...))
}
