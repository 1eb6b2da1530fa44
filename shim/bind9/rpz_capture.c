#include "shim/bind9/rpz_capture.h"

static bool
trigger_of(dns_rpz_type_t type, uint8_t *trigger) {
	switch (type) {
	case DNS_RPZ_TYPE_CLIENT_IP:
		*trigger = BINDCAST_TRIGGER_CLIENT_IP;
		return true;
	case DNS_RPZ_TYPE_QNAME:
		*trigger = BINDCAST_TRIGGER_QNAME;
		return true;
	case DNS_RPZ_TYPE_IP:
		*trigger = BINDCAST_TRIGGER_IP;
		return true;
	case DNS_RPZ_TYPE_NSDNAME:
		*trigger = BINDCAST_TRIGGER_NSDNAME;
		return true;
	case DNS_RPZ_TYPE_NSIP:
		*trigger = BINDCAST_TRIGGER_NSIP;
		return true;
	default:
		return false;
	}
}

static bool
action_of(const dns_rpz_st_t *st, uint8_t *action) {
	switch (st->m.policy) {
	case DNS_RPZ_POLICY_PASSTHRU:
		*action = BINDCAST_ACTION_PASSTHRU;
		return true;
	case DNS_RPZ_POLICY_DROP:
		*action = BINDCAST_ACTION_DROP;
		return true;
	case DNS_RPZ_POLICY_TCP_ONLY:
		*action = BINDCAST_ACTION_TCP_ONLY;
		return true;
	case DNS_RPZ_POLICY_NXDOMAIN:
		*action = BINDCAST_ACTION_NXDOMAIN;
		return true;
	case DNS_RPZ_POLICY_NODATA:
		*action = BINDCAST_ACTION_NODATA;
		return true;
	case DNS_RPZ_POLICY_CNAME:
	case DNS_RPZ_POLICY_WILDCNAME:
		*action = BINDCAST_ACTION_CNAME;
		return true;
	case DNS_RPZ_POLICY_RECORD:
	case DNS_RPZ_POLICY_DNS64:
		/* "given" local data; a CNAME among it sends the client elsewhere. */
		*action = st->m.rdataset != NULL && dns_rdataset_isassociated(st->m.rdataset) &&
					  st->m.rdataset->type == dns_rdatatype_cname
				  ? BINDCAST_ACTION_CNAME
				  : BINDCAST_ACTION_LOCAL_DATA;
		return true;
	default:
		return false;
	}
}

bool
rpz_capture(const ns_client_t *client, struct bindcast_rpz *out) {
	const dns_rpz_st_t *st = client->query.rpz_st;
	if (st == NULL || (st->state & DNS_RPZ_REWRITTEN) == 0 || st->m.rpz == NULL ||
	    !trigger_of(st->m.type, &out->trigger) || !action_of(st, &out->action))
	{
		return false;
	}
	out->policy_zone = st->m.rpz->origin.ndata;
	out->policy_zone_length = (uint8_t)st->m.rpz->origin.length;
	if (st->p_name != NULL && st->p_name->length != 0) {
		out->rule = st->p_name->ndata;
		out->rule_length = (uint8_t)st->p_name->length;
	}
	/* The policy zone's version is gone by now; its serial is known from the zone's own events. */
	return true;
}
