package artificer_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/anypb"

	artificer "artificer.dev/go"
)

// caseServer is the line that tests/sdk/case_server.py prints.
type caseServer struct {
	HTTP   string `json:"http"`
	GRPC   string `json:"grpc"`
	GRPCS  string `json:"grpcs"`
	CA     string `json:"ca"`
	Cases  string `json:"cases"`
	APIKey string `json:"api_key"`
}

// sharedCase is a row of the table that all clients run; tests/sdk/cases/README.md describes its members.
type sharedCase struct {
	Name            string            `json:"name"`
	Method          string            `json:"method"`
	Metadata        map[string]values `json:"metadata"`
	Requests        []json.RawMessage `json:"requests"`
	Repeat          *int              `json:"repeat"`
	Fill            *fill             `json:"fill"`
	Lockstep        bool              `json:"lockstep"`
	DeadlineSeconds *float64          `json:"deadline_seconds"`
	CancelAfter     *int              `json:"cancel_after"`
	TLS             bool              `json:"tls"`
	APIKey          *string           `json:"api_key"`
	Server          struct {
		Responses     []json.RawMessage `json:"responses"`
		ResponsesWire [][]byte          `json:"responses_wire"`
		Repeat        *int              `json:"repeat"`
		Fill          *fill             `json:"fill"`
		Wait          bool              `json:"wait"`
		Status        *caseStatus       `json:"status"`
		caseMetadata
	} `json:"server"`
	Expect struct {
		Code      *codes.Code        `json:"code"`
		Message   *string            `json:"message"`
		Details   *[]json.RawMessage `json:"details"`
		Responses *[]json.RawMessage `json:"responses"`
		Count     *int               `json:"count"`
		Attempts  *int               `json:"attempts"`
		caseMetadata
	} `json:"expect"`
}

type caseStatus struct {
	Code    codes.Code        `json:"code"` // codes.Code reads "NOT_FOUND"
	Message string            `json:"message"`
	Details []json.RawMessage `json:"details"`
}

type caseMetadata struct {
	Initial  map[string]values `json:"initial_metadata"`
	Trailing map[string]values `json:"trailing_metadata"`
}

type fill struct {
	Field string `json:"field"`
	Bytes int    `json:"bytes"`
}

// values are the values of one key; a single one may stand without a list.
type values []string

func (v *values) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*v = values{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(v))
}

// outcome is what the client saw of a call.
type outcome struct {
	err             error
	responses       []proto.Message
	count           int
	header, trailer metadata.MD
}

func TestSharedCases(t *testing.T) {
	line := os.Getenv("ARTIFICER_CASES")
	if line == "" {
		t.Skip("ARTIFICER_CASES is not set: tests/sdk/test_go.py starts the server of the cases")
	}
	var server caseServer
	if err := json.Unmarshal([]byte(line), &server); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(server.Cases, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in %s: %v", server.Cases, err)
	}
	retries, err := filepath.Glob(filepath.Join(server.Cases, "retries", "*.json"))
	if err != nil || len(retries) == 0 {
		t.Fatalf("no cases of retries in %s: %v", server.Cases, err)
	}
	files = append(files, retries...)
	for _, file := range files {
		for _, c := range readCases(t, file) {
			t.Run(c.Name, func(t *testing.T) {
				t.Parallel()
				c.run(t, server)
			})
		}
	}
}

func readCases(t *testing.T, file string) []sharedCase {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var table struct {
		Cases []sharedCase `json:"cases"`
	}
	if err := json.Unmarshal(text, &table); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return table.Cases
}

