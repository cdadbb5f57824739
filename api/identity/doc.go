// Package identity says who is who: the cluster's certificate authority, the
// tokens that let somebody in, the certificates that they get for them, and the
// TLS configurations of both sides.
//
// There is one CA, made by the first server at its first start. Everybody who
// speaks to a server holds a certificate of it, whose common name is a node's or
// a person's name and whose organisational unit is a role. Certificates live for
// a month and are renewed by their holders after two thirds of that. They carry
// an epoch, which is that of their holder's last revocation: that refuses all
// that was issued to the holder before, whoever issued it and by whatever clock,
// and nobody keeps a list of certificates.
//
// A token is the way in: a secret that is good for one role and some time, the
// fingerprint of the CA (so that whoever joins knows whom it talks to), and the
// servers' addresses. Servers store no token's secret but its hash.
//
// Private keys never leave the machine that made them, but for the CA's, which
// all servers share. Everything secret is kept in files of mode 0600.
//
// Do not add HTTP here, or policy: which role may do what is the server's to say.
package identity
