import grpc
from greeter.v1 import greeter_pb2, greeter_pb2_grpc

from diptych import Gateway, Settings


class Greeter(greeter_pb2_grpc.GreeterServiceServicer):
    async def Greet(self, request, context):
        if request.name == "unknown":
            await context.abort(grpc.StatusCode.NOT_FOUND, "no user has this name")
        return greeter_pb2.GreetResponse(text=f"{request.salutation or 'Hello'}, {request.name}!")

    async def Repeat(self, request, context):
        for number in range(1, request.count + 1):
            yield greeter_pb2.RepeatResponse(text=f"Hello, {request.name}! ({number})")


def create(settings: Settings) -> Gateway:
    gateway = Gateway(settings)
    greeter_pb2_grpc.add_GreeterServiceServicer_to_server(Greeter(), gateway)
    return gateway
