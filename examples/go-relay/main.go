// Command go-relay is a backend between browsers and the AI worker: it relays the worker's ChatStream as Server-Sent
// Events. The browsers need no key of the worker, and the worker no access from outside.
//
// The environment variables ARTIFICER_TARGET, ARTIFICER_API_KEY and ARTIFICER_TOKEN say where the worker is and who asks.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	artificer "artificer.dev/go"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8090", "address to serve, host:port")
	ca := flag.String("ca", "", "PEM file of the authorities that the worker's certificate is checked with; without it the connection is in clear text")
	grace := flag.Duration("grace", 10*time.Second, "how long answers may go on after SIGTERM")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *listen, *ca, *grace); err != nil {
		log.Fatal(err)
	}
}

// run serves until ctx ends. Then it takes no new chats, lets the running ones finish for the time of grace, and cancels
// those that are left.
func run(ctx context.Context, listen, ca string, grace time.Duration) error {
	transport := artificer.WithPlaintext()
	if ca != "" {
		transport = artificer.WithCA(ca)
	}
	client, err := artificer.Dial(ctx, "", transport, artificer.WithUserAgent("go-relay"))
	if err != nil {
		return err
	}
	defer client.Close()
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	answers, cancel := context.WithCancel(context.Background()) // the answers of all chats, beyond ctx
	defer cancel()
	server := &http.Server{
		Handler:           newHandler(client.AI()),
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return answers },
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	log.Printf("listening on http://%s", listener.Addr())
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	graceful, end := context.WithTimeout(context.Background(), grace)
	defer end()
	err = server.Shutdown(graceful)
	if errors.Is(err, context.DeadlineExceeded) {
		cancel() // the chats that are left end with an error event
		last, end := context.WithTimeout(context.Background(), 10*time.Second)
		defer end()
		if err = server.Shutdown(last); err != nil {
			server.Close()
			return fmt.Errorf("some answers did not end: %w", err)
		}
	}
	return err
}
