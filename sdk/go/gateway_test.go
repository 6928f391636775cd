package artificer_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	artificer "artificer.dev/go"
	chatv1 "artificer.dev/go/gen/artificer/chat/v1"
)

// gateway is the program that serves all services, as a process whose data outlives it.
type gateway struct {
	command     []string
	environment []string
	port        string
	target      string
	process     *exec.Cmd
	drained     chan struct{}
}

// newGateway starts the command that ARTIFICER_GATEWAY has as a list in JSON, which tests/sdk/test_go.py sets.
func newGateway(t *testing.T) *gateway {
	text := os.Getenv("ARTIFICER_GATEWAY")
	if text == "" {
		t.Skip("ARTIFICER_GATEWAY is not set: tests/sdk/test_go.py says how to start a gateway")
	}
	g := &gateway{port: freePort()}
	if err := json.Unmarshal([]byte(text), &g.command); err != nil {
		t.Fatal(err)
	}
	t.Parallel()
	folder := t.TempDir()
	for _, service := range []string{"AI", "BATCH", "CHAT"} {
		g.environment = append(g.environment, "DIPTYCH_SERVICES__"+service+"__DATA_DIR="+folder)
	}
	g.start(t)
	t.Cleanup(func() { g.stop(os.Interrupt) })
	return g
}

// freePort returns a port below those that the kernel gives to programs that ask for any, so that none of them receives it
// before the gateway starts or while it starts again.
func freePort() string {
	for {
		port := strconv.Itoa(10_000 + rand.IntN(20_000))
		if listener, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			listener.Close()
			return port
		}
	}
}

var listening = regexp.MustCompile(`gRPC on (?:\w+://)?([\d.]+:\d+)`)

// start runs the gateway on its port, and returns when it listens.
func (g *gateway) start(t *testing.T) {
	g.process = exec.Command(g.command[0], append(g.command[1:], "--http-port", "0", "--grpc-port", g.port)...)
	g.process.Env = append(os.Environ(), g.environment...)
	log, err := g.process.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := g.process.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(log)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("the gateway ended before it listened: %s", line)
		}
		if found := listening.FindStringSubmatch(line); found != nil {
			g.target = found[1]
			break
		}
	}
	g.drained = make(chan struct{})
	go func() {
		defer close(g.drained)
		io.Copy(io.Discard, lines) // a full pipe would block it
	}()
}

// stop sends the process a signal and returns when it has ended.
func (g *gateway) stop(signal os.Signal) {
	if g.process.ProcessState != nil {
		return
	}
	g.process.Process.Signal(signal)
	<-g.drained
	g.process.Wait()
}

// say stores messages in a channel.
func say(t *testing.T, client *artificer.Client, channel string, texts ...string) {
	stream, err := client.Channels().SendMessages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range texts {
		if err := stream.Send(&chatv1.SendMessagesRequest{Channel: channel, User: &chatv1.User{Id: "ann"}, Content: text}); err != nil {
			break // receiving says why
		}
	}
	if _, err := stream.CloseAndRecv(); err != nil {
		t.Fatal(err)
	}
}

func TestAGatewayIsKilledAmidCalls(t *testing.T) {
	gateway := newGateway(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	client, err := artificer.Dial(ctx, gateway.target, artificer.WithPlaintext(), artificer.WithWaitForReady())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	say(t, client, "c", "1", "2", "3")

	// A stream of the generated client ends with UNAVAILABLE.
	bare, err := client.Channels().StreamMessages(ctx, &chatv1.StreamMessagesRequest{Channel: "c"})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := bare.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	bareEnd := make(chan error, 1)
	go func() {
		_, err := bare.Recv()
		bareEnd <- err
	}()

	// So does an upload; it has begun when its reader is asked for more than the first chunk.
	reading, held := make(chan struct{}), make(chan struct{})
	upload := make(chan error, 1)
	go func() {
		reader := io.MultiReader(io.LimitReader(zeros{}, 4<<20), readerFunc(func([]byte) (int, error) {
			close(reading)
			<-held
			return 0, io.EOF
		}))
		_, err := client.UploadBlob(ctx, "", reader)
		upload <- err
	}()
	<-reading

	// StreamMessages goes on after the restart.
	var texts []string
	for message, err := range client.StreamMessages(ctx, &chatv1.StreamMessagesRequest{Channel: "c"}) {
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, message.GetContent())
		if len(texts) == 3 {
			gateway.stop(os.Kill)
			if err := <-bareEnd; status.Code(err) != codes.Unavailable {
				t.Errorf("the stream of the generated client ended with %v", err)
			}
			close(held)
			if err := <-upload; status.Code(err) != codes.Unavailable {
				t.Errorf("the upload ended with %v", err)
			}
			gateway.start(t)
			say(t, client, "c", "4", "5")
		}
		if len(texts) == 5 {
			break
		}
	}
	if !slices.Equal(texts, []string{"1", "2", "3", "4", "5"}) {
		t.Errorf("the messages are %v", texts)
	}
	blob, err := client.UploadBlob(ctx, "", io.LimitReader(zeros{}, 4<<20))
	if err != nil || blob.GetSize() != 4<<20 {
		t.Errorf("the upload after the restart: %v, %v", blob, err)
	}
}

func TestAGatewayIsRestartedAmidCalls(t *testing.T) {
	gateway := newGateway(t)
	client, err := artificer.Dial(t.Context(), gateway.target, artificer.WithPlaintext(), artificer.WithConnect())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	say(t, client, "c", "1")
	var texts []string
	for message, err := range client.StreamMessages(t.Context(), &chatv1.StreamMessagesRequest{Channel: "c"}) {
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, message.GetContent())
		if len(texts) == 2 {
			break
		}
		gateway.stop(os.Interrupt)
		gateway.start(t)
		// Without WithWaitForReady a call fails until the client is connected again and the gateway reports SERVING.
		if !waitFor(t.Context(), func() bool { return ready(t, client) }) {
			t.Fatal("the client does not connect again")
		}
		say(t, client, "c", "2")
	}
	if !slices.Equal(texts, []string{"1", "2"}) {
		t.Errorf("the messages are %v", texts)
	}
}

func ready(t *testing.T, client *artificer.Client) bool {
	_, err := client.Channels().ListMessages(t.Context(), &chatv1.ListMessagesRequest{Channel: "c"})
	return err == nil
}
