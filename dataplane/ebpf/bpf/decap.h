/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What comes in at the underlay is unwrapped here, but for packets over UDP that a network
 * card has put together, which nothing but the kernel's tunnel device can make those of
 * inside, and for those with a checksum, which it verifies. Geneve's are dressed as VXLAN
 * for it. */
#pragma once

#include "gather.h"
#include "router.h"

/* tunnelled is a tunnel packet as far as it has been read. */
struct tunnelled {
	struct packet ip;
	__u32 encapsulation;
	__u32 vni;
	__u32 skip;    /* what stands before what is inside, from the outer IP header on */
	__be16 type;   /* of what is inside: ETH_P_TEB_BE for a frame */
	__u32 options; /* Geneve's, in bytes */
	__u8 odd;      /* no network's packets are like this */
	__u8 held;     /* it is a piece, and kept */
	struct udphdr udp;
};

enum reading {
	NOT_OURS,
	WRONG,
	OURS,
};

/* read_vxlan: RFC 7348 section 5. A bit that is not known could change what is inside. */
static __always_inline enum reading read_vxlan(struct __sk_buff *skb, __u32 at, struct tunnelled *t)
{
	struct vxlan vxlan;

	if (load(skb, at, &vxlan, sizeof(vxlan)) || vxlan.flags != bpf_htonl(VXLAN_HAS_VNI) || vxlan.vni & bpf_htonl(0xff))
		return WRONG;
	t->vni = bpf_ntohl(vxlan.vni) >> 8;
	t->type = ETH_P_TEB_BE;
	return OURS;
}

/* read_geneve: RFC 8926 section 3.4. Options that nobody has to know are passed over. */
static __always_inline enum reading read_geneve(struct __sk_buff *skb, __u32 at, struct tunnelled *t)
{
	struct geneve geneve;

	if (load(skb, at, &geneve, sizeof(geneve)) || geneve.version_and_length & GENEVE_VERSION || geneve.flags ||
	    geneve.protocol != ETH_P_TEB_BE)
		return WRONG; /* flags: control packets, and critical options */
	t->options = (geneve.version_and_length & GENEVE_LENGTH) * 4;
	t->vni = bpf_ntohl(geneve.vni) >> 8;
	t->type = ETH_P_TEB_BE;
	return OURS;
}

/* read_gre: RFC 2890. A packet without a key is some other tunnel's, and so is one with what only
 * RFC 1701 and RFC 2637 have. What else Weft's networks do not send matters when it is one
 * of theirs. */
static __always_inline enum reading read_gre(struct __sk_buff *skb, __u32 at, struct tunnelled *t)
{
	struct gre gre;

	if (load(skb, at, &gre, sizeof(gre)) || !(gre.flags & bpf_htons(GRE_KEY)) ||
	    gre.flags & ~bpf_htons(GRE_CHECKSUM | GRE_KEY | GRE_SEQUENCE))
		return NOT_OURS;
	t->odd = gre.flags != bpf_htons(GRE_KEY);
	if (gre.flags & bpf_htons(GRE_CHECKSUM) && load(skb, at + sizeof(gre), &gre.key, sizeof(gre.key)))
		return NOT_OURS;
	t->vni = bpf_ntohl(gre.key);
	t->type = gre.protocol;
	t->skip += sizeof(gre);
	return OURS;
}

/* read_ip: nothing in the packet says which network it is of, its ends do. That of others may be
 * for a device of the host's. */
static __always_inline enum reading read_ip(struct tunnelled *t)
{
	struct pair_key key = {.local = t->ip.dst, .remote = t->ip.src, .protocol = t->ip.protocol};
	__u32 *vni = bpf_map_lookup_elem(&pairs, &key);

	if (!vni)
		return NOT_OURS;
	t->vni = *vni;
	t->type = t->ip.protocol == IPPROTO_IPIP ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	return OURS;
}

