package ebpf

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"
	"golang.org/x/sync/errgroup"

	"weft/dataplane/kernel"
)

// Run implements kernel.Programs.
func (p *Programs) Run(ctx context.Context, heard kernel.Heard) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return p.hear(ctx, heard.Sighted) })
	g.Go(func() error { p.age(ctx, heard.Sighted); return nil })
	g.Go(func() error { return p.watchDrops(ctx, heard.Dropped) })
	return g.Wait()
}

// follow calls f with what programs put into a ring buffer, until ctx ends.
func follow[T any](ctx context.Context, ring *ebpf.Map, f func(T)) error {
	wrong := func(err error) error { return fmt.Errorf("read map %s: %w", ring.String(), err) }
	r, err := ringbuf.NewReader(ring)
	if err != nil {
		return wrong(err)
	}
	stop := context.AfterFunc(ctx, func() { _ = r.Close() }) // it ends the read below
	defer func() {
		if stop() {
			_ = r.Close() // what is left in it the next reader gets
		}
	}()
	for {
		record, err := r.Read()
		if errors.Is(err, ringbuf.ErrClosed) {
			return nil
		}
		if err != nil {
			return wrong(err)
		}
		var t T
		if err := binary.Read(bytes.NewReader(record.RawSample), binary.NativeEndian, &t); err != nil {
			return wrong(err)
		}
		f(t)
	}
}
