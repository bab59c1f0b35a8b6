//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestServerGoesOnAfterARefusal(t *testing.T) {
	leakcheck.Start(t)
	asNobody := anotherUser(t)
	name := newName(t)
	require.NoError(t, os.Chmod(filepath.Dir(name), 0o755))
	server := begin(t, words("serve", name, "-mode", "0666", "-only", "admin", "--", self(t, "program:copy"))...)
	requireRefused := func() {
		t.Helper()
		r := runWith(t, "", asNobody, "connect", name, soon)
		require.Equal(t, result{}, r, "a client that is refused reads end of stream")
	}
	for range 3 {
		requireRefused()
		require.Equal(t, "text", passes(t, "text", "connect", name, soon))
	}
	require.Equal(t, 3, strings.Count(server.said.String(), " of user 65534, "))
}

func TestClientTakesNoServerOfAnotherUser(t *testing.T) {
	leakcheck.Start(t)
	asNobody := anotherUser(t)
	name := newNamespaced()
	beginWith(t, asNobody, "listen", name, "-echo")
	fails(t, 1, " of user 65534, ", "connect", name, soon, "-only", "same,admin")
	passes(t, "", "connect", name, soon, "-only", "65534")
}