/* pass_fragment passes over the header of a first fragment of IPv6 (RFC 8200 section 4.5). It is
 * false for one that is the first and the last (RFC 6946), as no tunnel makes, and for others, which do
 * not say what they are of. */
static __always_inline int pass_fragment(struct __sk_buff *skb, struct packet *p)
{
	struct fragment f = {};

	if (p->version != 6 || p->protocol != IPPROTO_FRAGMENT)
		return 1;
	if (!read_fragment(skb, p, &f) || f.at || !f.more)
		return 0;
	p->protocol = f.protocol;
	p->header = f.payload;
	return 1;
}

/* Options of IPv6 (RFC 2473 section 4.1.1, RFC 8200 section 4.2). */
#define OPTION_LIMIT 4
#define OPTION_PADDING 1

/* pass_limit passes over a tunnel encapsulation limit, as Linux writes it: in destination
 * options of 8 bytes, with padding behind (RFC 2473 section 4.1.1; net/ipv6/ip6_tunnel.c,
 * init_tel_txopt). Other options are for the host to judge: some it has to refuse
 * (RFC 8200 section 4.2). */
static __always_inline int pass_limit(struct __sk_buff *skb, struct packet *p)
{
	struct {
		__u8 next, len; /* in units of 8 bytes beyond the first */
		__u8 type, size, limit, padding[3];
	} options;

	if (p->version != 6 || p->protocol != IPPROTO_DSTOPTS)
		return 1;
	if (load(skb, ETH_HLEN + p->header, &options, sizeof(options)) || options.len ||
	    options.type != OPTION_LIMIT || options.size != 1 || options.padding[0] != OPTION_PADDING ||
	    options.padding[1] != 1 || options.padding[2])
		return 0;
	p->protocol = options.next;
	p->header += sizeof(options);
	return 1;
}

/* has_options: no tunnel puts any there, and a route in them would be somebody else's. */
static __always_inline int has_options(const struct packet *p)
{
	return p->version == 4 && p->header > sizeof(struct iphdr);
}

/* may_be_tunnel keeps short for how long the host's own packets are held up. */
static __always_inline int may_be_tunnel(const struct packet *p)
{
	return p->protocol == IPPROTO_UDP || p->protocol == IPPROTO_GRE || p->protocol == IPPROTO_IPIP ||
	       p->protocol == IPPROTO_IPV6;
}

/* read_outer is false for what does not come in where tunnel packets do. */
static __always_inline int read_outer(struct __sk_buff *skb, struct tunnelled *t)
{
	struct tunnel_key key = {};
	__u32 *encapsulation;

	if (skb->vlan_present || (skb->protocol != bpf_htons(ETH_P_IP) && skb->protocol != bpf_htons(ETH_P_IPV6)) ||
	    !parse_ip(skb, skb->protocol, &t->ip) || has_options(&t->ip))
		return 0;
	if (t->ip.fragment) {
		switch (complete(skb, &t->ip)) {
		case HELD:
			t->held = 1;
			return 0;
		case WHOLE:
			if (!parse_ip(skb, skb->protocol, &t->ip))
				return 0;
			break;
		case NO_PIECE:
			break;
		}
	}
	if (t->ip.later || !pass_fragment(skb, &t->ip) || !pass_limit(skb, &t->ip) || !may_be_tunnel(&t->ip))
		return 0;
	t->skip = t->ip.header;
	key.local = t->ip.dst;
	key.protocol = t->ip.protocol;
	if (t->ip.protocol == IPPROTO_UDP) {
		if (load(skb, ETH_HLEN + t->ip.header, &t->udp, sizeof(t->udp)))
			return 0;
		key.udp_port = t->udp.dest;
	}
	encapsulation = bpf_map_lookup_elem(&tunnels, &key);
	if (!encapsulation)
		return 0;
	t->encapsulation = *encapsulation;
	return 1;
}

