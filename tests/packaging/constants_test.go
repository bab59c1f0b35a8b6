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

// Matches of comments, of the constants of a header, and of structs with their fields.
var (
	comments   = regexp.MustCompile(`(?s)/\*.*?\*/`)
	enumerator = regexp.MustCompile(`(LIPC_\w+) = `)
	macro      = regexp.MustCompile(`(?m)^#define (LIPC_\w+) +\(*[\w(]`)
	listed     = regexp.MustCompile(`\bX\((LIPC_\w+),`)
	structure  = regexp.MustCompile(`(?m)^\} (lipc_\w+);`)
)

// constantsOf returns the constants of headers, and the sizes of their structs, as C expressions.
func constantsOf(t *testing.T, headers ...string) (constants []string) {
	t.Helper()
	for _, header := range headers {
		source, err := os.ReadFile(filepath.Join(project.Root(t), "include", header))
		require.NoError(t, err)
		text := comments.ReplaceAllString(string(source), "")
		for _, pattern := range []*regexp.Regexp{enumerator, macro, listed} {
			for _, match := range pattern.FindAllStringSubmatch(text, -1) {
				if match[1] != "LIPC_API" {
					constants = append(constants, match[1])
				}
			}
		}
		for _, match := range structure.FindAllStringSubmatch(text, -1) {
			constants = append(constants, "sizeof("+match[1]+")")
		}
	}
	return constants
}

func TestEveryConstantOfTheHeadersCanBeReadByItsName(t *testing.T) {
	leakcheck.Start(t)
	constants := append(constantsOf(t, "lipc.h", "lipc_channel.h", "lipc_signal.h", "lipc_unix.h"), "sizeof(lipc_handle)")
	require.Greater(t, len(constants), 60)
	var program strings.Builder
	program.WriteString(`#include <stdio.h>
#include <lipc_channel.h>
#include <lipc_signal.h>
#include <lipc_unix.h>
int main(void) {
    int64_t value;
    unsigned count = 0;
    while (lipc_constant_name(count) != NULL)
        count++;
`)
	for _, c := range constants {
		fmt.Fprintf(&program, `    if (lipc_constant("%[1]s", &value) != 0 || value != (int64_t)(%[1]s))
        printf("not to be read, or another: %[1]s\n");
`, c)
	}
	program.WriteString("    printf(\"%u constants\\n\", count);\n    return 0;\n}\n")
	require.Equal(t, fmt.Sprintf("%d constants\n", len(constants)), runInC(t, program.String()))

	// C tests run those of Windows.
	windows, err := os.ReadFile(filepath.Join(project.Root(t), "csrc/windows/constant.c"))
	require.NoError(t, err)
	constants = constantsOf(t, "lipc_windows.h")
	for _, c := range constants {
		require.Contains(t, string(windows), " X("+c+")")
	}
	require.Equal(t, len(constants), strings.Count(string(windows), " X("))
}
