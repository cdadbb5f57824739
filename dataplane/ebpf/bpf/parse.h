/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Headers as values. A frame is loaded, not pointed into: what a program changes
 * in a packet moves it. */
#pragma once

#include <stddef.h>

#include <linux/icmpv6.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>

#include "maps.h"

#define IP_DF 0x4000
#define IP_MORE 0x2000
#define IP_FRAGMENT 0x3fff /* more fragments, and where this one belongs */
#define IP_OFFSET 0x1fff
#define ETH_P_8021Q_BE bpf_htons(ETH_P_8021Q)
#define ETH_P_8021AD_BE bpf_htons(ETH_P_8021AD)

/* frame is an Ethernet frame; the kernel has taken one VLAN tag out of it. */
struct frame {
	struct mac dst, src;
	__be16 type; /* behind the tag, if there is one */
	__u8 tagged;
	__u8 is_ip; /* ip is set: an untagged frame with an IP packet that parses */
	struct packet {
		struct address src, dst;
		__u32 len;    /* of the packet, IP header included */
		__u32 header; /* of the IP header; the fixed one in IPv6 */
		__u8 version, protocol, ttl, tos;
		__u8 fragment; /* it has no transport header, or not all of the payload */
		__u8 later;    /* it is not the first */
	} ip;
};

/* data and data_end are where a packet's first piece is. The compiler would otherwise make
 * one pointer of skb and the offset, which the verifier does not take. */
static __always_inline void *data(struct __sk_buff *skb)
{
	__u64 at;

	asm volatile("%0 = *(u32 *)(%1 + %2)" : "=r"(at) : "r"(skb), "i"(offsetof(struct __sk_buff, data)));
	return (void *)at;
}

static __always_inline void *data_end(struct __sk_buff *skb)
{
	__u64 at;

	asm volatile("%0 = *(u32 *)(%1 + %2)" : "=r"(at) : "r"(skb), "i"(offsetof(struct __sk_buff, data_end)));
	return (void *)at;
}

/* NEAR is how far from its beginning a packet may be pointed into. */
#define NEAR 256

/* place is one in a packet that is NEAR. The verifier of Linux 6.1 forgets what it has seen of
 * a number when the compiler has it on the stack: the mask tells it again. */
static __always_inline void *place(struct __sk_buff *skb, __u32 offset)
{
	if (!__builtin_constant_p(offset))
		barrier_var(offset); /* the compiler would leave out the mask */
	return data(skb) + (offset & (NEAR - 1));
}

/* load copies out of a packet: straight where its headers lie in one piece, which they
 * mostly do. Words are loaded from wherever they are, which the processors that there are
 * BPF programs compiled for do (CONFIG_HAVE_EFFICIENT_UNALIGNED_ACCESS). */
static __always_inline int load(struct __sk_buff *skb, __u32 offset, void *to, __u32 len)
{
	void *here = place(skb, offset), *end = data_end(skb);

	if (offset < NEAR && here + len <= end) {
		__builtin_memcpy(to, __builtin_assume_aligned(here, 4), len);
		return 0;
	}
	return bpf_skb_load_bytes(skb, offset, to, len);
}

/* store copies into a packet, as load does out of it. The checksum of the whole, if a card
 * has given one, stays what it was, as with the helper. */
static __always_inline int store(struct __sk_buff *skb, __u32 offset, const void *from, __u32 len)
{
	void *here = place(skb, offset), *end = data_end(skb);

	if (offset < NEAR && here + len <= end) {
		__builtin_memcpy(__builtin_assume_aligned(here, 4), from, len);
		return 0;
	}
	return bpf_skb_store_bytes(skb, offset, from, len, 0);
}

static __always_inline int same_mac(const struct mac *a, const struct mac *b)
{
	int i, differ = 0;

	for (i = 0; i < 6; i++)
		differ |= a->byte[i] ^ b->byte[i];
	return !differ;
}

static __always_inline int is_none(const struct mac *m)
{
	const struct mac none = {};

	return same_mac(m, &none);
}

static __always_inline int is_group(const struct mac *m)
{
	return m->byte[0] & 1;
}

static __always_inline struct address from_v4(__be32 ip)
{
	struct address a = {.word = {0, 0, bpf_htonl(0xffff), ip}};

	return a;
}

static __always_inline struct address from_v6(const struct in6_addr *ip)
{
	struct address a;

	__builtin_memcpy(&a, ip, sizeof(a));
	return a;
}

