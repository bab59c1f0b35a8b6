package facility

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// recorder remembers how a test ended.
type recorder struct{ end string }

func (r *recorder) Helper() {}
func (r *recorder) Fatalf(format string, args ...any) {
	r.end = "failed: " + fmt.Sprintf(format, args...)
	panic(r) // a test ends here
}
func (r *recorder) Skipf(format string, args ...any) {
	r.end = "skipped: " + fmt.Sprintf(format, args...)
	panic(r)
}

func TestMissingFacilityIsNamedAndFailsATestInCIOnLinux(t *testing.T) {
	for _, c := range []struct {
		system string
		ci     bool
		end    string
	}{
		{"linux", true, "failed: missing on linux: splice(2); in CI no test may be skipped"},
		{"linux", false, "skipped: missing on linux: splice(2)"},
		{"darwin", true, "skipped: missing on darwin: splice(2)"},
		{"windows", true, "skipped: missing on windows: splice(2)"},
	} {
		r := new(recorder)
		require.Panics(t, func() { missing(r, "splice(2)", c.system, c.ci) })
		require.Equal(t, c.end, r.end)
	}
}
