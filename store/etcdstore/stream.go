package etcdstore

import (
	"context"
	"math"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
)

// A streamer runs one etcd watch. It calls handle with every response, in order,
// until that returns an error, which it returns, or the watch breaks.
type streamer func(ctx context.Context, req *pb.WatchCreateRequest, handle func(*pb.WatchResponse) error) error

func create(req *pb.WatchCreateRequest) *pb.WatchRequest {
	return &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: req}}
}

// connected watches through a client's connection. A member that has lost its
// leader ends the watch instead of falling behind.
func connected(c *clientv3.Client) streamer {
	client := pb.NewWatchClient(c.ActiveConnection())
	return func(ctx context.Context, req *pb.WatchCreateRequest, handle func(*pb.WatchResponse) error) error {
		ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
		defer cancel()
		// Many changes at once are more than gRPC takes by default, 4 MiB.
		stream, err := client.Watch(ctx, grpc.MaxCallRecvMsgSize(math.MaxInt32))
		if err != nil {
			return err
		}
		// When Send fails, the reason comes from Recv (grpc.ClientStream).
		_ = stream.Send(create(req))
		for {
			resp, err := stream.Recv()
			if err != nil {
				return err
			}
			if err := handle(resp); err != nil {
				return err
			}
		}
	}
}

// local watches a server in this process, without a connection. It returns when
// the server is done with it, so that the server can be stopped then.
func local(server pb.WatchServer) streamer {
	return func(ctx context.Context, req *pb.WatchCreateRequest, handle func(*pb.WatchResponse) error) error {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		requests := make(chan *pb.WatchRequest, 1)
		requests <- create(req)
		err := server.Watch(&localStream{ctx: ctx, requests: requests, handle: handle, cancel: cancel})
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return err
	}
}

// localStream is the server's end of a watch whose other end is a function.
type localStream struct {
	grpc.ServerStream
	ctx      context.Context
	requests <-chan *pb.WatchRequest
	handle   func(*pb.WatchResponse) error
	cancel   context.CancelCauseFunc
}

// Context implements [grpc.ServerStream].
func (s *localStream) Context() context.Context { return s.ctx }

// Recv gives the server its one request, and then keeps it waiting.
func (s *localStream) Recv() (*pb.WatchRequest, error) {
	select {
	case req := <-s.requests:
		return req, nil
	case <-s.ctx.Done():
		return nil, s.ctx.Err()
	}
}

// Send takes a response. The server calls it from one goroutine.
func (s *localStream) Send(resp *pb.WatchResponse) error {
	err := s.handle(resp)
	if err != nil {
		s.cancel(err)
	}
	return err
}
