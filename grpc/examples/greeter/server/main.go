// Server serves the greeter, on one machine or to many:
//
//	server -listen ipc:user:greeter
//	server -listen :5000 -cert server.pem -key server.key
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os/signal"
	"syscall"

	ipcgrpc "github.com/lipc/ipc/grpc"
	"github.com/lipc/ipc/grpc/examples/greeter"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

type server struct{ address string }

// Greet greets the caller, and says who it is.
func (s server) Greet(ctx context.Context, name *wrapperspb.StringValue) (*wrapperspb.StringValue, error) {
	caller := "somebody"
	if local, ok := ipcgrpc.PeerFromContext(ctx); ok {
		caller = local.String()
	} else if remote, ok := peer.FromContext(ctx); ok {
		caller = remote.Addr.Network() + " " + remote.Addr.String()
	}
	return wrapperspb.String(fmt.Sprintf("%s: hello %s, you are %s", s.address, name.GetValue(), caller)), nil
}

func main() {
	address := flag.String("listen", "ipc:user:greeter", "a local name, or a TCP `address`")
	cert := flag.String("cert", "", "the `file` of the certificate for TCP")
	key := flag.String("key", "", "the `file` of its key")
	flag.Parse()

	var remote credentials.TransportCredentials // none: local clients only
	if *cert != "" {
		var err error
		if remote, err = credentials.NewServerTLSFromFile(*cert, *key); err != nil {
			log.Fatal(err)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	s := grpc.NewServer(grpc.Creds(ipcgrpc.NewCredentials(remote)))
	greeter.Register(s, server{*address})
	if err := ipcgrpc.Serve(ctx, s, *address, nil); err != nil {
		log.Fatal(err)
	}
}
