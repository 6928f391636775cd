package artificer_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"

	artificer "artificer.dev/go"
	batchv1 "artificer.dev/go/gen/artificer/batch/v1"
)

func TestClientHasEveryService(t *testing.T) {
	var generated []string
	files, err := filepath.Glob("gen/artificer/*/*/*_grpc.pb.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(`(?m)^type (\w+ServiceClient) interface`).FindAllSubmatch(text, -1) {
			generated = append(generated, filepath.ToSlash(filepath.Dir(file))+"."+string(found[1]))
		}
	}
	if len(generated) < 9 {
		t.Fatalf("only %d services were generated: %v", len(generated), generated)
	}
	had := map[string]bool{}
	client := reflect.TypeFor[*artificer.Client]()
	for at := range client.NumMethod() {
		if method := client.Method(at).Type; method.NumIn() == 1 && method.NumOut() == 1 {
			had[strings.TrimPrefix(method.Out(0).PkgPath(), "artificer.dev/go/")+"."+method.Out(0).Name()] = true
		}
	}
	for _, name := range generated {
		if !had[name] {
			t.Errorf("no method of Client returns %s: add one to services.go", name)
		}
	}
}

func TestUnaryCallsHaveADeadline(t *testing.T) {
	left := make(chan time.Duration, 1)
	s := (&server{getJob: func(ctx context.Context, _ *batchv1.GetJobRequest) (*batchv1.Job, error) {
		deadline, ok := ctx.Deadline()
		if !ok {
			deadline = time.Now()
		}
		left <- time.Until(deadline)
		return &batchv1.Job{}, nil
	}}).start(t)
	for _, row := range []struct {
		name string
		own  time.Duration // the context's
		opts []artificer.Option
		want time.Duration
	}{
		{"the default", 0, nil, time.Minute},
		{"the option's", 0, []artificer.Option{artificer.WithTimeout(90 * time.Second)}, 90 * time.Second},
		{"none", 0, []artificer.Option{artificer.WithTimeout(0)}, 0},
		{"the context's", 30 * time.Second, nil, 30 * time.Second},
	} {
		client := dial(t, s.target, append(row.opts, artificer.WithPlaintext())...)
		begun, ctx := time.Now(), t.Context()
		if row.own != 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, row.own)
			defer cancel()
		}
		if _, err := client.Batch().GetJob(ctx, &batchv1.GetJobRequest{}); err != nil {
			t.Fatal(err)
		}
		// gRPC rounds up what it sends.
		if got := <-left; got > row.want+time.Second || got < row.want-time.Since(begun)-time.Second {
			t.Errorf("%s: the server has %v left, not %v", row.name, got, row.want)
		}
	}
}

func TestTimeoutEndsACall(t *testing.T) {
	s := (&server{getJob: func(ctx context.Context, _ *batchv1.GetJobRequest) (*batchv1.Job, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}).start(t)
	client := dial(t, s.target, artificer.WithPlaintext(), artificer.WithTimeout(50*time.Millisecond))
	_, err := client.Batch().GetJob(t.Context(), &batchv1.GetJobRequest{})
	if status.Code(err) != codes.DeadlineExceeded || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the call ended with %v", err)
	}
}

func TestUserAgent(t *testing.T) {
	got := make(chan []string, 1)
	s := (&server{getJob: func(ctx context.Context, _ *batchv1.GetJobRequest) (*batchv1.Job, error) {
		got <- received(ctx, "user-agent")
		return &batchv1.Job{}, nil
	}}).start(t)
	for want, opts := range map[string][]artificer.Option{
		"artificer-go/" + artificer.Version + " grpc-go/":        {artificer.WithPlaintext()},
		"shop/3 artificer-go/" + artificer.Version + " grpc-go/": {artificer.WithPlaintext(), artificer.WithUserAgent("shop/3")},
	} {
		if _, err := dial(t, s.target, opts...).Batch().GetJob(t.Context(), &batchv1.GetJobRequest{}); err != nil {
			t.Fatal(err)
		}
		if agent := <-got; len(agent) != 1 || !strings.HasPrefix(agent[0], want) {
			t.Errorf("user-agent %q does not begin with %q", agent, want)
		}
	}
}

