package trace

// Names of layers.
const (
	Ethernet       = "Ethernet"
	VLAN           = "VLAN"
	ARP            = "ARP"
	IPv4           = "IPv4"
	IPv6           = "IPv6"
	IPv6Extensions = "IPv6 extensions"
	UDP            = "UDP"
	TCP            = "TCP"
	ICMP           = "ICMP"
	ICMPv6         = "ICMPv6"
	VXLAN          = "VXLAN"
	Data           = "data"    // what no decoder knows
	Padding        = "padding" // behind an IP packet, ARP or UDP datagram
)

// Layer is one header of a packet, or data.
type Layer struct {
	// Name is one of the names above.
	Name string `json:"name"`
	// Depth counts the packets around this one: 1 inside a tunnel, or in the
	// packet that an ICMP error quotes.
	Depth int `json:"depth"`
	// Offset and Length are the header's place in the frame, in bytes.
	Offset int `json:"offset"`
	Length int `json:"length"`
	// Summary is the main fields in one line.
	Summary string `json:"summary"`
	// Problem says what is wrong with the layer; empty if nothing is.
	Problem string `json:"problem,omitempty"`
	// Fields are in the order of the wire.
	Fields []Field `json:"fields,omitempty"`
}

// Field is one field of a header.
type Field struct {
	Name string `json:"name"`
	// Value is the same for the same bits: an address in its usual form, a number
	// in decimal, an identifier or a set of flags in hexadecimal (0x…).
	Value string `json:"value"`
	// Note says what the value means, where the number alone does not.
	Note string `json:"note,omitempty"`
	// Offset and Length are the bytes of the frame that hold the field.
	Offset int `json:"offset"`
	Length int `json:"length"`
}

// Value is the value of the first field of that name, and empty if there is none.
func (l Layer) Value(field string) string {
	for _, f := range l.Fields {
		if f.Name == field {
			return f.Value
		}
	}
	return ""
}

// Find is the nth layer of that name, counted from 0: Find(layers, IPv4, 1) of a tunnel
// packet is the inner one.
func Find(layers []Layer, name string, n int) (Layer, bool) {
	for _, l := range layers {
		if l.Name != name {
			continue
		}
		if n == 0 {
			return l, true
		}
		n--
	}
	return Layer{}, false
}
