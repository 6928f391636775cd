package artificer_test

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"

	artificer "artificer.dev/go"
	aiv1 "artificer.dev/go/gen/artificer/ai/v1"
	batchv1 "artificer.dev/go/gen/artificer/batch/v1"
	chatv1 "artificer.dev/go/gen/artificer/chat/v1"
	convertv1 "artificer.dev/go/gen/artificer/convert/v1"
	ragv1 "artificer.dev/go/gen/artificer/rag/v1"
)

// server is a gRPC server whose methods tests set.
type server struct {
	batchv1.UnimplementedBatchServiceServer
	target string
	health *health.Server
	grpc   *grpc.Server
	calls  atomic.Int32 // unary calls and opened streams, without health checks

	getJob         func(context.Context, *batchv1.GetJobRequest) (*batchv1.Job, error)
	createJob      func(context.Context, *batchv1.CreateJobRequest) (*batchv1.Job, error)
	startJob       func(context.Context, *batchv1.StartJobRequest) (*batchv1.Job, error)
	listJobs       func(context.Context, *batchv1.ListJobsRequest) (*batchv1.ListJobsResponse, error)
	uploadBlob     func(batchv1.BatchService_UploadBlobServer) error
	streamProgress func(*batchv1.StreamProgressRequest, batchv1.BatchService_StreamProgressServer) error
	streamLogs     func(*batchv1.StreamLogsRequest, batchv1.BatchService_StreamLogsServer) error
	streamMessages func(*chatv1.StreamMessagesRequest, chatv1.MessageService_StreamMessagesServer) error
}

func (s *server) GetJob(ctx context.Context, in *batchv1.GetJobRequest) (*batchv1.Job, error) {
	return s.getJob(ctx, in)
}

func (s *server) CreateJob(ctx context.Context, in *batchv1.CreateJobRequest) (*batchv1.Job, error) {
	return s.createJob(ctx, in)
}

func (s *server) StartJob(ctx context.Context, in *batchv1.StartJobRequest) (*batchv1.Job, error) {
	return s.startJob(ctx, in)
}

func (s *server) ListJobs(ctx context.Context, in *batchv1.ListJobsRequest) (*batchv1.ListJobsResponse, error) {
	return s.listJobs(ctx, in)
}

func (s *server) UploadBlob(stream batchv1.BatchService_UploadBlobServer) error {
	return s.uploadBlob(stream)
}

func (s *server) StreamProgress(in *batchv1.StreamProgressRequest, stream batchv1.BatchService_StreamProgressServer) error {
	return s.streamProgress(in, stream)
}

func (s *server) StreamLogs(in *batchv1.StreamLogsRequest, stream batchv1.BatchService_StreamLogsServer) error {
	return s.streamLogs(in, stream)
}

// channels is the second service of the same server.
type channels struct {
	chatv1.UnimplementedMessageServiceServer
	*server
}

func (c channels) StreamMessages(in *chatv1.StreamMessagesRequest, stream chatv1.MessageService_StreamMessagesServer) error {
	return c.streamMessages(in, stream)
}

// collections and conversion answer uploads, in upload_test.go.
type (
	collections struct {
		ragv1.UnimplementedRagServiceServer
	}
	conversion struct {
		convertv1.UnimplementedConversionServiceServer
	}
)

// start serves s on a free port until the end of the test.
func (s *server) start(t *testing.T, opts ...grpc.ServerOption) *server {
	if err := s.listen(opts...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.grpc.Stop)
	return s
}

// deafTarget returns an address that refuses every connection until the end of the test: its port is bound, so no
// other program can take it, and nothing listens.
func deafTarget(t *testing.T) string {
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(socket) })
	if err := syscall.Bind(socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	bound, err := syscall.Getsockname(socket)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", bound.(*syscall.SockaddrInet4).Port)
}

func (s *server) listen(opts ...grpc.ServerOption) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.target, s.health = listener.Addr().String(), health.NewServer()
	s.grpc = grpc.NewServer(append(opts, grpc.UnaryInterceptor(s.countCall), grpc.StreamInterceptor(s.countStream))...)
	healthpb.RegisterHealthServer(s.grpc, s.health)
	batchv1.RegisterBatchServiceServer(s.grpc, s)
	aiv1.RegisterAiWorkerServiceServer(s.grpc, worker{})
	chatv1.RegisterMessageServiceServer(s.grpc, channels{server: s})
	convertv1.RegisterConversionServiceServer(s.grpc, conversion{})
	ragv1.RegisterRagServiceServer(s.grpc, collections{})
	go s.grpc.Serve(listener)
	return nil
}

func (s *server) countCall(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if info.FullMethod != healthpb.Health_Check_FullMethodName {
		s.calls.Add(1)
	}
	return handler(ctx, req)
}

func (s *server) countStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if info.FullMethod != healthpb.Health_Watch_FullMethodName {
		s.calls.Add(1)
	}
	return handler(srv, stream)
}

// dial returns a client whose retries wait no time worth mentioning, unless an option says otherwise.
func dial(t *testing.T, target string, opts ...artificer.Option) *artificer.Client {
	t.Helper()
	quick := artificer.RetryPolicy{MaxAttempts: 3, InitialBackoff: time.Millisecond, MaxBackoff: 2 * time.Millisecond}
	client, err := artificer.Dial(t.Context(), target, append([]artificer.Option{artificer.WithRetry(quick)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// failing returns an error with details.
func failing(t *testing.T, code codes.Code, message string, details ...protoadapt.MessageV1) error {
	made, err := status.New(code, message).WithDetails(details...)
	if err != nil {
		t.Fatal(err)
	}
	return made.Err()
}

// received returns the values of one key that a server got.
func received(ctx context.Context, name string) []string {
	md, _ := metadata.FromIncomingContext(ctx)
	return md.Get(name)
}

// attempts counts the attempts of unary calls.
type attempts struct{ made atomic.Int32 }

func (a *attempts) count() grpc.DialOption {
	return grpc.WithChainUnaryInterceptor(
		func(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			a.made.Add(1)
			return invoke(ctx, method, req, reply, conn, opts...)
		})
}
