package overlay

import (
	"strings"
	"testing"
)

// check compares an error with the exact line that users see; "" is no error.
func check(t *testing.T, err error, want string) {
	t.Helper()
	got := ""
	if err != nil {
		got = err.Error()
	}
	if got != want {
		t.Errorf("error = %q\n want %q", got, want)
	}
	if strings.Contains(got, "\n") {
		t.Errorf("the error has several lines: %q", got)
	}
}

func TestCheckName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"a": "", "0": "", "web-1": "", strings.Repeat("x", 63): "",
		"":                       `endpoint: the name is missing`,
		"-web":                   `endpoint "-web": a name neither begins nor ends with a dash`,
		"web-":                   `endpoint "web-": a name neither begins nor ends with a dash`,
		"Web":                    `endpoint "Web": a name has lower-case letters, digits and dashes only`,
		"a/b":                    `endpoint "a/b": a name has lower-case letters, digits and dashes only`,
		"a.b":                    `endpoint "a.b": a name has lower-case letters, digits and dashes only`,
		"web\n":                  `endpoint "web\n": a name has lower-case letters, digits and dashes only`,
		"käse":                   `endpoint "käse": a name has lower-case letters, digits and dashes only`,
		strings.Repeat("x", 64):  `endpoint "xxxxxxxxxxxxxxxxxxxx"…: the name has 64 characters; at most 63 are allowed`,
		strings.Repeat("\n", 64): `endpoint "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n"…: the name has 64 characters; at most 63 are allowed`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, CheckName("endpoint", name), want)
		})
	}
}

func TestCheckInterfaceName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"eth0": "", "wf0123456789abc": "", "br-lan.5": "", "veth@x": "",
		"":                 `tap: the interface name is missing`,
		"wf0123456789abcd": `tap "wf0123456789abcd": an interface name has at most 15 characters`,
		".":                `tap ".": not an interface name; want letters, digits, dots and dashes`,
		"..":               `tap "..": not an interface name; want letters, digits, dots and dashes`,
		"all":              `tap "all": not an interface name; want letters, digits, dots and dashes`,
		"default":          `tap "default": not an interface name; want letters, digits, dots and dashes`,
		"a/b":              `tap "a/b": not an interface name; want letters, digits, dots and dashes`,
		"eth0:1":           `tap "eth0:1": not an interface name; want letters, digits, dots and dashes`,
		"a b":              `tap "a b": not an interface name; want letters, digits, dots and dashes`,
		"tap%d":            `tap "tap%d": not an interface name; want letters, digits, dots and dashes`,
		"a\nb":             `tap "a\nb": not an interface name; want letters, digits, dots and dashes`,
		"a\xa0b":           `tap "a\xa0b": not an interface name; want letters, digits, dots and dashes`,
		"a\x00b":           `tap "a\x00b": not an interface name; want letters, digits, dots and dashes`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, CheckInterfaceName("tap", name), want)
		})
	}
}
