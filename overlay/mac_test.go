package overlay

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"
)

func TestParseMAC(t *testing.T) {
	t.Parallel()
	const hint = ": want six octets such as 02:00:5e:10:00:01"
	for in, want := range map[string]string{
		"02:00:5e:10:00:01": "02:00:5e:10:00:01",
		"02-00-5E-10-00-01": "02:00:5e:10:00:01",
		"ff:ff:ff:ff:ff:ff": "ff:ff:ff:ff:ff:ff",
		"00:00:00:00:00:00": "00:00:00:00:00:00",
		"":                  "",
		"02:00:5e:10:00":    "", "02:00:5e:10:00:01:02": "", "02005e100001": "",
		"02.00.5e.10.00.01": "", "0g:00:5e:10:00:01": "", "2:0:5e:10:0:1xxxxx": "", " 2:00:5e:10:00:01": "",
	} {
		m, err := ParseMAC(in)
		if want == "" {
			check(t, err, `MAC address "`+in+`"`+hint)
			continue
		}
		check(t, err, "")
		if m.String() != want {
			t.Errorf("ParseMAC(%q) = %s, want %s", in, m, want)
		}
	}
}

func TestMACKinds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		mac           MAC
		zero, unicast bool
	}{
		{MAC{}, true, false},
		{MAC{2, 0, 0, 0, 0, 1}, false, true},
		{MAC{0, 0, 0, 0, 0, 1}, false, true},
		{MAC{1, 0, 0x5e, 0, 0, 1}, false, false},
		{MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, false, false},
	} {
		if tt.mac.IsZero() != tt.zero || tt.mac.IsUnicast() != tt.unicast {
			t.Errorf("%s: zero %v, unicast %v", tt.mac, tt.mac.IsZero(), tt.mac.IsUnicast())
		}
	}
}

// TestLinkLocal has the addresses that the kernel gives (addrgenmode eui64).
func TestLinkLocal(t *testing.T) {
	t.Parallel()
	for mac, want := range map[MAC]string{
		{0x02, 0x00, 0x00, 0x00, 0x00, 0x02}: "fe80::ff:fe00:2",
		{0x52, 0x54, 0x00, 0x12, 0x34, 0x56}: "fe80::5054:ff:fe12:3456",
		{0x00, 0x00, 0x5e, 0x00, 0x53, 0x01}: "fe80::200:5eff:fe00:5301",
	} {
		if got := mac.LinkLocal().String(); got != want {
			t.Errorf("LinkLocal of %s = %s, want %s", mac, got, want)
		}
	}
}

func TestMACText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var m, back MAC
		copy(m[:], rapid.SliceOfN(rapid.Byte(), 6, 6).Draw(t, "mac"))
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &back); err != nil || back != m {
			t.Fatalf("%s came back as %s, %v", text, back, err)
		}
	})
	if text, err := json.Marshal(MAC{}); string(text) != `""` || err != nil {
		t.Errorf("the zero MAC is %s, %v", text, err)
	}
	m := MAC{2}
	check(t, json.Unmarshal([]byte(`"x"`), &m), `MAC address "x": want six octets such as 02:00:5e:10:00:01`)
	if !m.IsZero() {
		t.Errorf("what does not parse left %s", m)
	}
}
