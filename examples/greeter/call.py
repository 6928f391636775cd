import grpc
from greeter.v1 import greeter_pb2, greeter_pb2_grpc

with grpc.insecure_channel("127.0.0.1:50051") as channel:
    stub = greeter_pb2_grpc.GreeterServiceStub(channel)
    print(stub.Greet(greeter_pb2.GreetRequest(name="Ada")).text)
    for response in stub.Repeat(greeter_pb2.RepeatRequest(name="Ada", count=2)):
        print(response.text)