func (c sharedCase) run(t *testing.T, server caseServer) {
	ctx := t.Context()
	client := c.dial(t, server)
	before := readCounters(t, server, c.Name)
	var cancel context.CancelFunc = func() {}
	if c.DeadlineSeconds != nil {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(*c.DeadlineSeconds*float64(time.Second)))
		defer cancel()
	}
	ctx, cancel = context.WithCancel(metadata.NewOutgoingContext(ctx, c.metadata(t)))
	defer cancel()
	if c.CancelAfter != nil && *c.CancelAfter == 0 {
		go func() {
			waitFor(ctx, func() bool { return readCounters(t, server, c.Name).Started > before.Started })
			cancel()
		}()
	}
	got := c.call(t, ctx, cancel, client.Conn())
	c.check(t, got)
	if c.CancelAfter != nil || c.Server.Wait {
		if !waitFor(t.Context(), func() bool { return readCounters(t, server, c.Name).Cancelled > before.Cancelled }) {
			t.Error("the servicer goes on after the end of the call")
		}
	}
	if c.Expect.Attempts != nil {
		if made := readCounters(t, server, c.Name).Started - before.Started; made != *c.Expect.Attempts {
			t.Errorf("%d calls reached the servicer, not %d", made, *c.Expect.Attempts)
		}
	}
}

func (c sharedCase) dial(t *testing.T, server caseServer) *artificer.Client {
	key, target, transport := server.APIKey, server.GRPC, artificer.WithPlaintext()
	if c.APIKey != nil {
		key = *c.APIKey
	}
	if c.TLS {
		target, transport = server.GRPCS, artificer.WithCA(server.CA)
	}
	options := []artificer.Option{transport, artificer.WithAPIKey(key)}
	if c.Expect.Attempts == nil { // the case is one call
		options = append(options, artificer.WithRetry(artificer.RetryPolicy{MaxAttempts: 1}))
	}
	client, err := artificer.Dial(t.Context(), target, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

func (c sharedCase) metadata(t *testing.T) metadata.MD {
	sent := metadata.Pairs("x-case", c.Name, "x-run", rand.Text())
	for name, values := range c.Metadata {
		sent.Append(name, plain(t, name, values)...)
	}
	return sent
}

// plain decodes the values of a binary key, which the table has in base64.
func plain(t *testing.T, name string, values []string) []string {
	if !strings.HasSuffix(name, "-bin") {
		return values
	}
	decoded := make([]string, len(values))
	for at, value := range values {
		text, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(value, "="))
		if err != nil {
			t.Fatal(err)
		}
		decoded[at] = string(text)
	}
	return decoded
}

// call makes the call by the method's name, as a program would that has only descriptors.
func (c sharedCase) call(t *testing.T, ctx context.Context, cancel func(), conn *grpc.ClientConn) (got outcome) {
	method := c.descriptor(t)
	path := "/" + c.Method
	texts := c.Requests
	if texts == nil {
		texts = []json.RawMessage{[]byte("{}")}
	}
	requests := repeat(c.messages(t, method.Input(), texts, c.Fill), c.Repeat)
	if !method.IsStreamingClient() && !method.IsStreamingServer() {
		response := newMessage(t, method.Output())
		got.err = conn.Invoke(ctx, path, requests[0], response, grpc.Header(&got.header), grpc.Trailer(&got.trailer))
		if got.err == nil {
			got.add(c, response)
		}
		return got
	}
	desc := &grpc.StreamDesc{ClientStreams: method.IsStreamingClient(), ServerStreams: method.IsStreamingServer()}
	stream, err := conn.NewStream(ctx, desc, path)
	if err != nil {
		got.err = err
		return got
	}
	received := make(chan struct{}, 1)
	go func() {
		for at, request := range requests {
			if c.Lockstep && at > 0 {
				<-received
			}
			if stream.SendMsg(request) != nil {
				return // receiving says why
			}
		}
		stream.CloseSend()
	}()
	for {
		response := newMessage(t, method.Output())
		if got.err = stream.RecvMsg(response); got.err != nil {
			break
		}
		got.add(c, response)
		if c.Lockstep {
			select {
			case received <- struct{}{}:
			default: // more responses than requests
			}
		}
		if c.CancelAfter != nil && got.count == *c.CancelAfter {
			cancel()
		}
		if !desc.ServerStreams {
			break
		}
	}
	close(received)
	if errors.Is(got.err, io.EOF) {
		got.err = nil
	}
	got.header, _ = stream.Header()
	got.trailer = stream.Trailer()
	return got
}

// add keeps a response, unless they are only counted.
func (o *outcome) add(c sharedCase, response proto.Message) {
	o.count++
	if c.Expect.Count == nil {
		o.responses = append(o.responses, response)
	}
}

func (c sharedCase) descriptor(t *testing.T) protoreflect.MethodDescriptor {
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(strings.ReplaceAll(c.Method, "/", ".")))
	if err != nil {
		t.Fatal(err)
	}
	return found.(protoreflect.MethodDescriptor)
}

