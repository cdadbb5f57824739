/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the host, or a network, sends into a tunnel to a peer that Weft does not manage. */
#pragma once

#include "ends.h"
#include "sum.h"
#include "switch.h"

/* gre_len is the length of a header with these flags. */
static __always_inline __u32 gre_len(__u32 flags)
{
	return 4 + (flags & GRE_CHECKSUM ? 4 : 0) + (flags & GRE_KEY ? 4 : 0) + (flags & GRE_SEQUENCE ? 4 : 0);
}

static __always_inline __u32 gre_flags(const struct end *e)
{
	return (e->flags & END_OUT_CHECKSUM ? GRE_CHECKSUM : 0) | (e->flags & END_OUT_KEY ? GRE_KEY : 0) |
	       (e->flags & END_OUT_SEQUENCE ? GRE_SEQUENCE : 0);
}

/* departure is a packet on its way into a tunnel. */
struct departure {
	struct way way;
	__u32 index;	/* the end's interface index */
	__u32 flow;
	__u32 sequence;
	__u8 tos, ttl;
};

static __always_inline void put_word(__u8 **at, __be32 word)
{
	*(__be32 *)*at = word;
	*at += sizeof(word);
}

/* put_gre_header: RFC 2890 section 2. The checksum comes when the rest is there. */
static __always_inline __u32 put_gre_header(__u8 *at, const struct end *e, __be16 protocol, __u32 sequence)
{
	const __u32 flags = gre_flags(e);
	__u8 *out = at;

	put_word(&out, bpf_htons(flags) | (__u32)protocol << 16);
	if (flags & GRE_CHECKSUM)
		put_word(&out, 0);
	if (flags & GRE_KEY)
		put_word(&out, bpf_htonl(e->out_key));
	if (flags & GRE_SEQUENCE)
		put_word(&out, bpf_htonl(sequence));
	return gre_len(flags);
}

/* refine gives an outer IP header that was just put what ends have of their own. */
static __always_inline void refine(__u8 *at, const struct end *e, const struct departure *d, int v6)
{
	struct iphdr *ip = (struct iphdr *)at;

	if (v6) {
		((struct ipv6hdr *)at)->hop_limit = d->ttl;
		return;
	}
	ip->ttl = d->ttl;
	ip->frag_off = e->flags & END_DF ? bpf_htons(IP_DF) : 0;
	ip->check = fold((__u64)bpf_htons(0x4500 | d->tos) + ip->tot_len + ip->id + ip->frag_off +
			 bpf_htons(d->ttl << 8 | ip->protocol) + ip->saddr + ip->daddr);
}

static __always_inline __be16 port_of(const struct end *e, __u32 flow)
{
	const __u32 ports = e->last_port - e->first_port + 1;

	return bpf_htons(e->first_port + (ports ? flow % ports : 0));
}

/* envelop makes a frame, or the packet in it, one of the tunnel's. */
static __always_inline int envelop(struct __sk_buff *skb, struct scratch *s, const struct end *e, const struct departure *d)
{
	const struct network *n = &e->as;
	const struct frame *f = &s->frame;
	const int v6 = !is_v4(&n->local);
	const __u32 l3 = v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	const __u32 tag = e->content == CONTENT_FRAMES && skb->vlan_present ? sizeof(struct tag) : 0;
	const __u32 inner = e->content == CONTENT_FRAMES ? ETH_HLEN + tag : 0;
	const __be16 tpid = skb->vlan_proto, tci = bpf_htons(skb->vlan_tci);
	const __u32 shim = is_udp(n) ? shim_len(n) : n->encapsulation == ENCAP_GRE ? gre_len(gre_flags(e)) : 0;
	const __u32 room = l3 + shim + inner;
	const __u8 protocol = outer_protocol(n, f);
	__u8 *out = s->outer.byte, *ip;
	__u32 len;

	if (tag && bpf_skb_vlan_pop(skb))
		return -1;
	if (make_room(skb, f, n, v6, room, inner))
		return -1;
	len = skb->len - ETH_HLEN;
	out += put_eth(out, &d->way.dst, &d->way.src, v6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP));
	ip = out;
	out += v6 ? put_v6(out, &n->local, &e->remote, d->tos, len, protocol, flow_label(d->flow)) :
		    put_v4(out, &n->local, &e->remote, d->tos, len, protocol);
	refine(ip, e, d, v6);
	if (is_udp(n)) {
		out += put_udp(out, port_of(e, d->flow), n->udp_port, len - l3);
		out += n->encapsulation == ENCAP_VXLAN ? put_vxlan(out, e->out_key) : put_geneve(out, e->out_key);
	} else if (n->encapsulation == ENCAP_GRE) {
		out += put_gre_header(out, e, inner ? ETH_P_TEB_BE : f->type, d->sequence);
	}
	if (inner) {
		out += put_eth(out, &f->dst, &f->src, tag ? tpid : f->type);
		if (tag) {
			((struct tag *)out)->tci = tci;
			((struct tag *)out)->type = f->type;
		}
	}
	if (room > sizeof(s->outer) - ETH_HLEN)
		return -1;
	return bpf_skb_store_bytes(skb, 0, s->outer.byte, ETH_HLEN + room, 0);
}

