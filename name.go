package ipc

import (
	"net"
	"strings"

	"github.com/lipc/ipc/internal/core"
)

// A Name identifies a listener, or a bound datagram socket. Names are comparable, can be map keys, and implement
// [net.Addr]. The zero Name is invalid as an argument; as a result it is the name of a socket that is not bound.
//
// [Path] and [Namespaced] check nothing, so names can be variables of a package. [ParseName], and everything that takes
// a Name, refuses one that the system cannot have. Names are never truncated.
type Name struct{ name core.Name }

var _ net.Addr = Name{}

// NameTypes is a set of types of names.
type NameTypes uint8

// The types of names. The numbers are those of the C library's enum lipc_name_type.
const (
	PathNames       NameTypes = 1 << iota // returned by [Path]
	NamespacedNames                       // returned by [Namespaced]
)

// SupportedNames returns the types of names that this system has. Every system that this package supports has both.
func SupportedNames() NameTypes { return PathNames | NamespacedNames }

// Path returns the name of a socket file. It is at most 108 bytes long on Linux, 103 on OpenBSD and 104 on other
// systems: the whole of sun_path, unix(7). A path that begins with "@" gets "./" in front, so that it stays a path in
// text.
//
// On Windows it is the path of a pipe, \\.\pipe\x, \\?\pipe\x or \\host\pipe\x, at most 256 UTF-16 code units long. In
// all three forms x must be as [Namespaced] describes it.
func Path(path string) Name {
	if strings.HasPrefix(path, "@") {
		path = "./" + path
	}
	return Name{core.Name{Type: core.PathName, Text: path}}
}

// Namespaced returns a name in the system's or the user's namespace.
//
//   - Linux: a name in the abstract namespace, unix(7), at most 107 bytes long. It may contain any byte. It vanishes
//     with its last socket. All users in the same network namespace see it.
//   - Windows: the pipe \\.\pipe\name, at most 247 UTF-16 code units long. The name may have several parts, separated
//     by "\". Programs in an AppContainer can create pipes named LOCAL\name. Only administrators can create pipes named
//     ProtectedPrefix\Administrators\name. A part must not be empty, contain a slash, or end with a dot or a space,
//     because Windows would take it for another name. Windows ignores case: two names that differ only in case identify
//     the same pipe, but are not equal as values of Name.
//   - Other systems: a file in a private directory of the user, $XDG_RUNTIME_DIR/lipc, or /tmp/lipc-UID if that
//     variable is unset. The first listener creates the directory with mode 0700. The name must not contain "/", and
//     has at most what the directory's path leaves of 104 bytes. Processes of different users cannot reach one another
//     by such names.
func Namespaced(name string) Name {
	return Name{core.Name{Type: core.NamespacedName, Text: name}}
}

// publicName converts a name that the core returned.
func publicName(name core.Name) Name {
	if name.Type == core.PathName {
		return Path(name.Text)
	}
	return Name{name}
}

// ParseName reads a name in the form in which people write it: "@x" is [Namespaced], and any other text is a [Path]. It
// is the inverse of [Name.String]. Errors:
//
//   - [syscall.ENAMETOOLONG]: the name is too long for this system.
//   - [syscall.EINVAL]: the name is empty, or contains a byte that it must not contain.
func ParseName(s string) (Name, error) {
	name := nameOf(s)
	if err := name.name.Check(); err != nil {
		return Name{}, opError("parse", Name{}, name, err)
	}
	return name, nil
}

// nameOf is ParseName without the check.
func nameOf(s string) Name {
	if rest, found := strings.CutPrefix(s, "@"); found {
		return Namespaced(rest)
	}
	return Path(s)
}

// Network returns "ipc".
func (n Name) Network() string { return "ipc" }

// String returns the name in the form that [ParseName] reads. It is empty for the zero Name.
func (n Name) String() string {
	if n.name.Type == core.NamespacedName {
		return "@" + n.name.Text
	}
	return n.name.Text
}

// Type returns [PathNames], [NamespacedNames], or 0 for the zero Name.
func (n Name) Type() NameTypes { return NameTypes(n.name.Type) }
