package overlay

import (
	"strings"
	"testing"
	"time"
)

func TestTokenValidate(t *testing.T) {
	t.Parallel()
	good := TokenSpec{Role: RoleNode, Expires: time.Unix(1, 0), Hash: strings.Repeat("0", 64)}
	for _, tt := range []struct {
		name   string
		change func(*Token)
		want   string
	}{
		{"good", func(*Token) {}, ""},
		{"name", func(k *Token) { k.Name = "-" }, `token "-": a name neither begins nor ends with a dash`},
		{"role", func(k *Token) { k.Spec.Role = RoleServer }, `token t1: role "server": want node, admin or reader`},
		{"hash", func(k *Token) { k.Spec.Hash = "secret" }, "token t1: a token has a hash and an expiry; make one with weft token create"},
		{"expiry", func(k *Token) { k.Spec.Expires = time.Time{} }, "token t1: a token has a hash and an expiry; make one with weft token create"},
	} {
		k := &Token{Meta: Meta{Kind: KindToken, Name: "t1"}, Spec: good}
		tt.change(k)
		check(t, k.Validate(), tt.want)
	}
}
