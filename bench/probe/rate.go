package probe

import "fmt"

// trials bounds the search for a rate; it ends sooner when it knows the rate to
// precision. While every rate loses too much, the next is retreat times the last; from one
// that does not it goes up by firstStep, and by twice as much each time.
const (
	trials    = 12
	precision = 0.04
	retreat   = 0.7
	firstStep = 0.1
)

// search finds the highest rate at which no more than a share of the packets gets
// lost. trial sends at a rate in packets per second, or as fast as it can for 0.
//
// Most ways push back: the sender does all the work up to the receiver's socket
// itself, and loses nothing at full speed. For the others, the rate that arrived then
// is the first guess.
func search(loss float64, trial func(rate float64) (Packets, error)) (Packets, error) {
	p, err := trial(0)
	if err != nil || p.Lost() <= loss && p.Received > 0 {
		return p, err
	}
	low, high, step := 0.0, p.offered(), firstStep
	guess := p.PerSecond()
	if guess <= 0 || guess >= high {
		guess = high * retreat
	}
	var best Packets
	for range trials {
		if p, err = trial(guess); err != nil {
			return p, err
		}
		if p.Lost() <= loss && p.Received > 0 {
			low, best = guess, p
		} else {
			high = guess
		}
		if high-low <= precision*high {
			break
		}
		switch up := low * (1 + step); {
		case low == 0:
			guess = high * retreat
		case up < high: // the first guess is near, what was sent at full speed may be far off
			guess, step = up, 2*step
		default:
			guess = (low + high) / 2
		}
	}
	if low == 0 {
		return best, fmt.Errorf("send UDP: more than %g %% get lost even at %.0f packets/s", 100*loss, high)
	}
	return best, nil
}

// offered is the rate at which they were sent.
func (p Packets) offered() float64 {
	if p.Clock <= 0 {
		return 0
	}
	return float64(p.Sent) / p.Clock.Seconds()
}
