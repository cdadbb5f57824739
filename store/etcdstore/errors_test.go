package etcdstore

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.uber.org/zap"
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

func TestLog(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	handler := slog.NewTextHandler(&text, &slog.HandlerOptions{
		Level: slog.LevelInfo,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	})
	log := zapLogger(slog.New(handler)).With(zap.String("member", "weft"))
	log.Info("what etcd calls information")
	log.Warn("slow", zap.Int("took", 3))
	log.Error("broken", zap.Error(errors.New("no disk")), zap.Strings("paths", []string{"a", "b"}))
	want := `level=WARN msg="etcd: slow" member=weft took=3
level=ERROR msg="etcd: broken" member=weft error="no disk" paths="[a b]"
`
	if got := text.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if zapLogger(nil).Core().Enabled(zap.ErrorLevel) {
		t.Error("no logger, but it would log")
	}
}
