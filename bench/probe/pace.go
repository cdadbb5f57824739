package probe

import "time"

// pacer spreads packets over time.
type pacer struct {
	rate float64 // packets per second; 0: no bound
	most int     // packets at once
}

// newPacer keeps what goes at once below a tenth of a millisecond's worth: a burst
// that no buffer on the way could hold would be lost at any rate.
func newPacer(rate float64) pacer {
	const burst = 100 * time.Microsecond
	if rate == 0 {
		return pacer{most: batch}
	}
	return pacer{rate, max(1, min(batch, int(rate*burst.Seconds())))}
}

// due is how many packets are to go now.
func (p pacer) due(since time.Duration, sent int64) int {
	if p.rate == 0 {
		return p.most
	}
	return max(0, min(p.most, int(p.rate*since.Seconds())-int(sent)))
}