static __always_inline int same_address(const struct address *a, const struct address *b)
{
	return a->word[0] == b->word[0] && a->word[1] == b->word[1] && a->word[2] == b->word[2] &&
	       a->word[3] == b->word[3];
}

static __always_inline int is_v4(const struct address *a)
{
	return !a->word[0] && !a->word[1] && a->word[2] == bpf_htonl(0xffff);
}

static __always_inline int is_link_local(const struct address *a)
{
	return (a->word[0] & bpf_htonl(0xffc00000)) == bpf_htonl(0xfe800000);
}

/* is_unspecified is about an address of the version that it came with. */
static __always_inline int is_unspecified(const struct address *a)
{
	return !a->word[0] && !a->word[1] && !a->word[3] && (!a->word[2] || is_v4(a));
}

/* right_header: the checksum of an IPv4 header without options is right (RFC 1122 section 3.2.1.2). Those with options
 * go to the network's own host, or to the node's, which look for themselves. */
static __always_inline int right_header(const struct iphdr *ip)
{
	const __u32 *word = (const __u32 *)ip;
	__u64 sum = (__u64)word[0] + word[1] + word[2] + word[3] + word[4];

	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	return ip->ihl > 5 || sum % 0xffff == 0;
}

static __always_inline int parse_ip(struct __sk_buff *skb, __be16 type, struct packet *p)
{
	__u32 room = skb->len - ETH_HLEN;
	struct iphdr v4;
	struct ipv6hdr v6;

	if (type == bpf_htons(ETH_P_IP)) {
		if (load(skb, ETH_HLEN, &v4, sizeof(v4)) || v4.version != 4 || v4.ihl < 5 ||
		    !right_header(&v4))
			return 0;
		p->src = from_v4(v4.saddr);
		p->dst = from_v4(v4.daddr);
		p->len = bpf_ntohs(v4.tot_len);
		p->header = v4.ihl * 4;
		p->version = 4;
		p->protocol = v4.protocol;
		p->ttl = v4.ttl;
		p->tos = v4.tos;
		p->fragment = !!(v4.frag_off & bpf_htons(IP_FRAGMENT));
		p->later = !!(v4.frag_off & bpf_htons(IP_OFFSET));
	} else {
		if (load(skb, ETH_HLEN, &v6, sizeof(v6)) || v6.version != 6)
			return 0;
		p->src = from_v6(&v6.saddr);
		p->dst = from_v6(&v6.daddr);
		p->len = bpf_ntohs(v6.payload_len) + sizeof(v6);
		p->header = sizeof(v6);
		p->version = 6;
		p->protocol = v6.nexthdr;
		p->ttl = v6.hop_limit;
		p->tos = v6.priority << 4 | v6.flow_lbl[0] >> 4;
		p->fragment = v6.nexthdr == IPPROTO_FRAGMENT;
		p->later = 0;
	}
	return p->len >= p->header && p->len <= room;
}

/* parse is false for what no switch takes: less than a header, and a source address
 * that no station has: a group's (IEEE 802.3 clause 3.2.3), or none. */
static __always_inline int parse(struct __sk_buff *skb, struct frame *f)
{
	struct ethhdr eth;

	__builtin_memset(f, 0, sizeof(*f));
	if (load(skb, 0, &eth, sizeof(eth)))
		return 0;
	__builtin_memcpy(&f->dst, eth.h_dest, ETH_ALEN);
	__builtin_memcpy(&f->src, eth.h_source, ETH_ALEN);
	f->type = eth.h_proto;
	f->tagged = skb->vlan_present || f->type == ETH_P_8021Q_BE || f->type == ETH_P_8021AD_BE;
	if (is_group(&f->src) || is_none(&f->src))
		return 0;
	if (f->type == bpf_htons(ETH_P_IP) || f->type == bpf_htons(ETH_P_IPV6))
		f->is_ip = !skb->vlan_present && parse_ip(skb, f->type, &f->ip);
	return 1;
}

/* largest is the largest packet that p makes on a wire: if it is one that the
 * kernel has yet to cut, each of the pieces. */
static __always_inline __u32 largest(struct __sk_buff *skb, const struct packet *p)
{
	__u32 l4 = ETH_HLEN + p->header;
	struct tcphdr tcp;

	if (!skb->gso_size)
		return p->len;
	if (p->protocol == IPPROTO_UDP)
		return p->header + sizeof(struct udphdr) + skb->gso_size;
	if (p->protocol == IPPROTO_TCP && !load(skb, l4, &tcp, sizeof(tcp)))
		return p->header + tcp.doff * 4 + skb->gso_size;
	return p->len;
}
