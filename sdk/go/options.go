package artificer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// What a client does unless an option says otherwise.
const (
	// DefaultTimeout is the deadline of a unary call whose context has none.
	DefaultTimeout = 60 * time.Second
	// DefaultMaxReceiveBytes is the largest message that is received. gRPC's own 4 MiB are too few for pages of results
	// and rendered documents.
	DefaultMaxReceiveBytes = 64 << 20
)

// defaultKeepalive notices a lost server within 40 seconds, also amid a stream. Gateways accept pings at any interval.
var defaultKeepalive = keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}

// Option changes how [Dial] connects and how the client calls.
type Option func(*config) error

type config struct {
	plaintext           bool
	tls                 *tls.Config
	secret              secret
	insecureCredentials bool
	retry               RetryPolicy
	timeout             time.Duration
	keepalive           keepalive.ClientParameters
	healthCheck         bool
	healthService       string
	userAgent           string
	maxReceive          int
	maxSend             int
	waitForReady        bool
	connect             bool
	dial                []grpc.DialOption
}

func newConfig(opts []Option) (*config, error) {
	cfg := &config{
		retry:       DefaultRetryPolicy,
		timeout:     DefaultTimeout,
		keepalive:   defaultKeepalive,
		healthCheck: true,
		userAgent:   "artificer-go/" + Version,
		maxReceive:  DefaultMaxReceiveBytes,
		maxSend:     math.MaxInt32, // the server knows its own limit
	}
	for _, opt := range opts {
		if err := opt(cfg); err != nil {
			return nil, err
		}
	}
	if cfg.plaintext && cfg.tls != nil {
		return nil, errors.New("WithPlaintext contradicts the options of TLS: leave one of them out")
	}
	if cfg.secret != nil {
		return cfg, nil
	}
	var err error
	cfg.secret, err = secretOfEnvironment()
	return cfg, err
}

// dialOptions returns gRPC's options. The caller's own come last, so that they win.
func (c *config) dialOptions(target string) ([]grpc.DialOption, error) {
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(c.transport()),
		grpc.WithUserAgent(c.userAgent),
		grpc.WithKeepaliveParams(c.keepalive),
		grpc.WithDefaultServiceConfig(c.serviceConfig()),
		grpc.WithDisableServiceConfig(), // one of the DNS would replace ours, and with it retries and health checks
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(c.maxReceive),
			grpc.MaxCallSendMsgSize(c.maxSend),
			grpc.WaitForReady(c.waitForReady),
		),
		grpc.WithChainUnaryInterceptor(c.unary),
		grpc.WithChainStreamInterceptor(stream),
	}
	if c.secret != nil {
		if c.plaintext && !c.insecureCredentials && !isLoopback(target) {
			return nil, fmt.Errorf("credentials would be sent in clear text to %s (those of an option, ARTIFICER_API_KEY or "+
				"ARTIFICER_TOKEN): leave out WithPlaintext, or say WithInsecureCredentials if the network is safe", target)
		}
		// A default of calls, not of the connection, whose health checks it would make fail: a token that is refused would
		// look like a server that is down.
		credential := grpc.PerRPCCredentials(perCall{c.secret, !c.plaintext})
		options = append(options, grpc.WithDefaultCallOptions(credential))
	}
	return append(options, c.dial...), nil
}

func (c *config) transport() credentials.TransportCredentials {
	if c.plaintext {
		return insecure.NewCredentials()
	}
	return credentials.NewTLS(c.tlsConfig())
}

// tlsConfig returns the configuration that the options of TLS change.
func (c *config) tlsConfig() *tls.Config {
	if c.tls == nil {
		return &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return c.tls
}

// WithPlaintext connects without TLS. Credentials are then sent to this machine only, unless [WithInsecureCredentials]
// allows other hosts.
func WithPlaintext() Option {
	return func(c *config) error {
		c.plaintext = true
		return nil
	}
}

// WithTLSConfig connects with a copy of this configuration, which the options of TLS after it change.
func WithTLSConfig(cfg *tls.Config) Option {
	return func(c *config) error {
		c.tls = cfg.Clone()
		return nil
	}
}

// WithCA trusts the authorities in a PEM file instead of the system's.
func WithCA(file string) Option {
	return func(c *config) error {
		pem, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("read the authorities: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return fmt.Errorf("%s has no certificate in PEM form", file)
		}
		c.tls = c.tlsConfig()
		c.tls.RootCAs = pool
		return nil
	}
}

// WithClientCertificate presents a certificate to the server (mutual TLS). The files are in PEM form, and are read again
// for each connection, so that a renewed certificate is used without a restart.
func WithClientCertificate(certFile, keyFile string) Option {
	return func(c *config) error {
		pair, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			return fmt.Errorf("read the client's certificate: %w", err)
		}
		var last atomic.Pointer[tls.Certificate]
		last.Store(&pair)
		c.tls = c.tlsConfig()
		c.tls.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			// The files are not replaced at the same moment; until they are a pair again, the last one serves.
			if pair, err := tls.LoadX509KeyPair(certFile, keyFile); err == nil {
				last.Store(&pair)
			}
			return last.Load(), nil
		}
		return nil
	}
}

