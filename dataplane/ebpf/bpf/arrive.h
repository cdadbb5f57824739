/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What comes in from peers that Weft does not manage is handed in at the end that it is for. */
#pragma once

#include "decap.h"
#include "depart.h"

/* envelope is a tunnel packet as far as it has been read. */
struct envelope {
	struct tunnelled t;
	__u32 gre;	/* its flags */
	__u32 sequence; /* and its number */
};

/* open_gre: RFC 2890 section 2. What has other bits is of another version, or not for an end. */
static __always_inline int open_gre(struct __sk_buff *skb, struct envelope *v)
{
	__u32 at = ETH_HLEN + v->t.ip.header;
	__be32 word;

	if (load(skb, at, &word, sizeof(word)))
		return 0;
	v->gre = bpf_ntohl(word) >> 16;
	v->t.type = word >> 16;
	if (v->gre & ~(GRE_CHECKSUM | GRE_KEY | GRE_SEQUENCE))
		return 0;
	v->t.skip += gre_len(v->gre);
	at += v->gre & GRE_CHECKSUM ? 8 : 4;
	if (v->gre & GRE_KEY) {
		if (load(skb, at, &word, sizeof(word)))
			return 0;
		v->t.vni = bpf_ntohl(word);
		at += sizeof(word);
	}
	if (v->gre & GRE_SEQUENCE) {
		if (load(skb, at, &word, sizeof(word)))
			return 0;
		v->sequence = bpf_ntohl(word);
	}
	return 1;
}

/* open_packet is false for what is no end's: what is wrong with it, from_underlay says. */
static __always_inline int open_packet(struct __sk_buff *skb, struct envelope *v)
{
	if (!read_outer(skb, &v->t))
		return 0;
	switch (v->t.encapsulation) {
	case ENCAP_VXLAN:
	case ENCAP_GENEVE:
		return read_udp(skb, &v->t) == OURS;
	case ENCAP_GRE:
		return open_gre(skb, v);
	}
	v->t.type = v->t.ip.protocol == IPPROTO_IPIP ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	return 1;
}

/* arrival_of is the end that a packet is for, by its interface index, or 0. A packet without
 * a key is not for one that has one, and the other way round. */
static __always_inline __u32 arrival_of(const struct envelope *v)
{
	struct arrival_key key = {
		.local = v->t.ip.dst, .remote = v->t.ip.src, .key = v->t.vni, .keyed = !!(v->gre & GRE_KEY),
		.encapsulation = v->t.encapsulation, .content = CONTENT_FRAMES,
	};
	__u32 *index;

	if (v->t.ip.protocol == IPPROTO_UDP)
		key.udp_port = v->t.udp.dest;
	if (v->t.encapsulation == ENCAP_IP)
		key.content = v->t.ip.protocol == IPPROTO_IPIP ? CONTENT_V4 : CONTENT_V6;
	else if (v->t.encapsulation == ENCAP_GRE && v->t.type != ETH_P_TEB_BE)
		key.content = CONTENT_IP;
	index = bpf_map_lookup_elem(&arrivals, &key);
	return index ? *index : 0;
}

/* disorder is what is wrong with a GRE packet's checksum or number, or 0: in all as Linux
 * does (net/ipv4/ip_tunnel.c, ip_tunnel_rcv). What the kernel has put together it has
 * verified (net/ipv4/gre_offload.c, gre_gro_receive). */
