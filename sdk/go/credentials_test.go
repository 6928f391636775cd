package artificer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	artificer "artificer.dev/go"
	batchv1 "artificer.dev/go/gen/artificer/batch/v1"
)

func TestSecrets(t *testing.T) {
	got := make(chan string, 1)
	s := (&server{getJob: func(ctx context.Context, _ *batchv1.GetJobRequest) (*batchv1.Job, error) {
		got <- fmt.Sprint(received(ctx, "x-api-key"), received(ctx, "authorization"))
		return &batchv1.Job{}, nil
	}}).start(t)
	source := func(context.Context) (string, error) { return "fresh", nil }
	for _, row := range []struct {
		name        string
		environment map[string]string
		opts        []artificer.Option
		want        string
	}{
		{"none", nil, nil, "[] []"},
		{"an API key", nil, []artificer.Option{artificer.WithAPIKey("k")}, "[k] []"},
		{"a token", nil, []artificer.Option{artificer.WithToken("t")}, "[] [Bearer t]"},
		{"a source", nil, []artificer.Option{artificer.WithTokenSource(source)}, "[] [Bearer fresh]"},
		{"a key of the environment", map[string]string{"ARTIFICER_API_KEY": "e"}, nil, "[e] []"},
		{"a token of the environment", map[string]string{"ARTIFICER_TOKEN": "e"}, nil, "[] [Bearer e]"},
		{"an option beside the environment", map[string]string{"ARTIFICER_API_KEY": "e"}, []artificer.Option{artificer.WithToken("t")}, "[] [Bearer t]"},
	} {
		t.Run(row.name, func(t *testing.T) {
			for name, value := range row.environment {
				t.Setenv(name, value)
			}
			client := dial(t, s.target, append(row.opts, artificer.WithPlaintext())...)
			if _, err := client.Batch().GetJob(t.Context(), &batchv1.GetJobRequest{}); err != nil {
				t.Fatal(err)
			}
			if sent := <-got; sent != row.want {
				t.Errorf("the server got %s, not %s", sent, row.want)
			}
		})
	}
}

func TestTokenSourceFails(t *testing.T) {
	s := (&server{}).start(t)
	refused := func(context.Context) (string, error) { return "", errors.New("the login server is down") }
	client := dial(t, s.target, artificer.WithPlaintext(), artificer.WithTokenSource(refused))
	_, err := client.Batch().GetJob(t.Context(), &batchv1.GetJobRequest{})
	if status.Code(err) != codes.Unauthenticated {
		t.Errorf("the call ended with %v", err)
	}
	if s.calls.Load() != 0 {
		t.Error("the call reached the server without a token")
	}
}

func TestSecretsThatNoHeaderCarries(t *testing.T) {
	for _, name := range []string{"ARTIFICER_API_KEY", "ARTIFICER_TOKEN"} {
		t.Setenv(name, "secret\n")
		_, err := artificer.Dial(t.Context(), "127.0.0.1:1", artificer.WithPlaintext())
		if err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "secret") {
			t.Errorf("Dial with %s returned %v", name, err)
		}
		t.Setenv(name, "")
	}
	s := (&server{}).start(t)
	source := func(context.Context) (string, error) { return "secret\n", nil }
	client := dial(t, s.target, artificer.WithPlaintext(), artificer.WithTokenSource(source))
	_, err := client.Batch().GetJob(t.Context(), &batchv1.GetJobRequest{})
	if status.Code(err) != codes.Unauthenticated || strings.Contains(err.Error(), "secret") {
		t.Errorf("the call ended with %v", err)
	}
}

func TestSecretsStayOnThisMachineWithoutTLS(t *testing.T) {
	for target, here := range map[string]bool{
		"127.0.0.1:50051":             true,
		"127.8.9.1:50051":             true,
		"localhost:50051":             true,
		"LocalHost":                   true,
		"[::1]:50051":                 true,
		"dns:///localhost:50051":      true,
		"dns:localhost:50051":         true,
		"passthrough:///[::1]:50051":  true,
		"unix:/run/artificer.sock":    true,
		"unix-abstract:artificer":     true,
		"api.example.com:443":         false,
		"10.0.0.7:50051":              false,
		"0.0.0.0:50051":               false,
		"localhost.example.com:50051": false,
		"dns://127.0.0.1/example.com": false,
		"dns:///example.com:50051":    false,
		"xds:///localhost":            false,
	} {
		key := artificer.WithAPIKey("k")
		client, err := artificer.Dial(t.Context(), target, artificer.WithPlaintext(), key)
		if err == nil {
			client.Close()
		}
		if (err == nil) != here {
			t.Errorf("%s: %v", target, err)
		}
		if target == "xds:///localhost" {
			continue // a scheme that gRPC itself does not know without its package
		}
		client, err = artificer.Dial(t.Context(), target, artificer.WithPlaintext(), key, artificer.WithInsecureCredentials())
		if err != nil {
			t.Errorf("%s: allowed, but %v", target, err)
			continue
		}
		client.Close()
	}
}
