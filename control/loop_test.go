package control

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weft/dataplane"
	"weft/overlay"
	"weft/store"
)

func TestLoopFollowsTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := world(t)
		put(t, s, web("blue", "web", "a", 5))
		n := start(t, s, cachePath(t), nil)
		n.expect("full blue[web]")
		if got, want := n.gate.watched(), "[] []a [blue]"; got != want {
			t.Errorf("watches %s, want %s: networks without an endpoint here are nobody's business", got, want)
		}

		db := put(t, s, web("green", "db", "a", 6))
		n.expect("delta blue[web] green[db]")
		put(t, s, web("green", "far", "b", 7))
		n.expect("delta blue[web] green[db]")

		if _, _, err := s.Update(t.Context(), store.Change{Delete: db.Key(), Expect: store.Any}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := n.hands.did(); !strings.HasSuffix(got, "delta blue[web]") {
			t.Errorf("after the last endpoint in green: %q, want it gone", got)
		}
		if got, want := n.gate.watched(), "[] []a [blue]"; got != want {
			t.Errorf("watches %s, want %s", got, want)
		}
	})
}

func TestLoopEnsureAndDrop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := world(t)
		n := start(t, s, cachePath(t), nil)
		n.expect("full ")
		e := put(t, s, web("blue", "web", "a", 5))
		if err := n.Ensure(n.ctx, e); err != nil {
			t.Fatal(err)
		}
		if got := n.hands.did(); !strings.Contains(got, "blue[web]") {
			t.Errorf("Ensure returned before the port was made: %q", got)
		}
		_, revision, err := s.Update(t.Context(), store.Change{Delete: e.Key(), Expect: store.Any})
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Drop(n.ctx, e.Key(), revision.Number); err != nil {
			t.Fatal(err)
		}
		if got := n.hands.did(); !strings.HasSuffix(got, "delta ") {
			t.Errorf("Drop returned before the port was gone: %q", got)
		}
	})
}

// TestLoopNewNode: an attach that comes before the node's own record does is
// done when that is there.
func TestLoopNewNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := world(t)
		self, err := find[*overlay.Node](t, s, overlay.Key{Kind: overlay.KindNode, Name: "a"})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Update(t.Context(), store.Change{Delete: self.Key(), Expect: store.Any}); err != nil {
			t.Fatal(err)
		}
		n := start(t, s, cachePath(t), nil)
		put(t, s, self)
		e := put(t, s, web("blue", "web", "a", 5))
		if err := n.Ensure(n.ctx, e); err != nil {
			t.Fatal(err)
		}
		if got := n.hands.did(); !strings.Contains(got, "blue[web]") {
			t.Errorf("the plane did %q", got)
		}
	})
}

// TestLoopBegun: nobody is told what this node has before it knows.
func TestLoopBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := world(t)
		n := start(t, s, cachePath(t), func(o *Options) { o.Store.(*gate).cutOff(store.ErrUnavailable) })
		soon, cancel := context.WithTimeout(n.ctx, time.Minute)
		defer cancel()
		if err := n.Begun(soon); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("without a store: %v", err)
		}
		n.gate.restore()
		if err := n.Begun(n.ctx); err != nil {
			t.Error(err)
		}
	})
}

func TestLoopEnsureSaysWhyNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := world(t)
		n := start(t, s, cachePath(t), nil)
		n.expect("full ")
		n.hands.failWith(errors.New("make link: no memory"))
		e := put(t, s, web("blue", "web", "a", 5))
		if err := n.Ensure(n.ctx, e); err == nil || !strings.Contains(err.Error(), "no memory") {
			t.Errorf("Ensure: %v, want the plane's reason", err)
		}
	})
}

// broken is what a plane says of a network that it cannot make.
type broken overlay.NetworkName

func (b broken) Error() string { return "VNI taken" }

func (b broken) Concerns() (overlay.NetworkName, overlay.EndpointName) {
	return overlay.NetworkName(b), ""
}

