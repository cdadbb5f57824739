package probe

import "weft/bench"

// Task is a measurement that yields figures of one or several measures.
type Task struct {
	Measures []bench.Measure
	// Run returns a figure for each measure.
	Run func(*Session) ([]float64, error)
}

// The IDs of what tasks measure.
const (
	TCP        = "tcp1"
	TCPCost    = "tcp1cpu"
	TCP4       = "tcp4"
	UDP        = "udp64"
	UDPCost    = "udp64cpu"
	UDPLarge   = "udp1400"
	Requests   = "rr"
	Requests50 = "rr50"
	Requests99 = "rr99"
)

// Tasks are all that there is to measure of a way.
func Tasks() []Task { return []Task{TaskTCP(), taskTCP4(), TaskUDP(), taskUDPLarge(), TaskRequests()} }

// TaskTCP measures one TCP stream, and what it costs.
func TaskTCP() Task {
	return Task{[]bench.Measure{
		{ID: TCP, Name: "TCP, 1 stream", Unit: "Gbit/s"},
		{ID: TCPCost, Name: "CPU, TCP", Unit: "s/GB", Less: true},
	}, func(s *Session) ([]float64, error) {
		t, err := s.Streams(1)
		return []float64{t.BitsPerSecond() / 1e9, t.CPUPerGB()}, err
	}}
}

func taskTCP4() Task {
	return Task{[]bench.Measure{
		{ID: TCP4, Name: "TCP, 4 streams", Unit: "Gbit/s"},
	}, func(s *Session) ([]float64, error) {
		t, err := s.Streams(4)
		return []float64{t.BitsPerSecond() / 1e9}, err
	}}
}

// TaskUDP measures small packets, and what they cost.
func TaskUDP() Task {
	return Task{[]bench.Measure{
		{ID: UDP, Name: "UDP, 64 bytes", Unit: "1000/s"},
		{ID: UDPCost, Name: "CPU, UDP", Unit: "µs/packet", Less: true},
	}, func(s *Session) ([]float64, error) {
		p, err := s.Packets(64)
		return []float64{p.PerSecond() / 1e3, p.CPUPerPacket().Seconds() * 1e6}, err
	}}
}

func taskUDPLarge() Task {
	return Task{[]bench.Measure{
		{ID: UDPLarge, Name: "UDP, 1400 bytes", Unit: "1000/s"},
	}, func(s *Session) ([]float64, error) {
		p, err := s.Packets(1400)
		return []float64{p.PerSecond() / 1e3}, err
	}}
}

// TaskRequests measures transactions, and how long they take.
func TaskRequests() Task {
	return Task{[]bench.Measure{
		{ID: Requests, Name: "requests", Unit: "1000/s"},
		{ID: Requests50, Name: "p50", Unit: "µs", Less: true},
		{ID: Requests99, Name: "p99", Unit: "µs", Less: true},
	}, func(s *Session) ([]float64, error) {
		t, err := s.Transactions()
		micro := func(share float64) float64 { return float64(t.Percentile(share).Nanoseconds()) / 1e3 }
		return []float64{t.PerSecond() / 1e3, micro(0.5), micro(0.99)}, err
	}}
}

// Measure runs a task and returns its figures by measure.
func (s *Session) Measure(t Task) (map[string]float64, error) {
	values, err := t.Run(s)
	if err != nil {
		return nil, err
	}
	figures := map[string]float64{}
	for i, m := range t.Measures {
		figures[m.ID] = values[i]
	}
	return figures, nil
}
