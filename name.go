package ipc

import (
	"net"
	"strings"

	"github.com/lipc/ipc/internal/core"
)

// A Name says where a listener is found. Names are comparable, usable as map keys, and implement [net.Addr]. The
// zero Name is invalid as an argument; as a result it is the name of a socket that is bound to none.
//
// Making a Name checks nothing, so that names can be variables of a package; [ParseName], and
// whatever takes a Name, refuses one that the system cannot have. Names are never truncated.
type Name struct{ name core.Name }

var _ net.Addr = Name{}

// NameTypes is a set of types of names.
type NameTypes uint8

// The types of names. The numbers are those of the C library's enum lipc_name_type.
const (
	PathNames       NameTypes = 1 << iota // made by [Path]
	NamespacedNames                       // made by [Namespaced]
)

// SupportedNames returns the types of names that this system has. Every system that this package supports has
// both.
func SupportedNames() NameTypes { return PathNames | NamespacedNames }

// Path returns the name of a socket file, at most 108 bytes long on Linux, 103 on OpenBSD and 104 elsewhere (the whole
// of sun_path, unix(7)). On Windows it is a pipe path, \\.\pipe\x, \\?\pipe\x or \\host\pipe\x, at most 256 UTF-16 code
// units long; x is as [Namespaced] has it, in all three forms. A path that begins with "@" gets "./" in front, so that
// it keeps its meaning in text.
func Path(path string) Name {
	if strings.HasPrefix(path, "@") {
		path = "./" + path
	}
	return Name{core.Name{Type: core.PathName, Text: path}}
}

// Namespaced returns a name that is no path of its own.
//
//   - Linux: a name of the abstract namespace, unix(7), at most 107 bytes long; any byte may occur in it. It
//     vanishes with its last socket, and is seen by all users in the same network namespace.
//   - Windows: the pipe \\.\pipe\name; at most 247 UTF-16 code units. It may have several parts with "\" between, as
//     LOCAL\name has, which is what programs in an AppContainer can make, and ProtectedPrefix\Administrators\name,
//     which only administrators can. No part is empty, has a slash, or ends with a dot or space, since Windows would
//     take that for another name. Windows ignores case: names that differ in nothing else mean the same pipe, but are
//     not equal as values of Name.
//   - Elsewhere: a file in the user's own directory $XDG_RUNTIME_DIR/lipc, or /tmp/lipc-UID where that variable is
//     unset, which the first listener makes with mode 0700; the limit is what the directory leaves of 104 bytes,
//     and "/" may not occur. Processes of different users do not meet there.
func Namespaced(name string) Name {
	return Name{core.Name{Type: core.NamespacedName, Text: name}}
}

// publicName is a name that the core found.
func publicName(name core.Name) Name {
	if name.Type == core.PathName {
		return Path(name.Text)
	}
	return Name{name}
}

// ParseName reads a name as a person writes it: "@x" is [Namespaced], anything else a [Path]. It is the inverse of
// [Name.String]. It fails for a name that this system cannot have: one that is too long ([syscall.ENAMETOOLONG]), or one
// that is empty or has a byte that may not occur in it ([syscall.EINVAL]).
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
