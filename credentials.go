package ipc

import (
	"fmt"
	"strings"
)

// Credentials are the identity of a peer, supplied by the kernel, not by the peer. The credentials of a connection do
// not follow later changes. A server gets those of the moment when the client connected, a client those of the moment
// when the server began to listen (on OpenBSD when it was bound), and an end of a pair those of the moment when the
// pair was created. The credentials of a [Message] are those of the moment when it was sent; on Linux they have the
// real IDs, not the effective ones. A process ID can be reused once its process has ended.
//
// If the system does not report a value, the ID is -1, Groups is nil, or SID is empty.
type Credentials struct {
	PID    int    // process ID; not reported by DragonFly BSD and FreeBSD before 13
	UID    int    // effective user ID
	GID    int    // effective group ID
	Groups []int  // supplementary group IDs (Linux 4.13 and later, macOS, FreeBSD, DragonFly BSD)
	SID    string // Windows: the user's security identifier, see [Conn.PeerCredentials]

	// Windows: the peer is a client that is SYSTEM or an administrator whose process is elevated, or a server whose pipe
	// belongs to SYSTEM or to the group of administrators. Unix: false, also for root.
	Administrator bool
}

// String returns what is known, as in "process 4711 of user 1000, group 1000".
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