func newMessage(t *testing.T, kind protoreflect.MessageDescriptor) proto.Message {
	found, err := protoregistry.GlobalTypes.FindMessageByName(kind.FullName())
	if err != nil {
		t.Fatal(err)
	}
	return found.New().Interface()
}

func (c sharedCase) messages(t *testing.T, kind protoreflect.MessageDescriptor, texts []json.RawMessage, filled *fill) []proto.Message {
	made := make([]proto.Message, len(texts))
	for at, text := range texts {
		made[at] = newMessage(t, kind)
		if err := protojson.Unmarshal(text, made[at]); err != nil {
			t.Fatal(err)
		}
		filled.apply(t, made[at])
	}
	return made
}

func (f *fill) apply(t *testing.T, message proto.Message) {
	if f == nil {
		return
	}
	reflected := message.ProtoReflect()
	text := strings.Repeat("x", f.Bytes)
	path := strings.Split(f.Field, ".")
	for _, name := range path[:len(path)-1] {
		reflected = reflected.Mutable(fieldOf(t, reflected, name)).Message()
	}
	field := fieldOf(t, reflected, path[len(path)-1])
	switch field.Kind() {
	case protoreflect.StringKind:
		reflected.Set(field, protoreflect.ValueOfString(text))
	case protoreflect.BytesKind:
		reflected.Set(field, protoreflect.ValueOfBytes([]byte(text)))
	default:
		t.Fatalf("%s cannot be filled", field.FullName())
	}
}

func fieldOf(t *testing.T, message protoreflect.Message, jsonName string) protoreflect.FieldDescriptor {
	field := message.Descriptor().Fields().ByJSONName(jsonName)
	if field == nil {
		t.Fatalf("%s has no field %s", message.Descriptor().FullName(), jsonName)
	}
	return field
}

// expectedResponses returns the messages that must arrive.
func (c sharedCase) expectedResponses(t *testing.T) []proto.Message {
	kind := c.descriptor(t).Output()
	if c.Expect.Responses != nil {
		return c.messages(t, kind, *c.Expect.Responses, c.Server.Fill)
	}
	sent := c.messages(t, kind, c.Server.Responses, c.Server.Fill)
	for _, wire := range c.Server.ResponsesWire {
		message := newMessage(t, kind)
		if err := proto.Unmarshal(wire, message); err != nil {
			t.Fatal(err)
		}
		c.Server.Fill.apply(t, message)
		sent = append(sent, message)
	}
	return repeat(sent, c.Server.Repeat)
}

func repeat(messages []proto.Message, times *int) []proto.Message {
	if times == nil {
		return messages
	}
	return slices.Repeat(messages, *times)
}

func (c sharedCase) check(t *testing.T, got outcome) {
	failure, failed := artificer.AsError(got.err)
	if got.err != nil && !failed {
		t.Fatalf("%v is no *artificer.Error", got.err)
	}
	if !failed {
		failure = &artificer.Error{}
	}
	serverStatus := c.Server.Status
	if serverStatus == nil {
		serverStatus = &caseStatus{}
	}
	expected := c.expectedStatus(serverStatus)
	if failure.Code != expected.Code {
		t.Fatalf("the call ended with %v, not %v: %v", failure.Code, expected.Code, got.err)
	}
	if c.Expect.Message != nil || expected.Code == serverStatus.Code {
		if failure.Message != expected.Message {
			t.Errorf("message %q, not %q", failure.Message, expected.Message)
		}
	}
	if c.Expect.Details != nil || expected.Code == serverStatus.Code {
		checkDetails(t, failure.Details, expected.Details)
	}
	c.checkResponses(t, got)
	checkMetadata(t, "initial", got.header, orElse(c.Expect.Initial, c.Server.Initial))
	checkMetadata(t, "trailing", got.trailer, orElse(c.Expect.Trailing, c.Server.Trailing))
}

