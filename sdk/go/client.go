package artificer

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"unicode"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	_ "google.golang.org/grpc/health" // the client side of health checks, which the service configuration turns on
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
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
	var reason error
	for {
		state := conn.GetState()
		switch state {
		case connectivity.Ready:
			return nil
		case connectivity.Idle:
			conn.Connect()
		case connectivity.TransientFailure:
			if err := whyNotReady(ctx, conn); err != nil {
				reason = err
			}
		}
		if !conn.WaitForStateChange(ctx, state) {
			if reason == nil {
				return ctx.Err()
			}
			return fmt.Errorf("%w: %w", ctx.Err(), reason)
		}
	}
}

// whyNotReady returns the reason that a call gets at once while no server can be reached, since the state of a
// connection has none. It returns nil if the call got none because another attempt to connect had begun.
func whyNotReady(ctx context.Context, conn *grpc.ClientConn) error {
	_, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{}, grpc.WaitForReady(false), once{})
	if status.Code(err) != codes.Unavailable {
		return nil
	}
	return err
}

func envOr(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}
