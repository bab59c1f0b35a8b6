/* Who may be the peer. The system's part is lipc__identity: lipc__identity_of() a peer, lipc__identity_from() what the
 * caller knows of it, and whether it lipc__is_known(), lipc__is_same_user(), lipc__is_admin(), lipc__is_listed(). */

static int lipc__policy_of(const lipc_peer_policy *policy, lipc_peer_policy *ret_policy) {
    lipc_peer_policy p;
    int r = lipc__options(&p, sizeof p, policy);
    if (r < 0)
        return r;
    if (policy == NULL)
        p.peers = LIPC_PEERS_ANY;
    if (p.peers & ~(LIPC_PEERS_ANY | LIPC_PEERS_SAME_USER | LIPC_PEERS_ADMIN))
        return lipc__fault(LIPC_EINVAL);
    if ((p.uid_count > 0 && p.uids == NULL) || (p.sid_count > 0 && p.sids == NULL))
        return lipc__fault(LIPC_EINVAL);
    *ret_policy = p;
    return 0;
}

static bool lipc__policy_admits(const lipc_peer_policy *p, const lipc__identity *who) {
    if (p->peers & LIPC_PEERS_ANY)
        return true;
    bool is_meant = ((p->peers & LIPC_PEERS_SAME_USER) && lipc__is_same_user(who)) ||
                    ((p->peers & LIPC_PEERS_ADMIN) && lipc__is_admin(who)) || lipc__is_listed(p, who);
    return is_meant && lipc__is_known(who); /* last: it takes the longest, and strangers may come in great numbers */
}

/* Checks the peer of a connection by a policy that lipc__policy_of() returned. */
static int lipc__peer_check(lipc_handle handle, const lipc_peer_policy *p) {
    lipc__identity who;
    if (p->peers & LIPC_PEERS_ANY)
        return 0;
    int r = lipc__identity_of(handle, &who);
    if (r < 0)
        return r;
    return lipc__policy_admits(p, &who) ? 0 : lipc__fault(LIPC_EACCES);
}

int lipc_peer_check(lipc_handle handle, const lipc_peer_policy *policy) {
    lipc_peer_policy p;
    int r = lipc__policy_of(policy, &p);
    return r < 0 ? r : lipc__peer_check(handle, &p);
}

int lipc_peer_policy_check(const lipc_peer_policy *policy, int64_t uid, const char *sid) {
    lipc_peer_policy p;
    int r = lipc__policy_of(policy, &p);
    if (r < 0)
        return r;
    lipc__identity who = lipc__identity_from(uid, sid);
    return lipc__policy_admits(&p, &who) ? 0 : lipc__fault(LIPC_EACCES);
}

/* The policy for the server of a name, with the default filled in. */
static int lipc__server_policy(const lipc_name *name, const lipc_peer_policy *policy, lipc_peer_policy *ret_policy) {
    int r = lipc__policy_of(policy, ret_policy);
    if (r < 0 || policy != NULL)
        return r;
    if (name->type == LIPC_NAME_USER)
        ret_policy->peers = LIPC_PEERS_SAME_USER;
    if (name->type == LIPC_NAME_SYSTEM)
        ret_policy->peers = LIPC_PEERS_ADMIN;
    return 0;
}
