// Client calls the greeter, on this machine or on many:
//
//	client -target ipc:user:greeter
//	client -target dns:///greeter.example:5000
//	client -target xds:///greeter        built with -tags xds
//
// If the target has several addresses, gRPC calls one after the other.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"time"

	ipcgrpc "github.com/lipc/ipc/grpc"
	"github.com/lipc/ipc/grpc/examples/greeter"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

func main() {
	target := flag.String("target", "ipc:user:greeter", "the `target` of gRPC")
	ca := flag.String("ca", "", "the `file` of the certificates that servers on other machines are checked with, "+
		"instead of the system's")
	name := flag.String("name", "world", "whom to greet")
	calls := flag.Int("calls", 1, "how often")
	timeout := flag.Duration("timeout", 10*time.Second, "how long that may take")
	flag.Parse()

	tls := credentials.NewTLS(nil)
	if *ca != "" {
		var err error
		if tls, err = credentials.NewClientTLSFromFile(*ca, ""); err != nil {
			log.Fatal(err)
		}
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(tls),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"round_robin": {}}]}`),
	}
	conn, err := grpc.NewClient(*target, append(options, ipcgrpc.DialOptions(*target, nil)...)...)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	for range *calls {
		greeting, err := greeter.Greet(ctx, conn, *name, grpc.WaitForReady(true))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(greeting)
	}
}
