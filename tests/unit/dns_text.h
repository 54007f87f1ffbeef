/*
 * Queries made and answers read as text, for tests of the DNS server.
 */
#ifndef SOCKETNET_TESTS_DNS_TEXT_H
#define SOCKETNET_TESTS_DNS_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* A query with id 0x1234 and RD.  `edns`: 0 none, else the payload offered.
 * Returns its size. */
size_t dns_text_query(const char *name, uint16_t type, uint16_t edns,
                      uint8_t *buffer, size_t size);

/* A whole answer: "RCODE [aa] [tc] [edns=N]\n", then one line per record of
 * each section, "AN|AU|AD owner ttl type data\n".  Fails the test when it
 * does not parse. */
void dns_text_answer(const uint8_t *bytes, size_t size, char *text,
                     size_t text_size);

#endif
