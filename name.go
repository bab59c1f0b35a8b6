package ipc

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path"
	"runtime"
	"strings"
	"syscall"

	"github.com/lipc/ipc/internal/core"
)

// A Name identifies a listener, or a bound datagram socket. Names are comparable, can be map keys, and implement
// [net.Addr]. The zero Name is invalid as an argument; as a result it is the name of a socket that is not bound.
//
// A program that serves the user who runs it uses [UserName], and a daemon of the machine [SystemName]: nobody else can
// pose as the server of such a name, because a client that dials one checks who the server is, see [Dialer].Server.
// [Path] and [Namespaced] are for names that another program prescribes.
//
// These functions check nothing, so names can be variables of a package. [ParseName], and everything that takes a Name,
// refuses one that the system cannot have. Names are never truncated.
type Name struct{ name core.Name }

var _ net.Addr = Name{}

// NameTypes is a set of types of names.
type NameTypes uint8

// The types of names. The numbers are those of the C library's enum lipc_name_type.
const (
	PathNames       NameTypes = 1 << iota // returned by [Path]
	NamespacedNames                       // returned by [Namespaced]
	UserNames                             // returned by [UserName]
	SystemNames                           // returned by [SystemName]
)

// SupportedNames returns the types of names that this system has. Every system that this package supports has all.
func SupportedNames() NameTypes { return PathNames | NamespacedNames | UserNames | SystemNames }

// UserName returns a name of the user's own. Its text must not contain "/", "\" or a NUL byte, begin with ".", or end
// with ".", " " or ".lock". The rule is the same on every system; [NameLimit] is the greatest length.
//
// On Unix it is a file in a directory that only this user can enter, the first of these:
//
//   - $XDG_RUNTIME_DIR/lipc, if XDG_RUNTIME_DIR is a directory that belongs to the user, not a symbolic link, and others
//     cannot write to it or replace it. They can replace it if a directory or link on the way belongs to another user,
//     or if a directory there can be written to by others and is not sticky. The directory of the
//     machine's names, /run or /var/run, does not count. Nor does the variable in a program that is or was set-user-ID
//     or set-group-ID.
//   - On Linux /run/user/UID/lipc, if /run/user/UID is such a directory.
//   - /tmp/lipc-UID.
//
// The first listener creates it with mode 0700. A directory that belongs to another user, or that others can enter, is
// [fs.ErrPermission]. The user is the effective one, so what sudo(8) runs has the names of root. Programs of a user
// find each other only if they come to the same directory: if XDG_RUNTIME_DIR is set to an unusual place, it must be
// set for all of them. Each use of such a name reads the variable. (With the build tag liblipc the C library reads it,
// with getenv(3): then no goroutine may call [os.Setenv] meanwhile, because the program may crash.)
//
// On Windows it is the pipe \\.\pipe\lipc-SID\name, where SID is the security identifier of the process's user,
// elevated or not. Another user can create a pipe of that name first. Then Listen fails with [syscall.EADDRINUSE], and
// Dial refuses that server. A program in an AppContainer cannot listen on such a name.
func UserName(name string) Name { return Name{core.Name{Type: core.UserName, Text: name}} }

// SystemName returns a name of the machine, on which only root or administrators can listen. The text is as in
// [UserName].
//
// On Linux it is a file in /run/lipc, on other Unix systems in /var/run/lipc. That directory must belong to root, and
// others must not be able to write to it; the first listener creates it with mode 0755. A listener of another user is
// [fs.ErrPermission]: a daemon that does not run as root gets its socket from the service manager, see [Activated].
//
// On Windows it is the pipe \\.\pipe\ProtectedPrefix\Administrators\name.
func SystemName(name string) Name { return Name{core.Name{Type: core.SystemName, Text: name}} }

// NameLimit returns the greatest length of the text of a name of one type: in bytes, on Windows in UTF-16 code units.
// For names of the user it depends on the directory. If that leaves no room, the error is [syscall.ENAMETOOLONG]; for
// more or less than one type it is [syscall.EINVAL].
func NameLimit(of NameTypes) (int, error) {
	limit, err := core.NameType(of).Limit()
	return limit, opError("name", Name{}, Name{}, err)
}

// Location returns the path by which programs that do not use this package reach the name: that of the socket file, or
// on Windows of the pipe. curl(1) takes it for --unix-socket, Node.js for net.connect, .NET for
// UnixDomainSocketEndPoint. A name in Linux's abstract namespace has no path; it is written with "@" in front, as ss(8)
// does and package net takes it. Nothing is created, and the file need not exist. Errors are those of [ParseName].
func (n Name) Location() (string, error) {
	location, err := n.name.Location()
	return location, opError("name", Name{}, n, err)
}