func TestMessageLimits(t *testing.T) {
	s := (&server{getJob: func(context.Context, *batchv1.GetJobRequest) (*batchv1.Job, error) {
		return &batchv1.Job{Name: strings.Repeat("x", 5<<20)}, nil // more than gRPC's own default
	}}).start(t)
	_, err := dial(t, s.target, artificer.WithPlaintext()).Batch().GetJob(t.Context(), &batchv1.GetJobRequest{})
	if err != nil {
		t.Errorf("5 MiB: %v", err)
	}
	limited := dial(t, s.target, artificer.WithPlaintext(), artificer.WithMaxMessageBytes(1<<20, 1<<10))
	_, err = limited.Batch().GetJob(t.Context(), &batchv1.GetJobRequest{})
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a response beyond the limit ended with %v", err)
	}
	_, err = limited.Batch().GetJob(t.Context(), &batchv1.GetJobRequest{JobId: strings.Repeat("x", 2<<10)})
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a request beyond the limit ended with %v", err)
	}
}

func TestCallsGoToHealthyServersInTurn(t *testing.T) {
	answer := func(name string) *server {
		return (&server{getJob: func(context.Context, *batchv1.GetJobRequest) (*batchv1.Job, error) {
			return &batchv1.Job{Name: name}, nil
		}}).start(t)
	}
	one, two := answer("one"), answer("two")
	addresses := manual.NewBuilderWithScheme("test")
	addresses.InitialState(resolver.State{Addresses: []resolver.Address{{Addr: one.target}, {Addr: two.target}}})
	client := dial(t, "test:///", artificer.WithPlaintext(), artificer.WithConnect(),
		artificer.WithDialOptions(grpc.WithResolvers(addresses)))
	ask := func() string {
		job, err := client.Batch().GetJob(t.Context(), &batchv1.GetJobRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return job.GetName()
	}
	asked := func(want ...string) bool { // whether the next calls reach exactly these servers
		reached := map[string]bool{}
		for range 4 {
			reached[ask()] = true
		}
		for _, name := range want {
			if !reached[name] {
				return false
			}
		}
		return len(reached) == len(want)
	}
	if !waitFor(t.Context(), func() bool { return asked("one", "two") }) {
		t.Fatal("the calls never went to both servers")
	}
	one.health.SetServingStatus("", healthpb.HealthCheckResponse_NOT_SERVING)
	if !waitFor(t.Context(), func() bool { return asked("two") }) {
		t.Fatal("calls still reach a server that reports NOT_SERVING")
	}
	one.health.SetServingStatus("", healthpb.HealthCheckResponse_SERVING)
	if !waitFor(t.Context(), func() bool { return asked("one", "two") }) {
		t.Fatal("the server that serves again gets no calls")
	}
	two.grpc.Stop()
	if !waitFor(t.Context(), func() bool { return asked("one") }) {
		t.Fatal("calls still go to a server that has stopped")
	}
}

func TestHealthChecks(t *testing.T) {
	s := (&server{getJob: func(context.Context, *batchv1.GetJobRequest) (*batchv1.Job, error) {
		return &batchv1.Job{}, nil
	}}).start(t)
	s.health.SetServingStatus("", healthpb.HealthCheckResponse_NOT_SERVING)
	s.health.SetServingStatus("artificer.batch.v1.BatchService", healthpb.HealthCheckResponse_SERVING)
	for _, row := range []struct {
		name string
		opt  artificer.Option
		want codes.Code
	}{
		{"the whole server", artificer.WithHealthCheck(""), codes.Unavailable},
		{"one service", artificer.WithHealthCheck("artificer.batch.v1.BatchService"), codes.OK},
		{"none", artificer.WithoutHealthCheck(), codes.OK},
	} {
		client := dial(t, s.target, artificer.WithPlaintext(), row.opt)
		_, err := client.Batch().GetJob(t.Context(), &batchv1.GetJobRequest{})
		if status.Code(err) != row.want {
			t.Errorf("%s: the call ended with %v", row.name, err)
		}
	}
}

func TestConnect(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err := artificer.Dial(ctx, deafTarget(t), artificer.WithPlaintext(), artificer.WithConnect(), artificer.WithWaitForReady())
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("Dial returned %v, which does not say why there is no connection", err)
	}
	s := (&server{}).start(t)
	client, err := artificer.Dial(t.Context(), s.target, artificer.WithPlaintext(), artificer.WithConnect())
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	if _, err := client.Batch().GetJob(t.Context(), &batchv1.GetJobRequest{}); status.Code(err) != codes.Canceled {
		t.Errorf("a call of a closed client ended with %v", err)
	}
}