// TestLoopKeepsFailuresApart: a network that cannot be made keeps none of the
// others from being changed, waited for, and reported as they are.
func TestLoopKeepsFailuresApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := world(t)
		put(t, s, web("green", "db", "a", 6))
		n := start(t, s, cachePath(t), nil)
		n.expect("full green[db]")
		n.hands.failWith(broken("green"))
		n.hands.events <- dataplane.Event{Kind: dataplane.EventChanged}
		pass(time.Minute)

		n.hands.did()
		if err := n.Ensure(n.ctx, put(t, s, web("blue", "web", "a", 5))); err != nil {
			t.Errorf("Ensure in a network that works: %v", err)
		}
		n.expect("failed")
		if err := n.Ensure(n.ctx, put(t, s, web("green", "more", "a", 7))); err == nil || err.Error() != "VNI taken" {
			t.Errorf("Ensure in the one that does not: %v", err)
		}
		status, err := n.Status(n.ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range status.Networks {
			if want := r.Network == "green"; (len(r.Differs) > 0) != want {
				t.Errorf("network %s differs: %q", r.Network, r.Differs)
			}
		}
	})
}

func TestLoopRetriesWholly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := world(t)
		n := start(t, s, cachePath(t), nil)
		n.expect("full ")
		n.hands.failWith(errors.New("busy"))
		put(t, s, web("blue", "web", "a", 5))
		synctest.Wait()
		n.hands.did()
		pass(time.Second)
		if got := n.hands.did(); strings.Count(got, "failed") < 2 {
			t.Errorf("in a second: %q, want it tried again", got)
		}
		n.hands.failWith(nil)
		pass(retryMost)
		n.expect("full blue[web]")
	})
}

func TestLoopRepairsAndAudits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, world(t), cachePath(t), nil)
		n.expect("full ")
		n.hands.events <- dataplane.Event{Kind: dataplane.EventChanged, What: "route deleted"}
		n.expect("full ")
		pass(time.Minute)
		n.expect("full ")
	})
}

// TestLoopWithoutStore: an agent that starts while no server answers goes on
// with what it last knew, and catches up when one does.
func TestLoopWithoutStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, cache := world(t), cachePath(t)
		put(t, s, web("blue", "web", "a", 5))
		first := start(t, s, cache, nil)
		first.expect("full blue[web]")
		first.stop()

		cut := func(o *Options) { o.Store.(*gate).cutOff(store.ErrUnavailable) }
		n := start(t, s, cache, cut)
		n.expect("")
		pass(3 * time.Second)
		n.expect("full blue[web]")

		put(t, s, web("blue", "db", "a", 6))
		n.gate.restore()
		pass(retryMost)
		n.expect("delta blue[db web]")
	})
}

// TestLoopStartsAtOnce: an agent that starts again does not wait for something to
// change in the store before it goes to work.
func TestLoopStartsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, cache := world(t), cachePath(t)
		put(t, s, web("blue", "web", "a", 5))
		for range 2 {
			n := start(t, s, cache, nil)
			n.expect("full blue[web]")
			n.stop()
		}
	})
}

// TestLoopEnsureEndsWithItsEndpoint: nobody waits for what was detached again.
func TestLoopEnsureEndsWithItsEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := world(t)
		n := start(t, s, cachePath(t), nil)
		n.expect("full ")
		n.gate.cutOff(store.ErrUnavailable)
		e := put(t, s, web("blue", "web", "a", 5))
		ensured := make(chan error, 1)
		go func() { ensured <- n.Ensure(n.ctx, e) }()
		synctest.Wait()
		if err := n.Drop(n.ctx, e.Key(), e.Revision+1); err != nil {
			t.Fatal(err)
		}
		if err := <-ensured; err == nil || !strings.Contains(err.Error(), "was detached again") {
			t.Errorf("Ensure: %v, want that it was detached", err)
		}
	})
}

