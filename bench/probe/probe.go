// Package probe measures the way between two places in a network: throughput of TCP
// streams, packets per second of UDP, and transactions.
//
// A [Server] answers where packets arrive, a [Session] asks where they leave; they
// speak over a TCP connection of their own (protocol.go). Both may be in one process,
// in different network namespaces, or on two hosts. Only the figures cross that
// connection while nothing is measured.
//
// What decides the figures besides the network is kept out of them: each side stays on
// the CPU that it is told, data moves by plain system calls on threads of their own,
// not through Go's poller, and the congestion control is asked for by name.
//
// Nothing in here knows of Weft: it measures any way.
package probe

import (
	"net/netip"
	"time"
)

// Place is where a side of a measurement works.
type Place struct {
	// Namespace is the path of the network namespace; "" is the caller's own.
	Namespace string
	// CPU is the one that all the side's work stays on; negative: any.
	CPU int
}

// DefaultPort is the servers' TCP port for sessions. Data has ports of its own, which
// the kernel chooses.
const DefaultPort = 7717

// Options of a session. The zero value of each but Server means the default.
type Options struct {
	// Server is where the other side answers. Required.
	Server netip.AddrPort
	// Span is how long each measurement sends [1 s]. At most MaxSpan.
	Span time.Duration
	// Congestion is the congestion control of TCP streams, both sides' [cubic].
	// BBR, the default on some machines, paces; cubic sends what it can.
	Congestion string
	// Loss is the share of UDP packets that may get lost at the rate that counts
	// [0.01].
	Loss float64
}

// MaxSpan is the longest measurement that a server takes part in.
const MaxSpan = time.Minute

func (o Options) withDefaults() Options {
	if o.Span == 0 {
		o.Span = time.Second
	}
	if o.Congestion == "" {
		o.Congestion = DefaultCongestion
	}
	if o.Loss == 0 {
		o.Loss = 0.01
	}
	return o
}

// DefaultCongestion is what TCP streams use unless they are told otherwise.
const DefaultCongestion = "cubic"

// Throughput is what TCP streams carried.
type Throughput struct {
	// Bytes that arrived, in Took, by the receiver's clock.
	Bytes int64
	Took  time.Duration
	// CPU is the time that the CPUs of both hosts were busy meanwhile, with
	// whatever, in seconds of one CPU. Clock is how long the sender sent.
	CPU, Clock time.Duration
}

// BitsPerSecond is the throughput.
func (t Throughput) BitsPerSecond() float64 { return float64(t.Bytes) * 8 / t.Took.Seconds() }

// CPUPerGB is the CPU seconds per 10⁹ bytes.
func (t Throughput) CPUPerGB() float64 { return t.CPU.Seconds() / float64(t.Bytes) * 1e9 }

// Packets is what UDP packets did at one rate.
type Packets struct {
	// Sent and Received are how many; Took is from the first that arrived to the
	// last, by the receiver's clock.
	Sent, Received int64
	Took           time.Duration
	// CPU and Clock are as those of Throughput.
	CPU, Clock time.Duration
}

// PerSecond is the rate at which they arrived, and no more than that at which they were
// sent: a receiver that came late reads what was waiting in no time.
func (p Packets) PerSecond() float64 {
	took := max(p.Took, p.Clock)
	if took <= 0 {
		return 0
	}
	return float64(p.Received) / took.Seconds()
}

// Lost is the share that did not arrive.
func (p Packets) Lost() float64 {
	if p.Sent == 0 {
		return 0
	}
	return 1 - float64(p.Received)/float64(p.Sent)
}

// CPUPerPacket is the CPU time per packet that arrived.
func (p Packets) CPUPerPacket() time.Duration {
	if p.Received == 0 {
		return 0
	}
	return p.CPU / time.Duration(p.Received)
}

// Transactions are requests of one byte, each sent when the last was answered.
type Transactions struct {
	// Trips are the times from request to answer, ascending.
	Trips []time.Duration
	Took  time.Duration
}

// PerSecond is how many there were in a second.
func (t Transactions) PerSecond() float64 { return float64(len(t.Trips)) / t.Took.Seconds() }

// Percentile is the time in which that share of the requests was answered: 0.5 is the
// median. It is 0 when there were none.
func (t Transactions) Percentile(share float64) time.Duration {
	if len(t.Trips) == 0 {
		return 0
	}
	return t.Trips[min(int(share*float64(len(t.Trips))), len(t.Trips)-1)]
}
