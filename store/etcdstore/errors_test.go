package etcdstore

import (
	"context"
	"errors"
	"testing"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"weft/store"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		ctx  context.Context
		err  error
		want error
	}{
		{ended, rpctypes.ErrGRPCNoLeader, context.Canceled},
		{t.Context(), rpctypes.ErrGRPCNoLeader, store.ErrUnavailable},
		{t.Context(), rpctypes.ErrNoLeader, store.ErrUnavailable},
		{t.Context(), rpctypes.ErrLeaderChanged, store.ErrUnavailable},
		{t.Context(), rpctypes.ErrTimeout, store.ErrUnavailable},
		{t.Context(), rpctypes.ErrGRPCStopped, store.ErrUnavailable},
		{t.Context(), rpctypes.ErrNoSpace, store.ErrUnavailable},
		{t.Context(), context.DeadlineExceeded, store.ErrUnavailable},
		{t.Context(), status.Error(codes.Unavailable, "connection refused"), store.ErrUnavailable},
		{t.Context(), rpctypes.ErrCompacted, errCompacted},
		{t.Context(), rpctypes.ErrGRPCCompacted, errCompacted},
		{t.Context(), rpctypes.ErrPermissionDenied, rpctypes.ErrPermissionDenied},
		{t.Context(), rpctypes.ErrRequestTooLarge, rpctypes.ErrRequestTooLarge},
	} {
		got := classify(tt.ctx, tt.err)
		if !errors.Is(got, tt.want) {
			t.Errorf("%v: got %v, want %v", tt.err, got, tt.want)
		}
		if tt.want != store.ErrUnavailable && errors.Is(got, store.ErrUnavailable) {
			t.Errorf("%v: trying again would not help, but got %v", tt.err, got)
		}
	}
}
