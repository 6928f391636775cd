// Writes the descriptors of the services that gRPC's interop client calls, as a serialized FileDescriptorSet. The module has
// no .proto files, only this generated code.
package main

import (
	"log"
	"os"

	testing "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

func main() {
	set := &descriptorpb.FileDescriptorSet{}
	for _, file := range []protoreflect.FileDescriptor{
		testing.File_grpc_testing_empty_proto,
		testing.File_grpc_testing_messages_proto,
		testing.File_grpc_testing_test_proto,
	} {
		set.File = append(set.File, protodesc.ToFileDescriptorProto(file))
	}
	written, err := proto.Marshal(set)
	if err != nil {
		log.Fatal(err)
	}
	os.Stdout.Write(written)
}
