package artificer_test

import (
	"context"
	"slices"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	artificer "artificer.dev/go"
	batchv1 "artificer.dev/go/gen/artificer/batch/v1"
)

// pages answers with three pages, the second of which is empty, as a page that a filter leaves may be.
func pages(_ context.Context, in *batchv1.ListJobsRequest) (*batchv1.ListJobsResponse, error) {
	if in.GetProjectId() != "p" {
		return nil, status.Error(codes.InvalidArgument, "the page has other fields than the first")
	}
	switch in.GetPageToken() {
	case "":
		return &batchv1.ListJobsResponse{Jobs: []*batchv1.Job{{Id: "1"}, {Id: "2"}}, NextPageToken: "second"}, nil
	case "second":
		return &batchv1.ListJobsResponse{NextPageToken: "third"}, nil
	case "third":
		return &batchv1.ListJobsResponse{Jobs: []*batchv1.Job{{Id: "3"}}}, nil
	}
	return nil, status.Error(codes.InvalidArgument, "no such page")
}

func TestListYieldsAllPages(t *testing.T) {
	s := (&server{listJobs: pages}).start(t)
	client := dial(t, s.target, artificer.WithPlaintext())
	request := &batchv1.ListJobsRequest{ProjectId: "p"}
	jobs := artificer.List(t.Context(), client.Batch().ListJobs, request, (*batchv1.ListJobsResponse).GetJobs)
	for range 2 { // an iterator may be used again
		var ids []string
		for job, err := range jobs {
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, job.GetId())
		}
		if !slices.Equal(ids, []string{"1", "2", "3"}) {
			t.Errorf("the jobs are %v", ids)
		}
	}
	if request.GetPageToken() != "" {
		t.Error("List changed the request")
	}
}

func TestListAsksForNoPageThatIsNotNeeded(t *testing.T) {
	s := (&server{listJobs: pages}).start(t)
	client := dial(t, s.target, artificer.WithPlaintext())
	request := &batchv1.ListJobsRequest{ProjectId: "p"}
	for range artificer.List(t.Context(), client.Batch().ListJobs, request, (*batchv1.ListJobsResponse).GetJobs) {
		break
	}
	if s.calls.Load() != 1 {
		t.Errorf("%d pages were asked for", s.calls.Load())
	}
}

func TestListEndsWithAnError(t *testing.T) {
	s := (&server{listJobs: pages}).start(t)
	client := dial(t, s.target, artificer.WithPlaintext())
	var ends []codes.Code
	request := &batchv1.ListJobsRequest{ProjectId: "p", PageToken: "unknown"}
	for job, err := range artificer.List(t.Context(), client.Batch().ListJobs, request, (*batchv1.ListJobsResponse).GetJobs) {
		if job != nil {
			t.Errorf("job %v beside an error", job)
		}
		ends = append(ends, status.Code(err))
	}
	if !slices.Equal(ends, []codes.Code{codes.InvalidArgument}) {
		t.Errorf("the list ended with %v", ends)
	}
}

func TestListEndsWhenAPageNamesItself(t *testing.T) {
	s := (&server{listJobs: func(context.Context, *batchv1.ListJobsRequest) (*batchv1.ListJobsResponse, error) {
		return &batchv1.ListJobsResponse{Jobs: []*batchv1.Job{{Id: "1"}}, NextPageToken: "again"}, nil
	}}).start(t)
	client := dial(t, s.target, artificer.WithPlaintext())
	var ends []codes.Code
	for _, err := range artificer.List(t.Context(), client.Batch().ListJobs, nil, (*batchv1.ListJobsResponse).GetJobs) {
		ends = append(ends, status.Code(err))
	}
	if !slices.Equal(ends, []codes.Code{codes.OK, codes.OK, codes.Internal}) {
		t.Errorf("the list yielded %v", ends)
	}
}
