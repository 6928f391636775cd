package artificer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// secret returns the name and value of the metadata that identifies the caller.
type secret func(context.Context) (name, value string, err error)

func apiKey(key string) secret {
	return func(context.Context) (string, string, error) { return "x-api-key", key, nil }
}

func bearer(source func(context.Context) (string, error)) secret {
	return func(ctx context.Context) (string, string, error) {
		token, err := source(ctx)
		return "authorization", "Bearer " + token, err
	}
}

func withSecret(s secret, invalid error) Option {
	return func(c *config) error {
		if invalid != nil {
			return invalid
		}
		if c.secret != nil {
			return errors.New("more than one API key or token was given: choose one")
		}
		c.secret = s
		return nil
	}
}

func secretOfEnvironment() (secret, error) {
	if key := os.Getenv("ARTIFICER_API_KEY"); key != "" {
		return apiKey(key), checkSecret("ARTIFICER_API_KEY", key)
	}
	if token := os.Getenv("ARTIFICER_TOKEN"); token != "" {
		return bearer(fixed(token)), checkSecret("ARTIFICER_TOKEN", token)
	}
	return nil, nil
}

func fixed(token string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return token, nil }
}

// checkSecret refuses what no header can carry, such as the line break at the end of a file. The error does not repeat it.
func checkSecret(name, value string) error {
	if value == "" {
		return fmt.Errorf("%s is empty", name)
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("%s has spaces, line breaks, control characters or characters that are not ASCII", name)
	}
	return nil
}

// perCall is gRPC's form of a secret.
type perCall struct {
	secret secret
	secure bool
}

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (p perCall) GetRequestMetadata(ctx context.Context, _ ...string) (map[string]string, error) {
	name, value, err := p.secret(ctx)
	if err == nil {
		err = checkSecret("the key or token", strings.TrimPrefix(value, "Bearer "))
	}
	if _, isStatus := status.FromError(err); !isStatus {
		return nil, status.Errorf(codes.Unauthenticated, "get a token: %v", err)
	}
	if err != nil {
		return nil, err
	}
	return map[string]string{name: value}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials: gRPC itself then refuses clear text.
func (p perCall) RequireTransportSecurity() bool { return p.secure }

// isLoopback tells whether a target surely stays on this machine. A target of a scheme that this function does not know
// does not.
func isLoopback(target string) bool {
	if scheme, rest, found := strings.Cut(target, ":"); found {
		switch scheme {
		case "unix", "unix-abstract":
			return true
		case "dns", "passthrough":
			target = rest[strings.LastIndex(rest, "/")+1:] // after an authority, as in dns://8.8.8.8/name
		}
	}
	host, _, err := net.SplitHostPort(target)
	if err != nil {
		host = strings.Trim(target, "[]")
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}
