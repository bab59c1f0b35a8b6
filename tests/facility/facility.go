// Package facility is how a test says that the system lacks a facility that the test needs.
package facility

import (
	"os"
	"runtime"
)

// T has the methods of testing.TB that Missing needs.
type T interface {
	Helper()
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
}

// Missing skips a test, and says which facility is missing. In CI on Linux, where the variable CI is set, the test fails
// instead: there every facility must be present. No other code skips a test; make lint refuses it.
func Missing(t T, name string) {
	t.Helper()
	missing(t, name, runtime.GOOS, os.Getenv("CI") != "")
}

func missing(t T, name, system string, ci bool) {
	t.Helper()
	if ci && system == "linux" {
		t.Fatalf("missing on %s: %s; in CI no test may be skipped", system, name)
	}
	t.Skipf("missing on %s: %s", system, name)
}