// WithServerName expects this name in the server's certificate instead of the target's.
func WithServerName(name string) Option {
	return func(c *config) error {
		c.tls = c.tlsConfig()
		c.tls.ServerName = name
		return nil
	}
}

// WithAPIKey sends an API key with every call. Without it and without a token the environment variable
// ARTIFICER_API_KEY is used, if it is set.
func WithAPIKey(key string) Option {
	return withSecret(apiKey(key), checkSecret("WithAPIKey: the key", key))
}

// WithToken sends a bearer token with every call. Without it and without an API key the environment variable
// ARTIFICER_TOKEN is used, if it is set.
func WithToken(token string) Option {
	return withSecret(bearer(fixed(token)), checkSecret("WithToken: the token", token))
}

// WithTokenSource sends the bearer token that source returns. It is asked for every call, so it should keep the token
// for as long as that is valid; the context is the call's.
func WithTokenSource(source func(context.Context) (string, error)) Option {
	return withSecret(bearer(source), nil)
}

// WithInsecureCredentials allows credentials in clear text to hosts that are not this machine, for networks that
// protect the traffic themselves.
func WithInsecureCredentials() Option {
	return func(c *config) error {
		c.insecureCredentials = true
		return nil
	}
}

// WithRetry replaces [DefaultRetryPolicy].
func WithRetry(policy RetryPolicy) Option {
	return func(c *config) error {
		c.retry = policy
		return policy.validate()
	}
}

// WithTimeout replaces [DefaultTimeout], the deadline of unary calls whose context has none; 0 means none.
func WithTimeout(timeout time.Duration) Option {
	return func(c *config) error {
		if timeout < 0 {
			return fmt.Errorf("WithTimeout(%v): expected 0 or more", timeout)
		}
		c.timeout = timeout
		return nil
	}
}

// WithKeepalive replaces the pings by which a lost server is noticed: after 30 seconds without traffic, with 10 seconds
// for the answer, while calls are in flight.
func WithKeepalive(params keepalive.ClientParameters) Option {
	return func(c *config) error {
		c.keepalive = params
		return nil
	}
}

// WithHealthCheck uses only servers that report this service as serving (grpc.health.v1), such as
// "artificer.batch.v1.BatchService". The default is the empty name, which means the server as a whole. Health checks carry
// no credentials; gateways answer them without, unless their settings say otherwise.
func WithHealthCheck(service string) Option {
	return func(c *config) error {
		c.healthCheck, c.healthService = true, service
		return nil
	}
}

// WithoutHealthCheck does not ask servers for their health, for proxies that do not pass on health checks and for servers
// that answer them to known callers only.
func WithoutHealthCheck() Option {
	return func(c *config) error {
		c.healthCheck = false
		return nil
	}
}

// WithUserAgent puts the application's name and version before the client's own.
func WithUserAgent(application string) Option {
	return func(c *config) error {
		if strings.ContainsFunc(application, func(r rune) bool { return r < ' ' || r > '~' }) {
			return fmt.Errorf("WithUserAgent(%q): expected a name and a version in ASCII, such as invoices/1.4", application)
		}
		c.userAgent = application + " artificer-go/" + Version
		return nil
	}
}

// WithMaxMessageBytes limits the messages that are received and sent. The defaults are [DefaultMaxReceiveBytes], and no
// limit for what is sent.
func WithMaxMessageBytes(receive, send int) Option {
	return func(c *config) error {
		if receive <= 0 || send <= 0 {
			return fmt.Errorf("WithMaxMessageBytes(%d, %d): expected more than 0", receive, send)
		}
		c.maxReceive, c.maxSend = receive, send
		return nil
	}
}

// WithWaitForReady makes calls wait for a connection, until their deadline, instead of failing with UNAVAILABLE while
// there is none.
func WithWaitForReady() Option {
	return func(c *config) error {
		c.waitForReady = true
		return nil
	}
}

// WithConnect makes [Dial] wait until a server is connected and, with health checks, serving.
func WithConnect() Option {
	return func(c *config) error {
		c.connect = true
		return nil
	}
}

// WithDialOptions adds options of gRPC itself, such as interceptors or OpenTelemetry's stats handler. They win over the
// client's own.
func WithDialOptions(opts ...grpc.DialOption) Option {
	return func(c *config) error {
		c.dial = append(c.dial, opts...)
		return nil
	}
}
