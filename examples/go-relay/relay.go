package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	artificer "artificer.dev/go"
	aiv1 "artificer.dev/go/gen/artificer/ai/v1"
)

const (
	maxRequestBytes = 1 << 20
	readTimeout     = 30 * time.Second
	// writeTimeout is how long a browser may accept nothing of an answer before it counts as gone.
	writeTimeout = 30 * time.Second
)

//go:embed page.html
var page []byte

// newHandler serves a page at /, and at POST /chat the answers of the worker's models.
//
// The body of a chat is a ChatStreamRequest in JSON; the answer is a stream of Server-Sent Events. An event without a
// name is a ChatStreamResponse, `done` ends an answer that is complete, and `error` one that is not. An error before the
// first event is an HTTP error with the same JSON: {"code", "message"}.
func newHandler(ai aiv1.AiWorkerServiceClient) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write(page)
	})
	mux.HandleFunc("POST /chat", func(w http.ResponseWriter, r *http.Request) {
		request, err := readChat(w, r)
		if err != nil {
			writeError(w, &artificer.Error{Code: codes.InvalidArgument, Message: err.Error()})
			return
		}
		relay(r.Context(), ai, request, &events{writer: w, control: http.NewResponseController(w)})
	})
	return http.NewCrossOriginProtection().Handler(mux) // no other site's page may chat in a visitor's name
}

func readChat(w http.ResponseWriter, r *http.Request) (*aiv1.ChatStreamRequest, error) {
	// Not http.Server's ReadTimeout, which would also end the answer.
	control := http.NewResponseController(w)
	control.SetReadDeadline(time.Now().Add(readTimeout))
	defer control.SetReadDeadline(time.Time{})
	// To its end: net/http notices that a browser has left only when it has read the body.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequestBytes))
	if err != nil {
		return nil, fmt.Errorf("the body cannot be read: %w", err)
	}
	request := &aiv1.ChatStreamRequest{}
	if err := protojson.Unmarshal(body, request); err != nil {
		return nil, fmt.Errorf("the body is no ChatStreamRequest: %w", err)
	}
	return request, nil
}

// relay asks the worker and passes its answer on as it arrives.
//
// A browser that leaves ends ctx, which cancels the call, and the worker stops its model. A browser that reads slowly
// holds up the write of an event; then the next message is not received, and gRPC's flow control holds up the worker.
func relay(ctx context.Context, ai aiv1.AiWorkerServiceClient, request *aiv1.ChatStreamRequest, to *events) {
	for response, err := range artificer.Stream(ctx, ai.ChatStream, request) {
		if err != nil {
			to.fail(ctx, err)
			return
		}
		if err := to.send("", response); err != nil {
			log.Printf("the browser takes no more: %v", err)
			return
		}
	}
	if err := to.send("done", nil); err != nil {
		log.Printf("the browser left before the end: %v", err)
	}
}

// events writes Server-Sent Events.
type events struct {
	writer  http.ResponseWriter
	control *http.ResponseController
	begun   bool
}

// send writes one event and waits until the connection has taken it.
func (e *events) send(name string, message proto.Message) error {
	data := []byte("{}")
	if message != nil {
		var err error
		if data, err = protojson.Marshal(message); err != nil {
			return err
		}
	}
	return e.write(name, data)
}

func (e *events) write(name string, data []byte) error {
	if !e.begun {
		e.begun = true
		header := e.writer.Header()
		header.Set("Content-Type", "text/event-stream")
		header.Set("Cache-Control", "no-store")
		header.Set("X-Accel-Buffering", "no") // nginx passes each event on at once
	}
	if err := e.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	event := fmt.Appendf(nil, "data: %s\n\n", data)
	if name != "" {
		event = fmt.Appendf(nil, "event: %s\n%s", name, event)
	}
	if _, err := e.writer.Write(event); err != nil {
		return err
	}
	return e.control.Flush()
}

// fail ends an answer with an error: as an HTTP error if nothing of it has been sent, and as an event otherwise. Nobody
// reads either if the browser has left.
func (e *events) fail(ctx context.Context, err error) {
	failure, ok := artificer.AsError(err)
	if !ok {
		failure = &artificer.Error{Code: codes.Internal, Message: "the relay failed"}
	}
	log.Printf("a chat failed: %v", err)
	if !e.begun {
		writeError(e.writer, failure)
		return
	}
	if err := e.write("error", errorBody(failure)); err != nil && ctx.Err() == nil {
		log.Printf("the browser was not told: %v", err)
	}
}

func writeError(w http.ResponseWriter, failure *artificer.Error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(httpStatus(failure.Code))
	w.Write(errorBody(failure))
}

func errorBody(failure *artificer.Error) []byte {
	body, err := json.Marshal(map[string]string{"code": failure.Code.String(), "message": failure.Message})
	if err != nil {
		panic(err) // two texts can always be written
	}
	return body
}

// httpStatus returns the status for what the browser can do about an error. An error between the relay and the worker,
// such as wrong credentials, is none of the browser's.
func httpStatus(code codes.Code) int {
	switch code {
	case codes.InvalidArgument, codes.FailedPrecondition, codes.OutOfRange:
		return http.StatusBadRequest
	case codes.NotFound:
		return http.StatusNotFound
	case codes.ResourceExhausted:
		return http.StatusTooManyRequests
	case codes.Unavailable:
		return http.StatusServiceUnavailable
	case codes.DeadlineExceeded:
		return http.StatusGatewayTimeout
	default:
		return http.StatusBadGateway
	}
}
