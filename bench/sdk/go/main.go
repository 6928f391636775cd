// Command go-bench calls the benchmark's server in one way and prints what it took as JSON.
//
// go-bench WAY TARGET WORK COUNT; WAY is grpc-go or sdk, WORK is unary or stream.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"os"
	"strconv"
	"syscall"
	"time"

	artificer "artificer.dev/go"
	batchv1 "artificer.dev/go/gen/artificer/batch/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

const warmCalls = 300

func main() {
	way, target, work := os.Args[1], os.Args[2], os.Args[3]
	count, err := strconv.Atoi(os.Args[4])
	check(err)
	batch := dial(way, target)
	ctx := context.Background()
	warm := 1
	if work == "unary" {
		warm = warmCalls
	}
	unary(ctx, batch, warm)
	began, cpu := time.Now(), cpuSeconds()
	if work == "unary" {
		unary(ctx, batch, count)
	} else {
		stream(ctx, batch, count)
	}
	check(json.NewEncoder(os.Stdout).Encode(map[string]float64{
		"seconds": time.Since(began).Seconds(), "cpu": cpuSeconds() - cpu, "peak": float64(usage().Maxrss) / 1024,
	}))
}

func dial(way, target string) batchv1.BatchServiceClient {
	if way == "sdk" {
		client, err := artificer.Dial(context.Background(), target, artificer.WithPlaintext())
		check(err)
		return client.Batch()
	}
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	check(err)
	return batchv1.NewBatchServiceClient(conn)
}

// unary gives every call a deadline, as the client of the module does by itself.
func unary(ctx context.Context, batch batchv1.BatchServiceClient, count int) {
	for range count {
		limited, cancel := context.WithTimeout(ctx, time.Minute)
		_, err := batch.GetJob(limited, &batchv1.GetJobRequest{JobId: "nightly"})
		cancel()
		check(err)
	}
}

func stream(ctx context.Context, batch batchv1.BatchServiceClient, count int) {
	stream, err := batch.StreamProgress(ctx, &batchv1.StreamProgressRequest{JobId: strconv.Itoa(count)})
	check(err)
	for seen := 0; ; seen++ {
		_, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			if seen != count {
				log.Fatalf("%d messages came, not %d", seen, count)
			}
			return
		}
		check(err)
	}
}

func usage() syscall.Rusage {
	var used syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return used
}

func cpuSeconds() float64 {
	used := usage()
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()).Seconds()
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
