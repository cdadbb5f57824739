package identity

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"time"
)

const (
	// retryFirst and retryMost bound the pause after a renewal that went wrong.
	retryFirst = time.Second
	retryMost  = 5 * time.Minute
	// nap bounds a single sleep: timers stand still while a machine is
	// suspended, and its clock may be set.
	nap = time.Minute
)

// Rotate keeps a holder's certificate fresh until ctx ends: after two thirds of
// its life it asks renew for another, and again and again if that fails. It logs
// renewals and failures, and returns nil.
func Rotate(ctx context.Context, h *Holder, log *slog.Logger, renew func(context.Context) (*tls.Certificate, error)) error {
	pause := retryFirst
	for wait := time.Until(due(h.Current().Leaf)); sleep(ctx, wait); {
		cert, err := renew(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			left := time.Until(h.Current().Leaf.NotAfter)
			wait, pause = pause, min(2*pause, retryMost, max(retryFirst, left/8))
			log.Warn("renew certificate", "error", err, "expires", h.Current().Leaf.NotAfter, "again", wait)
		default:
			h.Replace(cert)
			wait, pause = max(time.Until(due(cert.Leaf)), retryFirst), retryFirst
			log.Info("renewed certificate", "expires", cert.Leaf.NotAfter)
		}
	}
	return nil
}

// due is when a certificate is to be renewed: after two thirds of its life,
// which began when it was issued and not when it was backdated to.
func due(cert *x509.Certificate) time.Time {
	issued := cert.NotBefore.Add(backdate)
	return issued.Add(cert.NotAfter.Sub(issued) * 2 / 3)
}

// sleep reports whether the time passed, by the wall clock, before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	for end := time.Now().Add(d).Round(0); ; {
		left := end.Sub(time.Now().Round(0))
		if left <= 0 {
			return ctx.Err() == nil
		}
		timer := time.NewTimer(min(left, nap))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return false
		}
	}
}
