package ipc

import (
	"fmt"
	"strings"
)

// Credentials say who a peer is, as the kernel vouches for it; the peer's own word plays no part. Those of a connection are
// those at the time when the peer connected (for a client: when the server began to listen, on OpenBSD when it was bound;
// for a pair: when it was made) and do not follow later changes; those of a [Message] those at the time when it was sent,
// and on Linux the real IDs, not the effective ones. A process ID can be reused once its process has ended.
//
// What the system does not tell says so: an ID is -1, Groups is nil, SID is empty.
type Credentials struct {
	PID    int    // process ID; not told by DragonFly BSD and FreeBSD before 13
	UID    int    // effective user ID
	GID    int    // effective group ID
	Groups []int  // supplementary group IDs (Linux 4.13 and later, macOS, FreeBSD, DragonFly BSD)
	SID    string // Windows: the user's security identifier, see [Conn.PeerCredentials]
}

// String tells what is known, as in "process 4711 of user 1000, group 1000".
func (c Credentials) String() string {
	var b strings.Builder
	b.WriteString("a process")
	if c.PID >= 0 {
		b.Reset()
		fmt.Fprintf(&b, "process %d", c.PID)
	}
	switch {
	case c.SID != "":
		fmt.Fprintf(&b, " of user %s", c.SID)
	case c.UID >= 0 && c.GID >= 0:
		fmt.Fprintf(&b, " of user %d, group %d", c.UID, c.GID)
	case c.UID >= 0:
		fmt.Fprintf(&b, " of user %d", c.UID)
	}
	return b.String()
}