// TestLoopForgetsWhatCameAndWent: what the agent took in ahead of its watch, and
// somebody else deleted before the watch went on, is gone.
func TestLoopForgetsWhatCameAndWent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := world(t)
		n := start(t, s, cachePath(t), nil)
		n.expect("full ")
		n.gate.cutOff(store.ErrUnavailable)
		e := put(t, s, web("blue", "web", "a", 5))
		ctx, cancel := context.WithCancel(n.ctx)
		go func() { synctest.Wait(); cancel() }()
		if err := n.Ensure(ctx, e); err == nil {
			t.Error("Ensure in a network that is not known yet: no error")
		}
		if _, _, err := s.Update(t.Context(), store.Change{Delete: e.Key(), Expect: store.Any}); err != nil {
			t.Fatal(err)
		}
		n.gate.restore()
		pass(2 * retryMost)
		endpoints, err := n.Endpoints(n.ctx, "")
		if err != nil || len(endpoints) > 0 {
			t.Errorf("endpoints %v, %v: want none", endpoints, err)
		}
	})
}

// A node that was removed keeps what it has, and says so once.
func TestLoopOfRemovedNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := world(t)
		put(t, s, web("blue", "web", "a", 2))
		var log strings.Builder
		n := start(t, s, cachePath(t), func(o *Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
		n.expect("full blue[web]")
		n.gate.cutOff(store.ErrRevoked)
		pass(30 * time.Second)
		n.expect("")
		status, err := n.Status(n.ctx)
		if err != nil || status.Connected || !strings.Contains(status.ConnectionError, "what this host forwards stays as it is") || len(status.Networks) != 1 {
			t.Errorf("%+v, %v", status, err)
		}
		if got := strings.Count(log.String(), "revoked"); got != 1 {
			t.Errorf("said %d times: %s", got, &log)
		}
		n.gate.restore()
		pass(time.Minute)
		if status, err = n.Status(n.ctx); err != nil || !status.Connected || status.ConnectionError != "" {
			t.Errorf("taken back: %+v, %v", status, err)
		}
	})
}

// TestLoopHearsThatTheStoreIsBack, also when nothing else happens there.
func TestLoopHearsThatTheStoreIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, world(t), cachePath(t), nil)
		connected := func() bool {
			status, err := n.Status(n.ctx)
			if err != nil {
				t.Fatal(err)
			}
			return status.Connected
		}
		pass(time.Second)
		n.gate.cutOff(store.ErrUnavailable)
		pass(time.Minute)
		if connected() {
			t.Error("connected to a store that is away")
		}
		n.gate.restore()
		pass(2 * retryMost)
		if !connected() {
			t.Error("not connected to a store that is back")
		}
	})
}

// TestLoopHolds: another store than before changes nothing here, until told to.
func TestLoopHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, cache := world(t), cachePath(t)
		put(t, s, web("blue", "web", "a", 5))
		first := start(t, s, cache, nil)
		first.expect("full blue[web]")
		first.stop()

		wiped := world(t)
		n := start(t, wiped, cache, nil)
		pass(10 * time.Second)
		n.expect("full blue[web]")
		status, err := n.Status(n.ctx)
		if err != nil || status.Hold == "" {
			t.Errorf("status %+v, %v: want to know that it is on hold", status, err)
		}
		n.stop()

		n = start(t, wiped, cache, func(o *Options) { o.AcceptStore = true })
		pass(10 * time.Second)
		n.expect("full ")
	})
}

func TestLoopReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := world(t)
		put(t, s, web("blue", "web", "a", 5))
		start(t, s, cachePath(t), func(o *Options) { o.Version = "v1" })
		pass(time.Second)
		report := func() overlay.NodeStatus {
			self, err := find[*overlay.Node](t, s, overlay.Key{Kind: overlay.KindNode, Name: "a"})
			if err != nil {
				t.Fatal(err)
			}
			return self.Status
		}
		st := report()
		if st.Version != "v1" || len(st.Networks) != 1 || st.Networks[0].Wanted != 1 || st.Networks[0].Plane != overlay.PlaneKernel {
			t.Errorf("status %+v", st)
		}
		if why := st.Networks[0].PlaneReason; why != "auto: the only plane here" {
			t.Errorf("why this plane: %q, want the node's reason", why)
		}
		since := st.Networks[0].Since
		pass(time.Minute)
		if st = report(); !st.Networks[0].Since.Equal(since) {
			t.Errorf("since %v became %v though nothing changed", since, st.Networks[0].Since)
		}
		if age := time.Since(st.Seen); age > 20*time.Second {
			t.Errorf("last seen %v ago; a heartbeat is due every 20s", age)
		}
	})
}