func (c sharedCase) expectedStatus(server *caseStatus) caseStatus {
	expected := caseStatus{Code: server.Code, Message: server.Message, Details: server.Details}
	if c.Expect.Code != nil {
		expected.Code = *c.Expect.Code
	}
	if c.Expect.Message != nil {
		expected.Message = *c.Expect.Message
	}
	if c.Expect.Details != nil {
		expected.Details = *c.Expect.Details
	}
	return expected
}

func orElse(own, other map[string]values) map[string]values {
	if own != nil {
		return own
	}
	return other
}

func (c sharedCase) checkResponses(t *testing.T, got outcome) {
	if c.Expect.Count != nil {
		if got.count != *c.Expect.Count {
			t.Errorf("%d messages arrived, not %d", got.count, *c.Expect.Count)
		}
		return
	}
	expected := c.expectedResponses(t)
	if len(got.responses) != len(expected) {
		t.Fatalf("%d messages arrived, not %d", len(got.responses), len(expected))
	}
	for at, message := range got.responses {
		if is, want := text(message), text(expected[at]); is != want {
			t.Errorf("message %d is\n%.2000s\nnot\n%.2000s", at, is, want)
		}
	}
}

// text describes a message so that NaN equals NaN, -0 is not 0, and unknown fields are left out.
func text(message proto.Message) string {
	text, err := prototext.Marshal(message)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func checkDetails(t *testing.T, got []proto.Message, expected []json.RawMessage) {
	if len(got) != len(expected) {
		t.Fatalf("%d details, not %d: %v", len(got), len(expected), got)
	}
	for at, detail := range got {
		if is, want := describe(detail), describe(readDetail(t, expected[at])); is != want {
			t.Errorf("detail %d is\n%s\nnot\n%s", at, is, want)
		}
	}
}

func describe(detail proto.Message) string {
	if unknown, ok := detail.(*anypb.Any); ok {
		return fmt.Sprintf("%s %x", unknown.MessageName(), unknown.GetValue())
	}
	return fmt.Sprintf("%s %s", detail.ProtoReflect().Descriptor().FullName(), text(detail))
}

// readDetail reads an Any in proto3 JSON; one of an unknown type has its bytes as `value`.
func readDetail(t *testing.T, text []byte) proto.Message {
	var packed anypb.Any
	if protojson.Unmarshal(text, &packed) == nil {
		if detail, err := packed.UnmarshalNew(); err == nil {
			return detail
		}
	}
	var raw struct {
		Type  string `json:"@type"`
		Value []byte `json:"value"`
	}
	if err := json.Unmarshal(text, &raw); err != nil {
		t.Fatal(err)
	}
	return &anypb.Any{TypeUrl: raw.Type, Value: raw.Value}
}

func checkMetadata(t *testing.T, which string, got metadata.MD, expected map[string]values) {
	for name, want := range expected {
		if is, want := strings.Join(got.Get(name), ", "), strings.Join(plain(t, name, want), ", "); is != want {
			t.Errorf("%s metadata %s is %q, not %q", which, name, is, want)
		}
	}
}

// counters are the case server's numbers of the calls of one case.
type counters struct{ Started, Cancelled int }

func readCounters(t *testing.T, server caseServer, name string) (read counters) {
	answer, err := http.Get(server.HTTP + "/cases/" + url.PathEscape(name))
	if err != nil {
		t.Error(err)
		return
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(&read); err != nil {
		t.Error(err)
	}
	return read
}

// waitFor asks until the answer is true, and returns false if it never is.
func waitFor(ctx context.Context, ask func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for !ask() {
		select {
		case <-ctx.Done():
			return false
		case <-ticker.C:
		}
	}
	return true
}
