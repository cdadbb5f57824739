package identity

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// rotation runs Rotate on a one-minute certificate for a while, and returns when
// renew was called, in seconds, and the holder.
func rotation(t *testing.T, run time.Duration, renew func(n int, ca *CA) (*tls.Certificate, error)) ([]int, *Holder) {
	ca := newCA(t)
	ca.Lifetime = time.Minute
	cert, err := ca.ServerCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	h, start := NewHolder(cert), time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), run)
	defer cancel()
	var calls []int
	err = Rotate(ctx, h, slog.New(slog.DiscardHandler), func(context.Context) (*tls.Certificate, error) {
		calls = append(calls, int(time.Since(start).Seconds()))
		return renew(len(calls), ca)
	})
	if err != nil {
		t.Errorf("Rotate: %v", err)
	}
	return calls, h
}

func TestRotateAtTwoThirds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls, h := rotation(t, 3*time.Minute, func(_ int, ca *CA) (*tls.Certificate, error) { return ca.ServerCertificate(nil) })
		if want := []int{40, 80, 120, 160}; !slices.Equal(calls, want) {
			t.Errorf("renewed at %v s, want %v", calls, want)
		}
		if left := time.Until(h.Current().Leaf.NotAfter); left != 40*time.Second {
			t.Errorf("%v left, want 40s", left)
		}
	})
}

// A failed renewal is tried again soon, and more slowly each time, but still
// before the end.
func TestRotateRetries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls, _ := rotation(t, 100*time.Second, func(n int, ca *CA) (*tls.Certificate, error) {
			if n <= 4 {
				return nil, errors.New("no server")
			}
			return ca.ServerCertificate(nil)
		})
		if want := []int{40, 41, 43, 45, 47, 87}; !slices.Equal(calls, want) {
			t.Errorf("tried at %v s, want %v", calls, want)
		}
	})
}

// A server whose clock is so far behind that what it issues is due already must
// not be asked all the time.
func TestRotateIsPaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls, _ := rotation(t, 70*time.Second, func(_ int, ca *CA) (*tls.Certificate, error) {
			ca.Now = func() time.Time { return time.Now().Add(-time.Hour) }
			return ca.ServerCertificate(nil)
		})
		if len(calls) > 31 {
			t.Errorf("%d renewals in 30 s", len(calls))
		}
	})
}
