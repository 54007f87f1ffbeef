/* Queries and answers as text; see dns_text.h. */
#include "tests/unit/dns_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

#include <libknot/libknot.h>

size_t dns_text_query(const char *name, uint16_t type, uint16_t edns,
                      uint8_t *buffer, size_t size)
{
    uint8_t qname[KNOT_DNAME_MAXLEN];
    knot_pkt_t *packet = knot_pkt_new(buffer, (uint16_t)size, NULL);
    knot_rrset_t opt;
    size_t made;

    assert_non_null(packet);
    memset(buffer, 0, size); /* libknot does not */
    assert_non_null(knot_dname_from_str(qname, name, sizeof(qname)));
    assert_int_equal(knot_pkt_put_question(packet, qname, KNOT_CLASS_IN, type),
                     KNOT_EOK);
    knot_wire_set_id(packet->wire, 0x1234);
    knot_wire_set_rd(packet->wire);
    if (edns != 0) {
        assert_int_equal(knot_edns_init(&opt, edns, 0, 0, NULL), KNOT_EOK);
        assert_int_equal(knot_pkt_begin(packet, KNOT_ADDITIONAL), KNOT_EOK);
        assert_int_equal(
            knot_pkt_put(packet, KNOT_COMPR_HINT_NONE, &opt, KNOT_PF_FREE),
            KNOT_EOK);
    }
    made = packet->size;
    knot_pkt_free(packet);
    return made;
}

static void append(char *text, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void append(char *text, size_t size, const char *format, ...)
{
    size_t len = strlen(text);
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text + len, size - len, format, arguments);
    va_end(arguments);
}

/* Owner in the case it was sent in, so without libknot's own dump of it. */
static void append_rrset(const char *section, const knot_rrset_t *rrset,
                         char *text, size_t size)
{
    char owner[KNOT_DNAME_TXT_MAXLEN + 1], type[32], data[1024];

    if (rrset->type == KNOT_RRTYPE_OPT) {
        return;
    }
    assert_non_null(knot_dname_to_str(owner, rrset->owner, sizeof(owner)));
    assert_true(knot_rrtype_to_string(rrset->type, type, sizeof(type)) > 0);
    for (uint16_t i = 0; i < rrset->rrs.count; i++) {
        assert_true(knot_rrset_txt_dump_data(rrset, i, data, sizeof(data),
                                             &KNOT_DUMP_STYLE_DEFAULT) >= 0);
        append(text, size, "%s %s %u %s %s\n", section, owner, rrset->ttl, type,
               data);
    }
}

void dns_text_answer(const uint8_t *bytes, size_t size, char *text,
                     size_t text_size)
{
    static const char *const sections[] = {"AN", "AU", "AD"};
    uint8_t *copy = malloc(size + 1);
    const knot_lookup_t *rcode;
    knot_pkt_t *packet;

    assert_non_null(copy);
    memcpy(copy, bytes, size);
    packet = knot_pkt_new(copy, (uint16_t)size, NULL);
    assert_non_null(packet);
    text[0] = '\0';
    assert_true(size >= 12);
    assert_int_equal(knot_wire_get_id(copy), 0x1234);
    assert_true(knot_wire_get_qr(copy) != 0);
    if (size > 12) {
        assert_int_equal(
            knot_pkt_parse(packet, KNOT_PF_KEEPWIRE | KNOT_PF_NOCANON),
            KNOT_EOK);
    }
    rcode = knot_lookup_by_id(knot_rcode_names, knot_pkt_ext_rcode(packet));
    append(text, text_size, "%s%s%s", rcode != NULL ? rcode->name : "?",
           knot_wire_get_aa(copy) ? " aa" : "",
           knot_wire_get_tc(copy) ? " tc" : "");
    if (size > 12 && knot_pkt_has_edns(packet)) {
        append(text, text_size, " edns=%u",
               knot_edns_get_payload(packet->opt_rr));
    }
    append(text, text_size, "\n");
    for (unsigned i = 0; size > 12 && i < 3; i++) {
        const knot_pktsection_t *section =
            knot_pkt_section(packet, (knot_section_t)i);

        for (uint16_t j = 0; j < section->count; j++) {
            append_rrset(sections[i], knot_pkt_rr(section, j), text, text_size);
        }
    }
    knot_pkt_free(packet);
    free(copy);
}
