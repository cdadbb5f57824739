package etcdstore

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"go.uber.org/zap"
)

func TestLog(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	handler := slog.NewTextHandler(&text, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	})
	log := zapLogger(slog.New(handler)).With(zap.String("member", "weft"))
	log.Debug("the whole write", zap.String("value", "secret"))
	log.Info("started")
	log.Error("failed to update storage version")
	log.Warn("slow", zap.Int("took", 3))
	log.Error("broken", zap.Error(errors.New("no disk")), zap.Strings("paths", []string{"a", "b"}))
	want := `level=DEBUG msg="etcd: started" member=weft
level=DEBUG msg="etcd: failed to update storage version" member=weft
level=WARN msg="etcd: slow" member=weft took=3
level=ERROR msg="etcd: broken" member=weft error="no disk" paths="[a b]"
`
	if got := text.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if zapLogger(nil).Core().Enabled(zap.ErrorLevel) {
		t.Error("no logger, but it would log")
	}
}
