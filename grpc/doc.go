// Package ipcgrpc runs gRPC over package ipc: over Unix domain sockets, and over named pipes on Windows. A handler
// learns from the kernel which process calls. The import path is github.com/lipc/ipc/grpc. The package has another name
// so that it does not clash with google.golang.org/grpc.
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
// A handler calls [PeerFromContext] to learn who calls. Before that, an [ipc.PeerPolicy] on each side has decided who
// may be at the other end: [ipc.Dialer].Server and [ipc.ListenConfig].Client.
//
// A service that outgrows one machine changes the target, not its code. For any other target, such as dns:///host:port,
// [DialOptions] returns nothing, so that the program's own options hold, for instance credentials of TLS. Serve also
// takes a TCP address, and [NewCredentials] can have other credentials, such as those of TLS, for connections that are
// not local. A client of xds:/// needs a blank import of google.golang.org/grpc/xds, which makes the program 15 MB
// larger. The folder examples/greeter has such a service.
//
// # Targets
//
// A target is a URL: "ipc:user:app", "ipc:system:app", "ipc:@app", "ipc:/run/app.sock" or "ipc:///run/app.sock", and on
// Windows also `ipc:\\.\pipe\app`. A relative path is relative to the working directory. Bytes that have a meaning in a
// URL are escaped, as in "ipc:user:50%25"; [Target] does that. A target with a host, a query or a fragment is not
// valid.
package ipcgrpc
