package etcdstore

import (
	"context"
	"log/slog"
	"strings"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// zapLogger is what etcd logs to: log, or nothing if that is nil.
func zapLogger(log *slog.Logger) *zap.Logger {
	if log == nil {
		return zap.NewNop()
	}
	return zap.New(bridge{handler: log.Handler()})
}

// bridge gives what etcd logs with zap to a slog handler. What etcd calls
// information are details to us. Its own details stay away: they have every write
// in full, secrets included.
type bridge struct{ handler slog.Handler }

func level(l zapcore.Level) slog.Level {
	switch {
	case l >= zapcore.ErrorLevel:
		return slog.LevelError
	case l == zapcore.WarnLevel:
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

// levelOf is the level of a message. Some that etcd warns of in the life of a store
// that is alone are nothing to act on.
func levelOf(e zapcore.Entry) slog.Level {
	for _, harmless := range []string{
		"Running http and grpc server on single port", // nothing listens
		// In the first moments of a new store, and done again when it is time:
		"Failed to detect schema version", "failed to update storage version",
		"cannot campaign at term",
	} {
		if strings.Contains(e.Message, harmless) {
			return slog.LevelDebug
		}
	}
	return level(e.Level)
}

// Enabled implements [zapcore.Core].
func (b bridge) Enabled(l zapcore.Level) bool {
	return l > zapcore.DebugLevel && b.handler.Enabled(context.Background(), level(l))
}

// With implements [zapcore.Core].
func (b bridge) With(fields []zapcore.Field) zapcore.Core {
	return bridge{handler: b.handler.WithAttrs(attrs(fields))}
}

// Check implements [zapcore.Core].
func (b bridge) Check(e zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if b.Enabled(e.Level) && b.handler.Enabled(context.Background(), levelOf(e)) {
		return checked.AddCore(e, b)
	}
	return checked
}

// Write implements [zapcore.Core].
func (b bridge) Write(e zapcore.Entry, fields []zapcore.Field) error {
	r := slog.NewRecord(e.Time, levelOf(e), "etcd: "+e.Message, 0)
	r.AddAttrs(attrs(fields)...)
	return b.handler.Handle(context.Background(), r)
}

// Sync implements [zapcore.Core].
func (bridge) Sync() error { return nil }

func attrs(fields []zapcore.Field) []slog.Attr {
	m := zapcore.NewMapObjectEncoder()
	list := make([]slog.Attr, 0, len(fields))
	for _, f := range fields {
		f.AddTo(m)
		if v, ok := m.Fields[f.Key]; ok {
			list = append(list, slog.Any(f.Key, v))
		}
	}
	return list
}
