//go:build unix

package tests

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestExampleOfWorkersReplacesThoseThatDie(t *testing.T) {
	leakcheck.Start(t)
	cmd := exec.Command(buildExample(t, "workers"), "one", "crash", "two", "three")
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	require.NoError(t, err, errs.String())
	for _, word := range []string{"ONE", "TWO", "THREE"} {
		require.Len(t, regexp.MustCompile(word+`, by process \d+\n`).FindAllString(string(out), -1), 1)
	}
	require.Len(t, strings.Split(strings.TrimSpace(string(out)), "\n"), 3)
	require.Equal(t, 2, strings.Count(errs.String(), "crash: no answer\nexit status 3\n"), errs.String())
}
