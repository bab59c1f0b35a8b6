package ipc

import (
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/lipc/ipc/internal/core"
)

// A PeerPolicy decides whether the process at the other end of a connection may be there. It returns nil if it may, and
// otherwise why not. The credentials are those that [Conn.PeerCredentials] returns, supplied by the kernel. A policy
// may take its time, or ask somebody: only the call that accepts or dials this connection waits for it. A server
// that accepts in one goroutine, such as [net/http.Server], accepts nobody else meanwhile. Neither a context nor a
// deadline nor Close interrupts it. It must be safe for concurrent use if several goroutines dial or accept. If it
// panics, the connection is closed.
//
// Who counts as a user:
//
//   - On Unix the effective user. A program that sudo(8) runs is root, at both ends. In a user namespace that does
//     not map all IDs, the ID that stands for all others (65534, user_namespaces(7)) is nobody: [SameUser] and [AnyOf]
//     do not admit it.
//   - On Windows the user of the process's token, elevated or not. A server is the owner of its pipe. A pipe that an
//     administrator created without this package may belong to the group of administrators: [SameUserOrAdmin] and
//     [Admin] admit it, SameUser does not.
//   - On Windows a client of another program is known before anything was read from it only if it asks for that, see
//     [Conn.PeerCredentials]. Otherwise it is refused, and the policy is not asked.
//   - A server is the process that listened. A socket that a service manager passed is the service manager's.
type PeerPolicy func(Credentials) error

// SameUser admits the user of this process.
func SameUser(c Credentials) error {
	return admit(c, core.SameUser, nil, func() string { return ownUser() })
}

// SameUserOrAdmin admits the user of this process, and those that [Admin] admits.
func SameUserOrAdmin(c Credentials) error {
	return admit(c, core.SameUser|core.Admin, nil, func() string { return ownUser() + " or " + admins })
}

// Admin admits root; on Windows SYSTEM and the administrators, whose processes must be elevated, see
// [Credentials].Administrator.
func Admin(c Credentials) error { return admit(c, core.Admin, nil, func() string { return admins }) }

// AnyOf admits the users with these IDs. It is for Unix: on Windows, where users have no such IDs, it admits nobody.
func AnyOf(uids ...int) PeerPolicy {
	uids = slices.Clone(uids)
	ids := make([]uint32, 0, len(uids))
	for _, uid := range uids {
		if uid >= 0 && int64(uid) < math.MaxUint32 { // the last one stands for no user
			ids = append(ids, uint32(uid))
		}
	}
	return func(c Credentials) error {
		return admit(c, 0, ids, func() string {
			if len(uids) == 0 {
				return "nobody"
			}
			var texts []string
			for _, uid := range uids {
				texts = append(texts, strconv.Itoa(uid))
			}
			return "user " + strings.Join(texts, " or ")
		})
	}
}

func admit(c Credentials, peers core.Peers, uids []uint32, wanted func() string) error {
	if peers.Admit(core.Credentials(c), uids) {
		return nil
	}
	return fmt.Errorf("expected %s: %w", wanted(), fs.ErrPermission)
}

// serverPolicy returns the policy for the server of a name, nil if everybody may be there.
func (d *Dialer) serverPolicy(name Name) PeerPolicy {
	switch {
	case d.Server != nil:
		return d.Server
	case name.Type() == UserNames:
		return SameUser
	case name.Type() == SystemNames:
		return Admin
	default:
		return nil
	}
}

// check asks a policy about the peer of a connection. It closes the connection if the policy does not admit the peer,
// or panics.
func (c *conn) check(policy PeerPolicy, role string) *refusedError {
	if policy == nil {
		return nil
	}
	admitted := false
	defer func() {
		if !admitted {
			c.end.Refuse()
		}
	}()
	found, err := c.end.PeerCredentials()
	if err != nil {
		err = fmt.Errorf("its user is not known: %w", err)
	} else {
		err = policy(Credentials(found))
	}
	if err != nil {
		return &refusedError{role, Credentials(found), err}
	}
	admitted = true
	return nil
}

// errMode is why a listener on a name without a file does not admit a client.
var errMode = fmt.Errorf("the listener's Mode does not admit it: %w", fs.ErrPermission)

// A refusedError says whom a policy did not admit. It matches [fs.ErrPermission].
type refusedError struct {
	role   string // "client" or "server"
	found  Credentials
	reason error
}

func (e *refusedError) Error() string {
	return fmt.Sprintf("the %s is %v: %v", e.role, e.found, e.reason)
}

func (e *refusedError) Unwrap() []error { return []error{e.reason, fs.ErrPermission} }
