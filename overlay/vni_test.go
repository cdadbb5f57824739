package overlay

import "testing"

func TestParseVNI(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"1": "", "4097": "", "16777215": "",
		"":            `VNI "": want a number from 1 to 16777215`,
		"0":           `VNI "0": want a number from 1 to 16777215`,
		"16777216":    `VNI "16777216": want a number from 1 to 16777215`,
		"99999999999": `VNI "99999999999": want a number from 1 to 16777215`,
		"-1":          `VNI "-1": want a number from 1 to 16777215`,
		"0x10":        `VNI "0x10": want a number from 1 to 16777215`,
		"blue":        `VNI "blue": want a number from 1 to 16777215`,
	} {
		v, err := ParseVNI(in)
		check(t, err, want)
		if err == nil && v.String() != in {
			t.Errorf("ParseVNI(%q) prints as %s", in, v)
		}
	}
}

func TestGatewayMAC(t *testing.T) {
	t.Parallel()
	for v, want := range map[VNI]string{
		1: "02:77:66:00:00:01", 4097: "02:77:66:00:10:01", MaxVNI: "02:77:66:ff:ff:ff",
	} {
		if m := v.GatewayMAC(); m.String() != want || !m.IsUnicast() {
			t.Errorf("GatewayMAC of %d = %s (unicast %v), want %s", v, m, m.IsUnicast(), want)
		}
	}
}
