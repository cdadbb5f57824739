package testenv

import (
	"testing"
	"time"
)

// pollInterval is how often [Eventually] asks. Conditions may start processes,
// so it is not smaller.
const pollInterval = 10 * time.Millisecond

// Eventually waits until cond returns nil, and fails the test with cond's last
// error if that takes longer than deadline. what says what is waited for: "node
// b learns a's MAC". In a synctest bubble it waits by the bubble's clock.
func Eventually(t testing.TB, deadline time.Duration, cond func() error, what string) {
	t.Helper()
	if err := poll(deadline, cond); err != nil {
		t.Fatalf("%s: not within %v: %v", what, deadline, err)
	}
}

// poll returns cond's last error, or nil as soon as it returns nil. The
// condition is asked once more at the end, however slow the machine is.
func poll(deadline time.Duration, cond func() error) error {
	for start := time.Now(); ; time.Sleep(pollInterval) {
		late := time.Since(start) >= deadline
		if err := cond(); err == nil || late {
			return err
		}
	}
}
