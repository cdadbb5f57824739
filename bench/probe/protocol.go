package probe

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"time"
)

// What the sides say to each other over a session's connection, as JSON:
//
//	client                          server
//	request: what will come
//	                                answer: the port to send it to
//	(sends)                         (receives)
//	request: measure "end"
//	                                answer: what came
//
// and again, until the client closes the connection. An answer with an error ends
// the measurement, not the session.

const (
	measureStreams      = "streams"
	measurePackets      = "packets"
	measureTransactions = "transactions"
	measureEnd          = "end"
)

type request struct {
	Measure string `json:"measure"`
	// Streams and Congestion are of measureStreams.
	Streams    int    `json:"streams,omitempty"`
	Congestion string `json:"congestion,omitempty"`
	// Size and Mark are of measurePackets: the payload, and what it begins with,
	// so that stragglers of an earlier measurement do not count.
	Size int    `json:"size,omitempty"`
	Mark uint32 `json:"mark,omitempty"`
}

type answer struct {
	Error string `json:"error,omitempty"`
	Port  uint16 `json:"port,omitempty"`
	// Count is the bytes or packets that came.
	Count int64         `json:"count,omitempty"`
	Took  time.Duration `json:"took,omitempty"`
	// CPU is how long the server's CPUs were busy, and Boot tells its host.
	CPU  time.Duration `json:"cpu,omitempty"`
	Boot string        `json:"boot,omitempty"`
}

// MaxStreams is how many TCP streams a measurement may have.
const MaxStreams = 64

// The sizes of UDP payloads that can be asked for, in bytes.
const (
	MinPacket = 8
	MaxPacket = 65507
)

// check refuses what a server would not do.
func (r request) check() error {
	switch r.Measure {
	case measureStreams:
		if r.Streams < 1 || r.Streams > MaxStreams {
			return fmt.Errorf("%d streams: want 1 to %d", r.Streams, MaxStreams)
		}
	case measurePackets:
		if r.Size < MinPacket || r.Size > MaxPacket {
			return fmt.Errorf("packets of %d bytes: want %d to %d", r.Size, MinPacket, MaxPacket)
		}
	case measureTransactions:
	default:
		return fmt.Errorf("unknown measure %q", r.Measure)
	}
	return nil
}

// connection carries requests and answers.
type connection struct {
	net.Conn
	in  *json.Decoder
	out *json.Encoder
}

// largestMessage is above all that either side has to say.
const largestMessage = 1 << 20

func newConnection(c net.Conn) *connection {
	return &connection{c, json.NewDecoder(io.LimitReader(c, largestMessage)), json.NewEncoder(c)}
}
