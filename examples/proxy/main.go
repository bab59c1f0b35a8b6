// Proxy fronts many local web servers: a request for /APP/path goes to the server of "user:APP", as one for /path.
//
//	proxy ADDRESS APP…
//
// ADDRESS is a name, such as "user:proxy", or for browsers an address such as "localhost:8080". No request reaches a
// server that is not on the command line. The header Lipc-Peer says which process asked; a client cannot set it.
// To the servers each request comes from you. Every user of the machine can connect to localhost, and Lipc-Peer is absent
// then. Use a name if only you may reach them.
package main

import (
	"context"
	"fmt"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/lipc/ipc"
)

func main() {
	if len(os.Args) < 3 {
		log.Fatal("usage: proxy ADDRESS APP…")
	}
	host, l := listen(os.Args[1])
	mux := http.NewServeMux()
	for _, app := range os.Args[2:] {
		if app != url.PathEscape(app) {
			log.Fatalf("%q cannot be a part of a path", app)
		}
		mux.Handle(host+"/"+app+"/", http.StripPrefix("/"+app, to(ipc.UserName(app))))
	}
	server := &http.Server{Handler: protect(mux), ConnContext: ipc.ConnContext, ReadHeaderTimeout: time.Minute}
	go server.Serve(l)
	fmt.Println("listening on", l.Addr())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	<-ctx.Done()
	time.AfterFunc(5*time.Second, func() { os.Exit(0) })
	server.Shutdown(context.Background()) // answers requests; streams and upgraded connections end with the program
}

// listen also returns the host that requests must be for, because the name of another site can lead to this machine.
func listen(address string) (host string, l net.Listener) {
	name, err := ipc.ParseName(address)
	if strings.HasPrefix(address, "localhost:") {
		host = "localhost"
		l, err = net.Listen("tcp", address)
	} else if err == nil {
		l, err = ipc.Listen(name)
	}
	if err != nil {
		log.Fatal(err)
	}
	return host, l
}

// protect lets pages of other sites change nothing, and open no WebSocket, which browsers ask for by GET.
func protect(handler http.Handler) http.Handler {
	origins := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked := *r
		if r.Header.Get("Upgrade") != "" {
			asked.Method = http.MethodPost
		}
		if err := origins.Check(&asked); err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		handler.ServeHTTP(w, r)
	})
}

// to returns a handler that passes requests to the server of a name, and its answers back, also streams and WebSockets.
func to(name ipc.Name) http.Handler {
	return &httputil.ReverseProxy{
		Transport: &http.Transport{DialContext: new(ipc.Dialer).To(name), DisableCompression: true},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", "local"
			r.SetXForwarded()
			maps.DeleteFunc(r.Out.Header, func(field string, _ []string) bool { // to servers of CGI "_" is the same as "-"
				return strings.EqualFold(strings.ReplaceAll(field, "_", "-"), "Lipc-Peer")
			})
			if peer, err := ipc.PeerFromContext(r.In.Context()); err == nil {
				r.Out.Header.Set("Lipc-Peer", peer.String())
			}
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, fmt.Sprintf("no answer from the server of %v: %v", name, err), http.StatusBadGateway)
		},
	}
}
