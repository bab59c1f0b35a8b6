// Web is a server on a local socket that answers with streams, in HTTP/1 and in HTTP/2 without TLS, and a client in
// HTTP/2.
//
//	web serve NAME         serve until interrupted, and then end the open streams, too
//	web get NAME PATH      print the answer: PATH / says who asked, /ticks goes on until the server ends
//
// NAME is "user:web", say, which only you can reach. See ipc.ParseName for other names.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/lipc/ipc"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("web: ")
	if len(os.Args) < 3 || len(os.Args) < 4 && os.Args[1] != "serve" {
		log.Fatal("usage: web serve NAME | web get NAME PATH")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	name, err := ipc.ParseName(os.Args[2])
	switch {
	case err != nil:
	case os.Args[1] == "serve":
		err = serve(ctx, name)
	default:
		err = get(ctx, name, os.Args[3])
	}
	if err != nil {
		log.Fatal(err)
	}
}

func serve(ctx context.Context, name ipc.Name) error {
	l, err := ipc.Listen(name)
	if err != nil {
		return err
	}
	fmt.Println("listening on", name)
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		peer, err := ipc.PeerFromContext(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(w, "%s, asked by %v\n", r.Proto, peer)
	})
	http.HandleFunc("/ticks", func(w http.ResponseWriter, r *http.Request) {
		for i := 0; ctx.Err() == nil && r.Context().Err() == nil; i++ {
			fmt.Fprintln(w, "tick", i)
			http.NewResponseController(w).Flush()
			select {
			case <-time.After(100 * time.Millisecond):
			case <-r.Context().Done(): // the client is gone
			case <-ctx.Done(): // the server ends
			}
		}
		fmt.Fprintln(w, "the server ends")
	})
	server := &http.Server{ConnContext: ipc.ConnContext, Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	go server.Serve(l)
	<-ctx.Done()
	limited, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return server.Shutdown(limited) // waits for the handlers, which end now
}

func get(ctx context.Context, name ipc.Name, path string) error {
	transport := &http.Transport{DialContext: new(ipc.Dialer).To(name), Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	request, err := http.NewRequestWithContext(ctx, "GET", "http://local"+path, nil)
	if err != nil {
		return err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(os.Stdout, response.Body)
	return err
}
