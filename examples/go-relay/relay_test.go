package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"

	artificer "artificer.dev/go"
	aiv1 "artificer.dev/go/gen/artificer/ai/v1"
)

const (
	pieces     = 600
	pieceBytes = 64 << 10 // all of them are more than the buffers of sockets and streams hold
)

// fastWorker sends as fast as it may, and counts what it could send.
type fastWorker struct {
	aiv1.UnimplementedAiWorkerServiceServer
	sent  atomic.Int64
	ended chan error
}

func (w *fastWorker) ChatStream(_ *aiv1.ChatStreamRequest, stream aiv1.AiWorkerService_ChatStreamServer) error {
	piece := &aiv1.ChatStreamResponse{Text: strings.Repeat("x", pieceBytes)}
	for range pieces {
		if err := stream.Send(piece); err != nil {
			w.ended <- err
			return err
		}
		w.sent.Add(1)
	}
	w.ended <- nil
	return nil
}

// relayOf returns the address of a relay in front of the worker.
func relayOf(t *testing.T, worker aiv1.AiWorkerServiceServer) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	aiv1.RegisterAiWorkerServiceServer(server, worker)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	client, err := artificer.Dial(t.Context(), listener.Addr().String(), artificer.WithPlaintext(), artificer.WithConnect())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	relay := httptest.NewServer(newHandler(client.AI()))
	t.Cleanup(relay.Close)
	return relay.URL
}

func post(t *testing.T, ctx context.Context, url string) *http.Response {
	request, err := http.NewRequestWithContext(ctx, "POST", url+"/chat", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return answer
}

func TestABrowserThatReadsSlowlyHoldsUpTheWorker(t *testing.T) {
	t.Parallel()
	worker := &fastWorker{ended: make(chan error, 1)}
	ctx, leave := context.WithCancel(t.Context())
	post(t, ctx, relayOf(t, worker)) // its body is not read
	// The worker has come to a stop when it has sent nothing for many looks in a row.
	still, last := 0, int64(-1)
	for ticker := time.Tick(10 * time.Millisecond); still < 50; <-ticker {
		if now := worker.sent.Load(); now == last {
			still++
		} else {
			still, last = 0, now
		}
	}
	if last == pieces {
		t.Error("the worker sent everything although nothing was read")
	}
	leave()
	if err := <-worker.ended; err == nil {
		t.Error("the worker was not stopped when the browser left")
	}
}

func TestABrowserThatReadsGetsEverything(t *testing.T) {
	t.Parallel()
	worker := &fastWorker{ended: make(chan error, 1)}
	answer := post(t, t.Context(), relayOf(t, worker))
	lines, events := bufio.NewReader(answer.Body), 0
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("after %d events: %v", events, err)
		}
		if strings.HasPrefix(line, "event: done") {
			break
		}
		if strings.HasPrefix(line, "data: ") {
			events++
		}
	}
	if events != pieces {
		t.Errorf("%d events, not %d", events, pieces)
	}
}

// silentWorker never answers.
type silentWorker struct {
	aiv1.UnimplementedAiWorkerServiceServer
	asked, ended chan struct{}
}

func (w *silentWorker) ChatStream(_ *aiv1.ChatStreamRequest, stream aiv1.AiWorkerService_ChatStreamServer) error {
	close(w.asked)
	<-stream.Context().Done()
	close(w.ended)
	return nil
}

func TestABrowserThatLeavesStopsASilentWorker(t *testing.T) {
	worker := &silentWorker{asked: make(chan struct{}), ended: make(chan struct{})}
	address := strings.TrimPrefix(relayOf(t, worker), "http://")
	browser, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	// A body in chunks, whose end has not been read when the message is complete.
	chunk := `{"messages": [{"content": "hello"}]}` + strings.Repeat(" ", 8000)
	fmt.Fprintf(browser, "POST /chat HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", address, len(chunk), chunk)
	<-worker.asked
	browser.Close()
	<-worker.ended
}

func TestABodyHasOneMessage(t *testing.T) {
	relay := relayOf(t, &silentWorker{})
	for _, body := range []string{`{"messages": []} {}`, `{"messages": []} nonsense`, "", "null", "[]", "\xff", strings.Repeat(" ", maxRequestBytes+1)} {
		response, err := http.Post(relay+"/chat", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusBadRequest {
			t.Errorf("the body %.20q is answered with %s", body, response.Status)
		}
	}
}
