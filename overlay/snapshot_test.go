package overlay

import (
	"reflect"
	"testing"
)

func TestSnapshot(t *testing.T) {
	t.Parallel()
	s, all := NewSnapshot(), full()
	for _, r := range all {
		s.Put(r)
	}
	if s.Nodes["a"] != all["node"] || s.Networks["green"] != all["network"] || s.Blocks["green"]["10-8-1-0-24"] != all["block"] ||
		s.Endpoints["green"]["web"] != all["endpoint"] || s.Endpoints["blue"]["station-020000000009"] != all["station"] ||
		s.Tunnels[""]["neta"] != all["tunnel"] || s.Tunnels["green"]["site"] != all["tunnel-gre"] {
		t.Errorf("something is not where it belongs: %+v", s)
	}
	s.Held["red"] = "why"
	s.Revision = Revision{"x", 7}
	kept, again := s.Clone(), s.Clone()
	if !reflect.DeepEqual(kept, s) {
		t.Errorf("Clone = %+v\n want %+v", kept, s)
	}
	for _, r := range all {
		s.Delete(r.Key())
		s.Delete(r.Key())
	}
	s.Delete(Key{Kind: KindBlock, Network: "nowhere", Name: "x"})
	delete(s.Held, "red")
	s.Revision = Revision{}
	if !reflect.DeepEqual(s, NewSnapshot()) {
		t.Errorf("left over: %+v", s)
	}
	if !reflect.DeepEqual(kept, again) {
		t.Error("the Clone changed with its original")
	}
}

func TestSnapshotReplaces(t *testing.T) {
	t.Parallel()
	s := NewSnapshot()
	first, second := endpoint(segment), endpoint(station)
	s.Put(first)
	s.Put(second)
	if got := s.Endpoints["blue"]; len(got) != 1 || got["web"] != second {
		t.Errorf("endpoints: %v", got)
	}
}
