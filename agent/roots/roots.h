/*
 * What the owner of the cluster's roots does: keys, charters, issuers.  All of
 * it is made from files by whoever has a root's key, on a host of the cluster
 * or away from any, and brought in by a running agent (POST /api/v1/records).
 * No agent needs a root's key.
 *
 *   roots.c             messages, the configuration, what is asked of the agent
 *   roots_key.c         key files
 *   roots_proposal.c    the file of a charter that is to be signed
 *   roots_view.c        charters and proposals for people
 *   roots_charter.c     agent charter ...; roots_charter_propose.c of it: the
 *                       next charter
 *   roots_records.c     certificates and revocations by a root
 *   roots_admission.c   agent admission ...; roots_admission_ls.c of it: who
 *                       is a root or an issuer
 */
#ifndef SOCKETNET_AGENT_ROOTS_ROOTS_H
#define SOCKETNET_AGENT_ROOTS_ROOTS_H

#include "agent/args/program.h"

extern const struct args_option roots_propose_options[];
extern const struct args_option roots_sign_options[];
extern const struct args_option roots_admission_options[];
extern const struct args_option roots_revoke_options[];

/* Each is a row of agent's table; the exit status. */
int roots_key_create(const struct program_call *call);
int roots_key_show(const struct program_call *call);
int roots_charter_show(const struct program_call *call);
int roots_charter_propose(const struct program_call *call);
int roots_charter_sign(const struct program_call *call);
int roots_charter_apply(const struct program_call *call);
int roots_admission_grant(const struct program_call *call);
int roots_admission_renew(const struct program_call *call);
int roots_admission_revoke(const struct program_call *call);
int roots_admission_lift(const struct program_call *call);
int roots_admission_ls(const struct program_call *call);

#endif
