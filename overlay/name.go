package overlay

import (
	"fmt"
)

// Names are RFC 1123 labels: 1 to 63 lower-case letters, digits and dashes,
// beginning and ending with a letter or digit.
type (
	// NodeName names a host that runs Weft.
	NodeName string
	// NetworkName names a virtual network.
	NetworkName string
	// EndpointName names an endpoint within its network.
	EndpointName string
)

// MaxName is the longest name, in bytes.
const MaxName = 63

// CheckName reports why s cannot be a name; what says what it would name.
func CheckName(what, s string) error {
	switch {
	case s == "":
		return fmt.Errorf("%s: the name is missing", what)
	case len(s) > MaxName:
		return fmt.Errorf("%s %.20q…: the name has %d characters; at most %d are allowed", what, s, len(s), MaxName)
	case s[0] == '-' || s[len(s)-1] == '-':
		return fmt.Errorf("%s %q: a name neither begins nor ends with a dash", what, s)
	}
	for _, c := range s {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-') {
			return fmt.Errorf("%s %q: a name has lower-case letters, digits and dashes only", what, s)
		}
	}
	return nil
}