/* read_udp reads what stands behind the UDP header. */
static __always_inline enum reading read_udp(struct __sk_buff *skb, struct tunnelled *t)
{
	const __u32 at = ETH_HLEN + t->ip.header + sizeof(struct udphdr);

	if (bpf_ntohs(t->udp.len) < sizeof(struct udphdr) + sizeof(struct vxlan) + ETH_HLEN)
		return WRONG;
	return t->encapsulation == ENCAP_VXLAN ? read_vxlan(skb, at, t) : read_geneve(skb, at, t);
}

static __always_inline enum reading read_tunnelled(struct __sk_buff *skb, struct tunnelled *t)
{
	if (!read_outer(skb, t))
		return NOT_OURS;
	switch (t->encapsulation) {
	case ENCAP_VXLAN:
	case ENCAP_GENEVE:
		return read_udp(skb, t);
	case ENCAP_GRE:
		return read_gre(skb, ETH_HLEN + t->ip.header, t);
	}
	return read_ip(t);
}

/* put_shim changes a Geneve header into a VXLAN one; the checksum follows, so that the
 * kernel still sees whether it was right. */
static __always_inline int put_shim(struct __sk_buff *skb, __u32 at, const struct vxlan *vxlan)
{
	const __u32 check = at - sizeof(struct udphdr) + offsetof(struct udphdr, check);
	struct geneve geneve;
	__s64 sum;

	if (load(skb, at, &geneve, sizeof(geneve)))
		return -1;
	sum = bpf_csum_diff((__be32 *)&geneve, sizeof(geneve), (__be32 *)vxlan, sizeof(*vxlan), 0);
	return bpf_skb_store_bytes(skb, at, vxlan, sizeof(*vxlan), 0) ||
	       bpf_l4_csum_replace(skb, check, 0, sum, BPF_F_MARK_MANGLED_0);
}

/* dress makes a Geneve packet a VXLAN one. If it has options, these are taken out, and the
 * checksum with them (RFC 6935 for IPv6). */
static __always_inline int dress(struct __sk_buff *skb, struct scratch *s, struct tunnelled *t)
{
	__u8 *outer = s->outer.byte;
	__u32 at = ETH_HLEN + t->ip.header + sizeof(struct udphdr), len = t->ip.len - t->options;
	struct vxlan vxlan = {.flags = bpf_htonl(VXLAN_HAS_VNI), .vni = bpf_htonl(t->vni << 8)};

	if (!t->options)
		return put_shim(skb, at, &vxlan);
	if (t->ip.header != (t->ip.version == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr)) ||
	    bpf_ntohs(t->udp.len) < sizeof(struct udphdr) + sizeof(vxlan) + t->options + ETH_HLEN ||
	    bpf_skb_adjust_room(skb, -(__s32)t->options, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO))
		return -1;
	if (t->ip.version == 4)
		put_v4(outer, &t->ip.src, &t->ip.dst, t->ip.tos, len, IPPROTO_UDP);
	else
		put_v6(outer, &t->ip.src, &t->ip.dst, t->ip.tos, len, IPPROTO_UDP, 0);
	t->udp.len = bpf_htons(bpf_ntohs(t->udp.len) - t->options);
	t->udp.check = 0;
	return bpf_skb_store_bytes(skb, ETH_HLEN, outer,
				   t->ip.version == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr), 0) ||
	       bpf_skb_store_bytes(skb, at - sizeof(struct udphdr), &t->udp, sizeof(t->udp), 0) ||
	       bpf_skb_store_bytes(skb, at, &vxlan, sizeof(vxlan), 0);
}

/* inner_ecn is what a packet inside gets for its ECN, by that outside (RFC 6040 section 4.2);
 * false for one that was marked and does not understand it. */
static __always_inline int inner_ecn(__u8 outside, __u8 *inside)
{
	if (outside == ECN_CE && *inside == ECN_NONE)
		return 0;
	if (outside == ECN_CE || (outside == ECN_ECT1 && *inside == ECN_ECT0))
		*inside = outside;
	return 1;
}

