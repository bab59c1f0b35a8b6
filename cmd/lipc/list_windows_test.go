package main

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestPipesAreListedWithTheirOwners(t *testing.T) {
	leakcheck.Start(t)
	if onWine {
		fails(t, 1, `list \\.\pipe\: `, "list") // Wine has no folder of pipes
		return
	}
	name := newName(t)
	listener := begin(t, "listen", name, "-echo")
	require.NoError(t, dial(t, name).Close())
	require.Regexp(t, `(?m)^pipe +- +- +`+regexp.QuoteMeta(name)+` +-$`, passes(t, "", "list"))
	out := passes(t, "", "list", "-owners")
	require.Regexp(t, fmt.Sprintf(`(?m)^pipe +\S.* +%d +%s +\S`, listener.cmd.Process.Pid, regexp.QuoteMeta(name)), out)
}