/* seal adds the checksums that cover what is inside, which nobody changes any more. */
static __always_inline int seal(struct __sk_buff *skb, const struct end *e)
{
	const int v6 = !is_v4(&e->as.local);
	const __u32 at = ETH_HLEN + (v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr));
	const __u32 len = skb->len - at;
	__s64 sum = 0;
	__sum16 check;

	if (e->flags & END_OUT_CHECKSUM) {
		sum = sum_from(skb, at, 0);
		check = fold(sum);
		return sum < 0 || bpf_skb_store_bytes(skb, at + 4, &check, sizeof(check), 0);
	}
	if (!(e->flags & END_UDP_CHECKSUM))
		return 0;
	/* What makes an IPv4 address one of IPv6 adds nothing: 0xffff. */
	sum = bpf_csum_diff(0, 0, (__be32 *)&e->as.local, sizeof(e->as.local), bpf_htonl(len + IPPROTO_UDP));
	sum = bpf_csum_diff(0, 0, (__be32 *)&e->remote, sizeof(e->remote), sum);
	sum = sum_from(skb, at, sum);
	check = fold(sum);
	if (!check)
		check = 0xffff; /* RFC 768: zero is none */
	return sum < 0 || bpf_skb_store_bytes(skb, at + offsetof(struct udphdr, check), &check, sizeof(check), 0);
}

/* unfit is why a frame cannot go into a tunnel, or 0. */
static __always_inline int unfit(struct __sk_buff *skb, const struct frame *f, const struct end *e)
{
	if (e->content != CONTENT_FRAMES && (!f->is_ip || f->tagged))
		return !f->tagged && (f->type == bpf_htons(ETH_P_IP) || f->type == bpf_htons(ETH_P_IPV6)) ? DROP_MALFORMED : DROP_NOT_IP;
	if ((e->content == CONTENT_V4 && f->ip.version != 4) || (e->content == CONTENT_V6 && f->ip.version != 6))
		return DROP_FAMILY;
	if (f->is_ip ? largest(skb, &f->ip) > e->as.mtu : skb->len - ETH_HLEN > e->as.mtu)
		return DROP_TOO_BIG;
	if (skb->gso_size && e->flags & END_SLOW)
		return DROP_TOO_BIG;
	return 0;
}

/* find_departure is why there is no way to the peer, or 0. */
static __always_inline int find_departure(struct __sk_buff *skb, const struct frame *f, const struct end *e, struct departure *d)
{
	d->flow = entropy(skb, f);
	d->tos = outer_tos(f) | (e->flags & END_TOS_FIXED ? e->tos : f->is_ip ? f->ip.tos & ~ECN : 0);
	d->ttl = e->flags & END_TTL_INHERIT && f->is_ip ? f->ip.ttl : e->ttl;
	if (e->flags & END_UNDERLAY)
		d->way.found = BPF_FIB_LKUP_RET_FWD_DISABLED;
	else if (!find_way(skb, &e->as, &e->remote, port_of(e, d->flow), &d->way))
		return DROP_NO_ROUTE;
	return e->device && d->way.ifindex == e->device ? DROP_LOOP : 0;
}

/* refuse_departure drops what cannot go into a tunnel. In a bridged network its own host tells the sender
 * of a packet that it is too large, as of one that is for another node. */
static __always_inline int refuse_departure(struct __sk_buff *skb, struct scratch *s, const struct end *e, int why)
{
	const struct frame *f = &s->frame;
	const struct network *n;

	if (why == DROP_TOO_BIG && e->content == CONTENT_FRAMES && f->is_ip && largest(skb, &f->ip) > e->as.mtu) {
		n = bpf_map_lookup_elem(&networks, &e->owner);
		if (n)
			return too_large(skb, s, e->owner, n);
	}
	return drop(skb, e->owner, why);
}

/* depart sends what came out of the interface to the peer. */
static __always_inline int depart(struct __sk_buff *skb, struct scratch *s, const struct end *e)
{
	const __u32 index = skb->ifindex, len = skb->len;
	struct departure d = {.index = index};
	struct sequence *q;
	int why;

	why = is_unspecified(&e->remote) ? DROP_NO_ROUTE : unfit(skb, &s->frame, e); /* nobody knows where the peer is */
	if (!why)
		why = find_departure(skb, &s->frame, e, &d);
	if (why)
		return refuse_departure(skb, s, e, why);
	if (e->flags & END_OUT_SEQUENCE) {
		q = find_sequence(index);
		if (!q)
			return drop(skb, e->owner, DROP_SEQUENCE);
		d.sequence = __sync_fetch_and_add(&q->out, 1);
	}
	if (envelop(skb, s, e, &d) || seal(skb, e))
		return drop(skb, e->owner, DROP_MALFORMED);
	count_to(e->counter, len);
	if (s->frame.is_ip)
		return leave(skb, &e->as, &d.way);
	/* As in to_vtep: coming in again makes it what it is. */
	skb->mark = MARK_WRAPPED;
	return bpf_redirect(index, BPF_F_INGRESS);
}

/* depart_wrapped goes on with a tunnel packet that came in again. */
static __always_inline int depart_wrapped(struct __sk_buff *skb, const struct end *e)
{
	const __u32 owner = e->owner;
	struct packet ip = {};
	struct way w = {};
	__be16 from = 0;

	if (!parse_ip(skb, skb->protocol, &ip) || (is_udp(&e->as) && load(skb, ETH_HLEN + ip.header, &from, sizeof(from))))
		return drop(skb, owner, DROP_MALFORMED);
	if (e->flags & END_UNDERLAY)
		w.found = BPF_FIB_LKUP_RET_FWD_DISABLED;
	else if (!find_way(skb, &e->as, &e->remote, from, &w))
		return drop(skb, owner, DROP_NO_ROUTE);
	if (e->device && w.ifindex == e->device)
		return drop(skb, owner, DROP_LOOP);
	if (write_eth(skb, &w.dst, &w.src))
		return drop(skb, owner, DROP_MALFORMED);
	return leave(skb, &e->as, &w);
}
