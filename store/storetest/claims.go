package storetest

import (
	"testing"

	"weft/overlay"
	"weft/store"
)

var claims = []check{
	{"Claimed", claimed},
	{"ClaimFreedByDelete", freedByDelete},
	{"ClaimFreedByUpdate", freedByUpdate},
	{"ClaimsSwapped", swapped},
	{"ClaimsPerNetwork", perNetwork},
	{"ClaimedNotWritten", claimedNotWritten},
}

func claimed(t *testing.T, s store.Store) {
	two(t, s)
	create(t, s, endpoint("blue", "x", "a", 10), endpoint("blue", "y", "b", 11))
	thief := endpoint("blue", "z", "b", 12)
	thief.Spec.Addresses[0] = address(10)
	want := store.ClaimedError{Claim: addressClaim("blue", 10), Holder: endpoint("blue", "x", "a", 0).Key(), Key: thief.Key()}
	if got := refused[*store.ClaimedError](t, s, store.Change{Put: thief, Expect: store.Absent}); *got != want {
		t.Errorf("create: got %+v, want %+v", *got, want)
	}
	if got := refused[*store.ClaimedError](t, s, store.Change{Put: thief, Expect: store.Any}); *got != want {
		t.Errorf("write: got %+v, want %+v", *got, want)
	}
	// Nor by changing what exists.
	thief = endpoint("blue", "y", "b", 11)
	thief.Spec.Addresses[0] = address(10)
	want.Key = thief.Key()
	if got := refused[*store.ClaimedError](t, s, store.Change{Put: thief, Expect: store.Any}); *got != want {
		t.Errorf("update: got %+v, want %+v", *got, want)
	}
	if got := refused[*store.ClaimedError](t, s, store.Change{Put: network("red", 4097), Expect: store.Absent}); got.Claim != "vni/4097" {
		t.Errorf("a second network with VNI 4097: got %+v", *got)
	}
}

func freedByDelete(t *testing.T, s store.Store) {
	two(t, s)
	x := create(t, s, endpoint("blue", "x", "a", 10))[0]
	remove(t, s, x.Key())
	create(t, s, endpoint("blue", "y", "b", 10))
}

func freedByUpdate(t *testing.T, s store.Store) {
	two(t, s)
	x := create(t, s, endpoint("blue", "x", "a", 10))[0]
	x.Spec.Addresses[0], x.Spec.MAC[5] = address(11), 11
	write(t, s, x, x.Revision)
	create(t, s, endpoint("blue", "y", "b", 10))
	refused[*store.ClaimedError](t, s, store.Change{Put: endpoint("blue", "z", "b", 11), Expect: store.Absent})
}

// swapped: two endpoints change addresses by way of a third one, again and again.
func swapped(t *testing.T, s store.Store) {
	two(t, s)
	x := create(t, s, endpoint("blue", "x", "a", 10))[0]
	y := create(t, s, endpoint("blue", "y", "b", 11))[0]
	move := func(e *overlay.Endpoint, n byte) *overlay.Endpoint {
		t.Helper()
		e.Spec.Addresses[0] = address(n)
		return write(t, s, e, e.Revision)
	}
	for range 2 {
		x = move(x, 12)
		y = move(y, 10)
		x = move(x, 11)
		for n, holder := range map[byte]*overlay.Endpoint{10: y, 11: x} {
			z := endpoint("blue", "z", "a", 13)
			z.Spec.Addresses[0] = address(n)
			if got := refused[*store.ClaimedError](t, s, store.Change{Put: z, Expect: store.Any}); got.Holder != holder.Key() {
				t.Errorf("%s is held by %s, want %s", got.Claim, got.Holder, holder.Key())
			}
		}
		x = move(x, 12)
		y = move(y, 11)
		x = move(x, 10)
	}
}

func perNetwork(t *testing.T, s store.Store) {
	two(t, s)
	create(t, s, network("red", 4098))
	create(t, s, endpoint("blue", "x", "a", 10), endpoint("red", "x", "a", 10))
}

// claimedNotWritten: a refused write leaves none of its claims behind.
func claimedNotWritten(t *testing.T, s store.Store) {
	two(t, s)
	create(t, s, endpoint("blue", "x", "a", 10))
	thief := endpoint("blue", "y", "b", 20)
	thief.Spec.Addresses[0] = address(10)
	refused[*store.ClaimedError](t, s, store.Change{Put: thief, Expect: store.Absent})
	create(t, s, endpoint("blue", "z", "b", 20))
}