static __always_inline int disorder(struct __sk_buff *skb, const struct envelope *v, const struct end *e, __u32 index)
{
	struct sequence *q;
	__s64 sum;

	if (!(v->gre & GRE_CHECKSUM) != !(e->flags & END_IN_CHECKSUM))
		return DROP_CHECKSUM;
	if (v->gre & GRE_CHECKSUM && !skb->gso_size) {
		if (skb->len > ETH_HLEN + v->t.ip.len && bpf_skb_change_tail(skb, ETH_HLEN + v->t.ip.len, 0))
			return DROP_MALFORMED;
		sum = sum_from(skb, ETH_HLEN + v->t.ip.header, 0);
		if (sum < 0 || fold(sum))
			return DROP_CHECKSUM;
	}
	if (!(e->flags & END_IN_SEQUENCE))
		return 0;
	q = v->gre & GRE_SEQUENCE ? find_sequence(index) : 0;
	if (!q || (q->in && (__s32)(v->sequence - q->in) < 0))
		return DROP_SEQUENCE;
	q->in = v->sequence + 1;
	return 0;
}

/* hand_in has the other end of the veth receive a packet. One that is larger than what goes
 * out there comes in all the same, as on a device of the kernel's; a veth would not take it. */
static __always_inline int hand_in(struct __sk_buff *skb, __u32 index, const struct end *e)
{
	skb->mark = 0;
	if (!e->device)
		return bpf_redirect_peer(index, 0);
	if (!skb->gso_size && skb->len > e->as.mtu + ETH_HLEN)
		return bpf_redirect(e->device, BPF_F_INGRESS);
	return bpf_redirect(index, 0);
}

/* is_for_kernel: what only the kernel's tunnel device can unwrap, as in receive. */
static __always_inline int is_for_kernel(struct __sk_buff *skb, const struct tunnelled *t, const struct end *e)
{
	return skb->gso_size || t->ip.fragment || (t->udp.check && !(e->as.flags & NETWORK_NO_TUNNEL)) ||
	       bpf_ntohs(t->udp.len) != t->ip.len - t->ip.header;
}

/* fits: what is inside is what the end has. */
static __always_inline int fits(const struct tunnelled *t, const struct end *e)
{
	return e->content == CONTENT_FRAMES || t->type == bpf_htons(ETH_P_IP) || t->type == bpf_htons(ETH_P_IPV6);
}

/* arrive unwraps a peer's packet, or leaves it to the kernel's tunnel device. */
static __always_inline int arrive(struct __sk_buff *skb, struct scratch *s)
{
	struct envelope v = {};
	struct end *e;
	__u32 index;
	int why;

	if (!open_packet(skb, &v))
		return v.t.held ? TC_ACT_SHOT : PASS;
	index = arrival_of(&v);
	e = index ? find_end(index) : 0;
	if (!e)
		return PASS;
	if (v.t.ip.fragment && !is_udp(&e->as))
		return keep(skb, &v.t.ip, e->owner);
	count_from(e->counter, inside(&v.t, &e->as));
	if (is_udp(&e->as)) {
		if (is_for_kernel(skb, &v.t, e)) {
			if (e->as.encapsulation == ENCAP_GENEVE && dress(skb, s, &v.t))
				return drop(skb, e->owner, DROP_MALFORMED);
			skb->mark = MARK_MEMBER;
			return TC_ACT_OK;
		}
		v.t.skip += sizeof(struct udphdr) + sizeof(struct vxlan) + v.t.options;
	}
	why = e->as.encapsulation == ENCAP_GRE ? disorder(skb, &v, e, index) : 0;
	if (why)
		return drop(skb, e->owner, why);
	if (!fits(&v.t, e) || !strip(skb, s, &v.t, &e->as.vtep_mac) || (e->content != CONTENT_FRAMES && !s->frame.is_ip))
		return drop(skb, e->owner, DROP_MALFORMED);
	return hand_in(skb, index, e);
}

/* arrive_unwrapped goes on with what the kernel's tunnel device has unwrapped. */
static __always_inline int arrive_unwrapped(struct __sk_buff *skb, __u32 owner)
{
	const __u32 index = owner & ~OWNER_END;
	const struct end *e = find_end(index);

	if (!e || skb->mark != MARK_MEMBER)
		return drop(skb, e ? e->owner : owner, DROP_NOT_MEMBER);
	return hand_in(skb, index, e);
}