// Path returns the name of a socket file. It is at most 108 bytes long on Linux, 103 on OpenBSD and 104 on other
// systems: the whole of sun_path, unix(7). A path that begins like another type of name, with "@", "user:" or
// "system:", gets "./" in front, so that it stays a path in text.
//
// On Windows it is the path of a pipe, \\.\pipe\x, \\?\pipe\x or \\host\pipe\x, at most 256 UTF-16 code units long. In
// all three forms x must be as [Namespaced] describes it.
func Path(path string) Name {
	if nameOf(path).name.Type != core.PathName {
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
//   - Other systems: the same file as [UserName]. The name must not contain "/".
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

// ParseName reads a name in the form in which people write it: "user:x" is a [UserName], "system:x" a [SystemName],
// "@x" is [Namespaced], and any other text is a [Path]. It is the inverse of [Name.String]. Errors:
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

// prefixes are what begins the text of a name that is not a path, by type.
var prefixes = map[core.NameType]string{core.NamespacedName: "@", core.UserName: "user:", core.SystemName: "system:"}

// nameOf is ParseName without the check.
func nameOf(s string) Name {
	for t, prefix := range prefixes {
		if rest, found := strings.CutPrefix(s, prefix); found {
			return Name{core.Name{Type: t, Text: rest}}
		}
	}
	return Name{core.Name{Type: core.PathName, Text: s}}
}

// nameOfUnixAddr returns the name in an address of package net, where only "@" says that it is not a path.
func nameOfUnixAddr(addr *net.UnixAddr) Name {
	if rest, found := strings.CutPrefix(addr.Name, "@"); found {
		return Namespaced(rest)
	}
	return Path(addr.Name)
}

// listenErr adds to an error of listening what the caller can do about it.
func (n Name) listenErr(err error, kind core.Kind) error {
	lock := n.Type() == PathNames && errors.Is(err, fs.ErrPermission) // another user's lock file, perhaps
	if lock || errors.Is(err, syscall.EADDRINUSE) {
		if obstacle := n.name.Obstacle(kind); obstacle != "" {
			return fmt.Errorf("%s: %w", obstacle, err)
		}
	}
	return n.accessErr(err, true)
}

// accessErr adds to an error that matches [fs.ErrPermission] what the directory of the name must be like, or who can
// listen on the name. EPERM is not about directories: this process may not give the file to the group, or the receiver
// of a datagram is connected to another peer.
func (n Name) accessErr(err error, listening bool) error {
	if err == nil || !errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EPERM) {
		return err
	}
	location, _ := n.Location()
	directory := path.Dir(location)
	windows := runtime.GOOS == "windows"
	switch user := os.Geteuid(); {
	case n.Type() == SystemNames && windows && listening:
		return fmt.Errorf("only an administrator whose process is elevated can listen on it: %w", err)
	case windows || n.Type() == PathNames || !path.IsAbs(location):
		return err
	case n.Type() != SystemNames:
		return fmt.Errorf("%s must be a directory of user %d with mode 0700, which no other user can replace: %w",
			directory, user, err)
	case listening && user != 0:
		return fmt.Errorf("only root can listen in %s; a daemon of another user gets the socket from the service manager "+
			"(systemd.socket(5): ListenStream=%s, package ipc: Activated), or listens on a path in a directory of its own "+
			"(systemd.exec(5): RuntimeDirectory=, or tmpfiles.d(5)): %w", directory, location, err)
	case listening || user == 0:
		return fmt.Errorf("%s must be a directory of root that only root can write to: %w", directory, err)
	default:
		return fmt.Errorf("this user may not connect, or %s is not a directory that only root can write to: %w",
			directory, err)
	}
}

// Network returns "unix", or on Windows "pipe", as [net.Addr] has it. The addresses of a [MessageConn] and of a
// [DatagramConn] return "unixpacket" and "unixgram" on Unix; [NameOf] returns the Name in any address.
func (n Name) Network() string { return networks[core.KindStream] }

// String returns the name in the form that [ParseName] reads. It is empty for the zero Name.
func (n Name) String() string {
	return prefixes[n.name.Type] + n.name.Text
}

// Type returns the type of the name, or 0 for the zero Name.
func (n Name) Type() NameTypes { return NameTypes(n.name.Type) }

// NameOf returns the name in an address: a [Name], an address that this package returned, or a [*net.UnixAddr]. It
// returns false for any other.
func NameOf(addr net.Addr) (Name, bool) {
	switch addr := addr.(type) {
	case Name:
		return addr, true
	case endAddr:
		return addr.Name, true
	case *net.UnixAddr:
		if addr != nil {
			return nameOfUnixAddr(addr), true
		}
	}
	return Name{}, false
}

// An endAddr is the name of an end, as programs expect it that look at the network and the text of addresses.
type endAddr struct {
	Name
	network string
}

func (a endAddr) Network() string { return a.network }
