// Package greeter is the service of the examples. A real one is generated from a file of protocol buffers; this one is
// written by hand, so that it needs no protoc.
package greeter

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Server is what a server implements.
type Server interface {
	Greet(ctx context.Context, name *wrapperspb.StringValue) (*wrapperspb.StringValue, error)
}

const greet = "/lipc.examples.Greeter/Greet"

// Register registers the service with a gRPC server.
func Register(registrar grpc.ServiceRegistrar, server Server) {
	registrar.RegisterService(&grpc.ServiceDesc{
		ServiceName: "lipc.examples.Greeter",
		HandlerType: (*Server)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "Greet", Handler: handle}},
	}, server)
}

func handle(server any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor) (
	any, error) {
	name := new(wrapperspb.StringValue)
	if err := decode(name); err != nil {
		return nil, err
	}
	call := func(ctx context.Context, name any) (any, error) {
		return server.(Server).Greet(ctx, name.(*wrapperspb.StringValue))
	}
	if intercept == nil {
		return call(ctx, name)
	}
	return intercept(ctx, name, &grpc.UnaryServerInfo{Server: server, FullMethod: greet}, call)
}

// Greet calls a server.
func Greet(ctx context.Context, conn grpc.ClientConnInterface, name string, opts ...grpc.CallOption) (string, error) {
	greeting := new(wrapperspb.StringValue)
	err := conn.Invoke(ctx, greet, wrapperspb.String(name), greeting, opts...)
	return greeting.GetValue(), err
}
