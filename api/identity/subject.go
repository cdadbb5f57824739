package identity

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"time"

	"weft/overlay"
)

// Identity is who a certificate speaks for.
type Identity struct {
	// Name is the node's name, or the name of the token that a person logged in with.
	Name string
	Role overlay.Role
	// Instance tells hosts of one name apart: it is new at every join and kept
	// by renewals. Two hosts that were both called "ubuntu" differ in it.
	Instance string
	// Epoch is that of the last revocation before the join: servers refuse the
	// certificates of other epochs. Empty when nothing was revoked.
	Epoch string
	// Expires is when the certificate does; ignored when one is issued.
	Expires time.Time
}

// String is "node a" or "admin alice", and "nobody" without a certificate.
func (id Identity) String() string {
	if id.Role == "" {
		return "nobody"
	}
	return string(id.Role) + " " + id.Name
}

// subject puts the identity into a certificate: the name as common name, the
// role as organisational unit, the instance as serial number of the subject, the
// epoch as organisation (RFC 5280 section 4.1.2.6, X.520 sections 6.2.9 and 6.4.1).
func (id Identity) subject() pkix.Name {
	name := pkix.Name{
		CommonName:         id.Name,
		OrganizationalUnit: []string{string(id.Role)},
		SerialNumber:       id.Instance,
	}
	if id.Epoch != "" {
		name.Organization = []string{id.Epoch}
	}
	return name
}

// Of reads the identity out of a certificate, which it does not verify.
func Of(cert *x509.Certificate) (Identity, error) {
	s := cert.Subject
	if s.CommonName == "" || len(s.OrganizationalUnit) != 1 {
		return Identity{}, fmt.Errorf("certificate of %q: want a name (CN) and one role (OU)", s.CommonName)
	}
	id := Identity{
		Name:     s.CommonName,
		Role:     overlay.Role(s.OrganizationalUnit[0]),
		Instance: s.SerialNumber,
		Expires:  cert.NotAfter,
	}
	if len(s.Organization) > 0 {
		id.Epoch = s.Organization[0]
	}
	if err := id.check(); err != nil {
		return Identity{}, err
	}
	return id, nil
}

func (id Identity) check() error {
	switch id.Role {
	case overlay.RoleNode, overlay.RoleAdmin, overlay.RoleReader, overlay.RoleServer:
	default:
		return fmt.Errorf("certificate of %q: role %q: want node, admin, reader or server", id.Name, id.Role)
	}
	return overlay.CheckName("certificate's owner", id.Name)
}
