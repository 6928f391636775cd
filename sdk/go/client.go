package artificer

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	_ "google.golang.org/grpc/health" // the client side of health checks, which the service configuration turns on
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// DefaultTarget is dialled when neither [Dial] nor ARTIFICER_TARGET names one.
const DefaultTarget = "127.0.0.1:50051"

// Client holds the connections to one target and the typed clients of all services.
type Client struct {
	conn  *grpc.ClientConn
	retry RetryPolicy
}

// Dial returns a client of target, which is an address such as "api.example.com:443" or any other target of gRPC, such
// as "dns:///api.example.com:443", all of whose addresses are used in turn. An empty target means the environment
// variable ARTIFICER_TARGET, or else [DefaultTarget].
//
// The connection uses TLS unless [WithPlaintext] says otherwise. It is made in the background: Dial fails only if the
// options contradict each other, a file cannot be read, or credentials would be sent in clear text to another host.
// With [WithConnect] it waits for the connection, until ctx ends.
func Dial(ctx context.Context, target string, opts ...Option) (*Client, error) {
	cfg, err := newConfig(opts)
	if err != nil {
		return nil, fmt.Errorf("artificer: %w", err)
	}
	if target == "" {
		target = envOr("ARTIFICER_TARGET", DefaultTarget)
	}
	if err := checkTarget(target); err != nil {
		return nil, fmt.Errorf("artificer: %w", err)
	}
	dialOptions, err := cfg.dialOptions(target)
	if err != nil {
		return nil, fmt.Errorf("artificer: %w", err)
	}
	conn, err := grpc.NewClient(target, dialOptions...)
	if err != nil {
		return nil, fmt.Errorf("artificer: %w", err)
	}
	conn.Connect()
	if cfg.connect {
		if err := waitUntilReady(ctx, conn); err != nil {
			conn.Close()
			return nil, fmt.Errorf("artificer: connect to %s: %w", target, err)
		}
	}
	return &Client{conn: conn, retry: cfg.retry}, nil
}

// Conn returns the connection, for other generated clients and for calls by name.
func (c *Client) Conn() *grpc.ClientConn { return c.conn }

// Close ends the connections. Calls in flight end with [codes.Canceled].
//
// [codes.Canceled]: https://pkg.go.dev/google.golang.org/grpc/codes#Canceled
func (c *Client) Close() error { return c.conn.Close() }

// checkTarget refuses URLs: gRPC would take them for host names, and the calls would fail with another reason.
func checkTarget(target string) error {
	scheme, _, isURL := strings.Cut(target, "://")
	isURL = isURL && slices.Contains([]string{"http", "https", "grpc", "grpcs"}, strings.ToLower(scheme))
	if isURL || strings.ContainsFunc(target, unicode.IsSpace) {
		return fmt.Errorf("the target %q is not an address such as api.example.com:443, or another target of gRPC such as "+
			"dns:///api.example.com:443; options say whether TLS is used", target)
	}
	return nil
}

func waitUntilReady(ctx context.Context, conn *grpc.ClientConn) error {
	for {
		state := conn.GetState()
		if state == connectivity.Ready {
			return nil
		}
		if state == connectivity.Idle {
			conn.Connect()
		}
		if !conn.WaitForStateChange(ctx, state) {
			return whyNotReady(ctx, conn)
		}
	}
}

// whyNotReady returns the reason that a call gets, since the state of a connection has none. While the connection is
// being made a call would wait; it then has no reason to give.
func whyNotReady(ctx context.Context, conn *grpc.ClientConn) error {
	brief, cancel := context.WithTimeout(context.WithoutCancel(ctx), 500*time.Millisecond)
	defer cancel()
	_, err := healthpb.NewHealthClient(conn).Check(brief, &healthpb.HealthCheckRequest{})
	if err == nil || brief.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("%w: %w", ctx.Err(), err)
}

func envOr(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}
