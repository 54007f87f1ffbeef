/*
 * Keeping small processes small.
 */
#ifndef SOCKETNET_AGENT_SYSTEM_MEMORY_H
#define SOCKETNET_AGENT_SYSTEM_MEMORY_H

/* Gives unused memory back: the heap's free parts, and pages of the program
 * itself, which come back from the page cache when they are run again.  For
 * processes that mostly wait and have just done the most they ever will. */
void memory_trim(void);

/* Only the heap's free parts: after work that needed much for a moment. */
void memory_trim_heap(void);

#endif
