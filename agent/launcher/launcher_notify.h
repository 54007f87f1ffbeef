/*
 * Telling systemd, without its library.  Part of launcher.c.
 */
#ifndef SOCKETNET_AGENT_LAUNCHER_LAUNCHER_NOTIFY_H
#define SOCKETNET_AGENT_LAUNCHER_LAUNCHER_NOTIFY_H

/* sd_notify(3): one datagram ("READY=1") to the socket that NOTIFY_SOCKET
 * names; does nothing when there is none. */
void launcher_notify(const char *state);
/* That it is not ready, why, and that it has not failed: systemd would count
 * the time as one of a start. */
void launcher_notify_waiting(const char *why);
/* That SIGHUP is being followed; READY=1 says that it has been. */
void launcher_notify_reloading(void);

#endif
