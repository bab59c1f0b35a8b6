// Package ipcgrpc runs gRPC over package ipc: over Unix domain sockets, and over named pipes on Windows. A handler
// learns from the kernel who calls. Its import path ends in grpc; its name is another one, so that it does not clash
// with google.golang.org/grpc.
//
// A client dials the target ipc:NAME, where NAME is the text that [ipc.ParseName] reads:
//
//	conn, err := grpc.NewClient("ipc:user:app", ipcgrpc.DialOptions("ipc:user:app", nil)...)
//
// A server has the credentials of this package, and [Serve] listens and serves until a context ends:
//
//	server := grpc.NewServer(grpc.Creds(ipcgrpc.NewCredentials(nil)))
//	err := ipcgrpc.Serve(ctx, server, "ipc:user:app", nil)
//
// A handler asks [PeerFromContext] who calls. Who may be at the other end is decided before, by [ipc.Dialer].Server and
// [ipc.ListenConfig].Client: an [ipc.PeerPolicy] on each side.
//
// A service that outgrows one machine changes this text, not its code. For any other target, such as dns:///host:port,
// DialOptions returns nothing, so that the program's own options hold, for instance credentials of TLS. Serve takes a
// TCP address, too, and the credentials leave connections that are not local to others, see [NewCredentials]. A client
// that is to take xds:/// has a blank import of google.golang.org/grpc/xds, which makes it larger by 15 MB. The folder
// examples/greeter has such a service.
//
// # Targets
//
// A target is a URL: "ipc:user:app", "ipc:system:app", "ipc:@app", "ipc:/run/app.sock" or "ipc:///run/app.sock", and on
// Windows also `ipc:\\.\pipe\app`. A relative path is relative to the working directory. Bytes that mean something in a
// URL are escaped, as in "ipc:user:50%25"; [Target] does that. A target with a host, a query or a fragment is not
// valid.
package ipcgrpc
