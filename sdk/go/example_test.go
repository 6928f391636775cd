package artificer_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	artificer "artificer.dev/go"
	aiv1 "artificer.dev/go/gen/artificer/ai/v1"
	batchv1 "artificer.dev/go/gen/artificer/batch/v1"
)

// TestMain runs a server for the examples, whose target is that of the environment.
func TestMain(m *testing.M) {
	s := &server{uploadBlob: storeBlob, listJobs: listNightly, getJob: getNightly}
	if err := s.listen(); err != nil {
		log.Fatal(err)
	}
	os.Setenv("ARTIFICER_TARGET", s.target)
	status := m.Run()
	s.grpc.Stop()
	os.Exit(status)
}

func getNightly(_ context.Context, in *batchv1.GetJobRequest) (*batchv1.Job, error) {
	if in.GetJobId() != "nightly" {
		failure, err := status.New(codes.NotFound, "no job has this id").WithDetails(&errdetails.ErrorInfo{Reason: "NO_SUCH_JOB"})
		if err != nil {
			return nil, err
		}
		return nil, failure.Err()
	}
	return &batchv1.Job{Id: "nightly", Name: "Scans of the day"}, nil
}

func listNightly(context.Context, *batchv1.ListJobsRequest) (*batchv1.ListJobsResponse, error) {
	return &batchv1.ListJobsResponse{Jobs: []*batchv1.Job{{Name: "Scans of the day"}, {Name: "Letters"}}}, nil
}

type worker struct {
	aiv1.UnimplementedAiWorkerServiceServer
}

func (worker) ChatStream(_ *aiv1.ChatStreamRequest, stream aiv1.AiWorkerService_ChatStreamServer) error {
	for _, text := range []string{"Good", " morning", "!"} {
		if err := stream.Send(&aiv1.ChatStreamResponse{Text: text}); err != nil {
			return err
		}
	}
	return nil
}

func Example() {
	ctx := context.Background()
	client, err := artificer.Dial(ctx, "", artificer.WithPlaintext())
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	job, err := client.Batch().GetJob(ctx, &batchv1.GetJobRequest{JobId: "nightly"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(job.GetName())
	// Output: Scans of the day
}

func ExampleAsError() {
	ctx := context.Background()
	client, err := artificer.Dial(ctx, "", artificer.WithPlaintext())
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	_, err = client.Batch().GetJob(ctx, &batchv1.GetJobRequest{JobId: "unknown"})
	if failure, ok := artificer.AsError(err); ok {
		fmt.Println(failure.Code, failure.Reason, failure.Message)
	}
	// Output: NotFound NO_SUCH_JOB no job has this id
}

func ExampleList() {
	ctx := context.Background()
	client, err := artificer.Dial(ctx, "", artificer.WithPlaintext())
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	jobs := artificer.List(ctx, client.Batch().ListJobs, &batchv1.ListJobsRequest{}, (*batchv1.ListJobsResponse).GetJobs)
	for job, err := range jobs {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(job.GetName())
	}
	// Output:
	// Scans of the day
	// Letters
}

func ExampleStream() {
	ctx := context.Background()
	client, err := artificer.Dial(ctx, "", artificer.WithPlaintext())
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	request := &aiv1.ChatStreamRequest{Messages: []*aiv1.ChatMessage{
		{Role: aiv1.ChatRole_CHAT_ROLE_USER, Content: "Good morning"},
	}}
	for piece, err := range artificer.Stream(ctx, client.AI().ChatStream, request) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(piece.GetText())
	}
	// Output: Good morning!
}

func ExampleClient_UploadBlob() {
	ctx := context.Background()
	client, err := artificer.Dial(ctx, "", artificer.WithPlaintext())
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	blob, err := client.UploadBlob(ctx, "text/plain", strings.NewReader("a file, a response's body or any other reader"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(blob.GetSize(), blob.GetContentType())
	// Output: 45 text/plain
}