/* mark_inside passes on to the packet inside what a router has said outside. */
static __always_inline int mark_inside(struct __sk_buff *skb, struct packet *p, __u8 outside)
{
	__u8 ecn = p->tos & ECN, tos, byte;

	if (!inner_ecn(outside, &ecn))
		return 0;
	tos = (p->tos & ~ECN) | ecn;
	if (tos == p->tos)
		return 1;
	if (p->version == 4) {
		if (bpf_l3_csum_replace(skb, ETH_HLEN + offsetof(struct iphdr, check), bpf_htons(0x4500 | p->tos),
					bpf_htons(0x4500 | tos), 2))
			return 0;
		return !bpf_skb_store_bytes(skb, ETH_HLEN + offsetof(struct iphdr, tos), &tos, 1, 0);
	}
	if (load(skb, ETH_HLEN + 1, &byte, 1))
		return 0;
	byte = (byte & 0x0f) | tos << 4;
	return !bpf_skb_store_bytes(skb, ETH_HLEN + 1, &byte, 1, 0);
}

/* unwrap_l3 takes skip bytes behind the Ethernet header away, so that the kernel takes the
 * packet for one of the family that is inside, and anything but IP for IPv4, which may be
 * shorter. Where that is another one than outside it is made another before, which adds the
 * difference of the headers, or takes it away (net/core/filter.c, bpf_skb_proto_4_to_6 and
 * bpf_skb_proto_6_to_4). Flags of bpf_skb_adjust_room would say so, too, from Linux 6.3 on. */
static __always_inline int unwrap_l3(struct __sk_buff *skb, __u8 version, __be16 inside, __s32 skip)
{
	const __s32 longer = sizeof(struct ipv6hdr) - sizeof(struct iphdr);
	const __be16 want = inside == bpf_htons(ETH_P_IPV6) ? inside : bpf_htons(ETH_P_IP);

	if (want != (version == 4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6))) {
		if (bpf_skb_change_proto(skb, want, 0))
			return -1;
		skip += version == 4 ? longer : -longer;
	}
	return bpf_skb_adjust_room(skb, -skip, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO);
}

/* strip takes away what is around a frame, or around a packet, which becomes one that is
 * addressed to somebody; false if that cannot be. */
static __always_inline int strip(struct __sk_buff *skb, struct scratch *s, struct tunnelled *t, const struct mac *to)
{
	const __u32 least = sizeof(struct iphdr);
	const struct mac somebody = {{0x02}};
	struct ethhdr eth;
	__u32 left;

	if (skb->len > ETH_HLEN + t->ip.len && bpf_skb_change_tail(skb, ETH_HLEN + t->ip.len, 0))
		return 0; /* a card has padded it */
	if (t->type == ETH_P_TEB_BE) {
		if (load(skb, ETH_HLEN + t->skip, &eth, sizeof(eth)))
			return 0;
		t->skip += sizeof(eth);
	} else {
		__builtin_memcpy(eth.h_dest, to, ETH_ALEN);
		__builtin_memcpy(eth.h_source, &somebody, ETH_ALEN);
		eth.h_proto = t->type;
	}
	left = skb->len - ETH_HLEN - t->skip;
	if (left < least && (eth.h_proto == bpf_htons(ETH_P_IP) || eth.h_proto == bpf_htons(ETH_P_IPV6) ||
			     bpf_skb_change_tail(skb, skb->len - left + least, 0)))
		return 0; /* the kernel leaves nothing shorter; a frame may be padded */
	if (unwrap_l3(skb, t->ip.version, eth.h_proto, t->skip) ||
	    store(skb, 0, &eth, sizeof(eth)) || !parse(skb, &s->frame))
		return 0;
	return !s->frame.is_ip || mark_inside(skb, &s->frame.ip, t->ip.tos & ECN);
}

