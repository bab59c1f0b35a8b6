package packaging

import (
	"testing"

	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/lipc/ipc/tests/project"
	"github.com/stretchr/testify/require"
)

func TestGoDocShowsThePackageOfEverySystemWithoutCgo(t *testing.T) {
	leakcheck.Start(t)
	for system, own := range map[string]string{"linux": "SetSpin", "darwin": "SetSpin", "windows": "ClientProcessID"} {
		env := []string{"GOOS=" + system, "CGO_ENABLED=0"}
		output := project.MustRun(t, project.Root(t), env, "go", "doc", ".")
		require.Contains(t, output, "Package ipc lets programs on one machine talk to each other")
		require.Contains(t, project.MustRun(t, project.Root(t), env, "go", "doc", "ipc.Conn"), "func (c *Conn) "+own+"(")
	}
}

// A variable that is declared with the type error would undo it: go doc then takes error for a type of the package.
func TestGoDocListsWithATypeWhatReturnsIt(t *testing.T) {
	leakcheck.Start(t)
	for name, constructors := range map[string][]string{
		"Conn":            {"Dial", "FileConn"},
		"Listener":        {"Listen", "FileListener"},
		"MessageConn":     {"DialMessage", "FileMessageConn"},
		"MessageListener": {"ListenMessage", "FileMessageListener"},
		"DatagramConn":    {"ListenDatagram", "DialDatagram", "OpenDatagram", "FileDatagramConn"},
		"PipeReader":      {"FilePipeReader", "InheritedPipeReader", "OpenFIFOReader"},
		"Name":            {"Path", "Namespaced", "ParseName"},
	} {
		output := project.MustRun(t, project.Root(t), nil, "go", "doc", "ipc."+name)
		for _, constructor := range constructors {
			require.Contains(t, output, "\nfunc "+constructor+"(", name)
		}
	}
}
