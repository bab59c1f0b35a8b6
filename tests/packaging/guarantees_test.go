package packaging

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/lipc/ipc/tests/project"
	"github.com/stretchr/testify/require"
)

// A guarantee is one or more sentences of the README, and the tests that show it.
type guarantee struct {
	text    string
	tests   []string
	limited bool // it says where a guarantee ends
}

func testsREADME(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(project.Root(t), "tests", "README.md"))
	require.NoError(t, err)
	return string(content)
}

var backticked = regexp.MustCompile("`(\\w+)`")

// guaranteesInTests reads tests/README.md, where each quotation of the README is followed by the names of tests.
func guaranteesInTests(t *testing.T) (guarantees []guarantee) {
	t.Helper()
	quoting := false
	for line := range strings.Lines(section(t, testsREADME(t), "Guarantees, and the tests that show them")) {
		quoted, isQuotation := strings.CutPrefix(line, "> ")
		if isQuotation && !quoting {
			guarantees = append(guarantees, guarantee{})
		}
		quoting = isQuotation
		if len(guarantees) == 0 {
			continue
		}
		last := &guarantees[len(guarantees)-1]
		if isQuotation {
			last.text += quoted
			continue
		}
		last.limited = last.limited || strings.HasPrefix(line, "Not a promise")
		for _, name := range backticked.FindAllStringSubmatch(line, -1) {
			last.tests = append(last.tests, name[1])
		}
	}
	return guarantees
}

// section returns the text below a heading of the second level.
func section(t *testing.T, text, heading string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, "\n## "+heading+"\n")
	require.True(t, found, "there is no section %q", heading)
	body, _, _ := strings.Cut(rest, "\n## ")
	return body
}

// words returns a text without its layout.
func words(text string) string {
	return strings.Join(strings.Fields(strings.NewReplacer("\n- ", "\n", "**", "").Replace("\n"+text)), " ")
}

// testsThatExist returns the names of all tests, in Go and in C.
func testsThatExist(t *testing.T) map[string]bool {
	t.Helper()
	declaration := regexp.MustCompile(`(?m)^(?:func (Test\w+)\(|(?:MEMORY_)?TEST\((\w+)\))`)
	names := map[string]bool{}
	require.NoError(t, filepath.WalkDir(project.Root(t), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() && entry.Name() == "build" {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, "_test.c") {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, name := range declaration.FindAllStringSubmatch(string(content), -1) {
				names[name[1]+name[2]] = true
			}
		}
		return nil
	}))
	return names
}

func TestEachGuaranteeOfTheREADMENamesTestsThatExist(t *testing.T) {
	leakcheck.Start(t)
	readme, err := os.ReadFile(filepath.Join(project.Root(t), "README.md"))
	require.NoError(t, err)
	exist := testsThatExist(t)
	var all strings.Builder
	for _, g := range guaranteesInTests(t) {
		all.WriteString(g.text + "\n")
		require.True(t, len(g.tests) > 0 != g.limited, "no test shows: %s", g.text)
		for _, name := range g.tests {
			require.True(t, exist[name], "the test %s does not exist, which is to show: %s", name, g.text)
		}
	}
	require.Equal(t, words(section(t, string(readme), "What is guaranteed")), words(all.String()))
}

// patternsInMap returns the patterns in a column of the map from behaviour to files.
func patternsInMap(t *testing.T, column int) (patterns []string) {
	t.Helper()
	table, _, _ := strings.Cut(section(t, testsREADME(t), "Where the test of a behaviour is"), "More tests are")
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 {
			continue
		}
		for _, pattern := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[column], -1) {
			patterns = append(patterns, pattern[1])
		}
	}
	return patterns
}

func TestEachTestFileIsInTheMap(t *testing.T) {
	leakcheck.Start(t)
	tests := filepath.Join(project.Root(t), "tests")
	glob := func(pattern string) []string {
		files, err := filepath.Glob(filepath.Join(tests, filepath.FromSlash(pattern)))
		require.NoError(t, err)
		return files
	}
	for column, language := range map[int]struct {
		where string
		files []string
	}{
		2: {"%s_test.go", glob("*_test.go")},
		3: {"c/%s_test.c", append(glob("c/*_test.c"), glob("c/windows/*_test.c")...)},
	} {
		in := map[string]bool{}
		for _, pattern := range patternsInMap(t, column) {
			matching := glob(fmt.Sprintf(language.where, pattern))
			require.NotEmpty(t, matching, "no test file is %s", pattern)
			for _, file := range matching {
				in[file] = true
			}
		}
		for _, file := range language.files {
			require.True(t, in[file], "%s is not in the map of tests/README.md", file)
		}
	}
}