/* unwrap goes on with what is inside. */
static __always_inline int unwrap(struct __sk_buff *skb, struct scratch *s, struct tunnelled *t, const struct network *n)
{
	if (!strip(skb, s, t, &n->vtep_mac))
		return drop(skb, t->vni, DROP_MALFORMED);
	if (n->flags & NETWORK_ROUTED)
		return route_from_member(skb, s, t->vni, n);
	return switch_frame(skb, s, t->vni, n, FROM_MEMBER);
}

/* inside is the length of the frame in a tunnel packet, or that of the frame which a bare
 * packet is made to be. */
static __always_inline __u32 inside(const struct tunnelled *t, const struct network *n)
{
	__u32 around = t->skip;

	if (is_udp(n))
		around += sizeof(struct udphdr) + sizeof(struct vxlan) + t->options;
	if (t->ip.len < around)
		return 0;
	return t->ip.len - around + (t->type == ETH_P_TEB_BE ? 0 : ETH_HLEN);
}

/* keep keeps a first fragment, until the others have come. */
static __always_inline int keep(struct __sk_buff *skb, const struct packet *p, __u32 owner)
{
	int why = begin(skb, p, owner);

	return why ? drop(skb, owner, why) : TC_ACT_SHOT;
}

/* receive sorts what comes in: members' packets are let in, and what is not Weft's to whom
 * it belongs. */
static __always_inline int receive(struct __sk_buff *skb)
{
	struct tunnelled t = {};
	struct address_key member = {};
	struct scratch *s;
	__u32 *counter;
	struct network *n;

	/* While the programs change hooks, both run one after the other: the second would take
	 * a Geneve packet that the first has dressed for a malformed one. What may set marks in
	 * the host's namespace is trusted already, by from_tunnel. */
	if (skb->mark == MARK_MEMBER)
		return PASS;
	switch (read_tunnelled(skb, &t)) {
	case NOT_OURS:
		return t.held ? TC_ACT_SHOT : PASS;
	case WRONG:
		return drop(skb, 0, DROP_MALFORMED);
	case OURS:
		break;
	}
	n = bpf_map_lookup_elem(&networks, &t.vni);
	if (!n || n->encapsulation != t.encapsulation || (is_udp(n) && n->udp_port != t.udp.dest) ||
	    is_v4(&n->local) != is_v4(&t.ip.dst)) {
		/* It goes to whom it belongs, or to nobody. GRE may be for a device of the host's, and VXLAN,
		 * too: that the host's filter counts. Geneve is nobody's: Weft has the port. */
		if (t.encapsulation == ENCAP_GENEVE)
			note(skb, 0, DROP_UNKNOWN_VNI);
		return PASS;
	}
	member.vni = t.vni;
	member.ip = t.ip.src;
	counter = bpf_map_lookup_elem(&members, &member);
	if (!counter)
		return drop(skb, t.vni, DROP_NOT_MEMBER);
	if (!is_udp(n) && t.ip.fragment)
		return keep(skb, &t.ip, t.vni);
	if (t.odd || (!is_udp(n) && (carries_frames(n) ? t.type != ETH_P_TEB_BE :
				t.type != bpf_htons(ETH_P_IP) && t.type != bpf_htons(ETH_P_IPV6))))
		return drop(skb, t.vni, DROP_MALFORMED);
	s = find_scratch();
	if (!s)
		return TC_ACT_SHOT;
	count_from(*counter, inside(&t, n));
	if (!is_udp(n))
		return unwrap(skb, s, &t, n);
	/* Who unwraps may leave a checksum unverified (RFC 7348 section 5). */
	if (!skb->gso_size && !t.ip.fragment && (!t.udp.check || n->flags & NETWORK_NO_TUNNEL) && bpf_ntohs(t.udp.len) == t.ip.len - t.ip.header) {
		t.skip += sizeof(struct udphdr) + sizeof(struct vxlan) + t.options;
		return unwrap(skb, s, &t, n);
	}
	if (n->encapsulation == ENCAP_GENEVE && dress(skb, s, &t))
		return drop(skb, t.vni, DROP_MALFORMED);
	skb->mark = MARK_MEMBER;
	return PASS;
}