func TestConnectDoesNotWaitForTheRetryPolicy(t *testing.T) {
	s := (&server{}).start(t)
	var attempts atomic.Int32
	failsOnce := func(ctx context.Context, target string) (net.Conn, error) {
		if attempts.Add(1) == 1 {
			return nil, errors.New("not yet")
		}
		return new(net.Dialer).DialContext(ctx, "tcp", target)
	}
	soon := grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: 300 * time.Millisecond, Multiplier: 1, MaxDelay: time.Second}, MinConnectTimeout: time.Minute}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	gaveUp := time.AfterFunc(20*time.Second, cancel)
	client, err := artificer.Dial(ctx, s.target, artificer.WithPlaintext(), artificer.WithConnect(), artificer.WithTimeout(0),
		artificer.WithRetry(artificer.RetryPolicy{MaxAttempts: 2, InitialBackoff: 100 * time.Hour, MaxBackoff: 100 * time.Hour}),
		artificer.WithDialOptions(grpc.WithContextDialer(failsOnce), grpc.WithConnectParams(soon)))
	if err != nil || !gaveUp.Stop() {
		t.Fatalf("Dial did not notice the connection: %v", err)
	}
	client.Close()
}

func TestWaitForReady(t *testing.T) {
	client := dial(t, deafTarget(t), artificer.WithPlaintext(), artificer.WithWaitForReady(), artificer.WithTimeout(100*time.Millisecond))
	_, err := client.Batch().GetJob(t.Context(), &batchv1.GetJobRequest{})
	if status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("the call ended with %v instead of waiting for a server", err)
	}
}

func TestTarget(t *testing.T) {
	s := (&server{getJob: func(context.Context, *batchv1.GetJobRequest) (*batchv1.Job, error) {
		return &batchv1.Job{}, nil
	}}).start(t)
	t.Setenv("ARTIFICER_TARGET", s.target)
	if _, err := dial(t, "", artificer.WithPlaintext()).Batch().GetJob(t.Context(), &batchv1.GetJobRequest{}); err != nil {
		t.Errorf("the target of the environment: %v", err)
	}
	t.Setenv("ARTIFICER_TARGET", "127.0.0.1:1")
	if _, err := dial(t, s.target, artificer.WithPlaintext()).Batch().GetJob(t.Context(), &batchv1.GetJobRequest{}); err != nil {
		t.Errorf("the argument does not win over the environment: %v", err)
	}
}

func TestOptionsThatCannotBe(t *testing.T) {
	for want, opts := range map[string][]artificer.Option{
		"WithPlaintext contradicts":          {artificer.WithPlaintext(), artificer.WithServerName("a")},
		"MaxAttempts is 6":                   {artificer.WithRetry(artificer.RetryPolicy{MaxAttempts: 6})},
		"waits 0s to 0s":                     {artificer.WithRetry(artificer.RetryPolicy{MaxAttempts: 2})},
		"WithTimeout(-1s)":                   {artificer.WithTimeout(-time.Second)},
		"WithMaxMessageBytes(0, 1)":          {artificer.WithMaxMessageBytes(0, 1)},
		"more than one API key or token":     {artificer.WithAPIKey("a"), artificer.WithToken("b")},
		"the key is empty":                   {artificer.WithAPIKey("")},
		"the key has spaces, line breaks":    {artificer.WithAPIKey("k\n")},
		"the token has spaces, line breaks":  {artificer.WithToken("t t")},
		"expected a name and a version":      {artificer.WithUserAgent("a\nb")},
		"the token is empty":                 {artificer.WithToken("")},
		"no such file":                       {artificer.WithCA("missing.pem")},
		"has no certificate":                 {artificer.WithCA("go.mod")},
		"read the client's certificate":      {artificer.WithClientCertificate("go.mod", "go.mod")},
		"credentials would be sent in clear": {artificer.WithPlaintext(), artificer.WithAPIKey("k")},
	} {
		_, err := artificer.Dial(t.Context(), "api.example.com:443", opts...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Dial returned %v, not %q", err, want)
		}
	}
}

func TestTargetsThatCannotBe(t *testing.T) {
	for _, target := range []string{"http://127.0.0.1:8080", "https://api.example.com/", "GRPC://127.0.0.1:50051", "grpcs://a:443", "a b:443", "a:443\n"} {
		_, err := artificer.Dial(t.Context(), target, artificer.WithPlaintext())
		if err == nil || !strings.Contains(err.Error(), "such as api.example.com:443") {
			t.Errorf("Dial(%q) returned %v", target, err)
		}
	}
}
