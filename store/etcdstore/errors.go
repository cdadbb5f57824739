package etcdstore

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"weft/store"
)

var (
	errClosed = fmt.Errorf("%w: it was closed", store.ErrUnavailable)
	// errCompacted: etcd no longer has the revision.
	errCompacted = errors.New("the revision was compacted")
)

// classify makes an error of etcd one of the store's: the context's own if it
// ended, errCompacted, ErrUnavailable if trying again may help. Others stay.
func classify(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(rpctypes.Error(err), rpctypes.ErrCompacted):
		return errCompacted
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		// Not ctx's: a request's timeout, or etcd's end.
		return fmt.Errorf("%w: etcd: %w", store.ErrUnavailable, err)
	}
	switch code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.ResourceExhausted:
		return fmt.Errorf("%w: etcd: %w", store.ErrUnavailable, err)
	}
	return fmt.Errorf("etcd: %w", err)
}

// code is the gRPC code of an error of etcd's client (an EtcdError) or of gRPC.
func code(err error) codes.Code {
	if e, ok := errors.AsType[rpctypes.EtcdError](err); ok {
		return e.Code()
	}
	return status.Code(err)
}
