/*
 * What this node may register, whichever way the registration came in.  Peers
 * refuse a record that the node's certificate does not allow; saying so here,
 * in words, saves the person the search.
 */
#include "agent/services/services_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core/worker_link.h"
#include "agent/identity/identity.h"

int services_refuse(char **ret_problem, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    if (vasprintf(ret_problem, format, arguments) < 0) {
        *ret_problem = NULL;
    }
    va_end(arguments);
    return SERVICES_E_REFUSED;
}

static int services_valid_function(const struct body_certificate *certificate,
                                   const char *function, char **ret_problem)
{
    char patterns[LIMIT_CERT_FUNCTIONS * (BODY_NAME_SIZE + 2) + 1] = "";
    size_t len = 0;

    if (body_certificate_allows_function(certificate, function)) {
        return 0;
    }
    for (size_t i = 0; i < certificate->n_functions; i++) {
        len += (size_t)snprintf(patterns + len, sizeof(patterns) - len, "%s%s",
                                i > 0 ? ", " : "", certificate->functions[i]);
    }
    return services_refuse(
        ret_problem,
        "the certificate of this node (%s) does not allow the function %s, "
        "only: %s. Register it on a node that may offer it, or have this one "
        "admitted again with a token made by `agentctl token create "
        "--function %s`",
        certificate->name, function, len > 0 ? patterns : "none", function);
}

/* Records of it would be accepted by peers, and nobody could ever answer. */
static int services_valid_host(const struct body_certificate *certificate,
                               const struct body_service *service,
                               char **ret_problem)
{
    const struct address *address = &service->address;
    char text[ADDRESS_TEXT_SIZE];
    char subnet_text[PREFIX_TEXT_SIZE];

    for (size_t i = 0; i < certificate->n_subnets; i++) {
        const struct prefix *subnet = &certificate->subnets[i];

        if (prefix_contains(subnet, address) &&
            !prefix_is_host(subnet, address)) {
            bool is_first = address_equal(address, &subnet->address);

            return services_refuse(
                ret_problem,
                "%s is the %s of %s%s, no host's: give the address that %s "
                "listens at",
                address_text(address, text),
                is_first ? "address" : "broadcast address",
                is_first ? "the network " : "",
                prefix_text(subnet, subnet_text), service->function);
        }
    }
    return 0;
}

static int services_valid_address(const struct body_certificate *certificate,
                                  const struct body_service *service,
                                  char **ret_problem)
{
    char subnets[LIMIT_CERT_SUBNETS * (PREFIX_TEXT_SIZE + 2) + 1] = "";
    char address[ADDRESS_TEXT_SIZE];
    char mesh[ADDRESS_TEXT_SIZE] = "none";
    char text[PREFIX_TEXT_SIZE];
    size_t len = 0;

    if (body_certificate_allows_address(certificate, &service->address)) {
        return services_valid_host(certificate, service, ret_problem);
    }
    for (size_t i = 0; i < certificate->n_subnets; i++) {
        len += (size_t)snprintf(subnets + len, sizeof(subnets) - len, "%s%s",
                                i > 0 ? ", " : "",
                                prefix_text(&certificate->subnets[i], text));
    }
    if (certificate->n_mesh > 0) {
        (void)address_text(&certificate->mesh[0].address, mesh);
    }
    return services_refuse(
        ret_problem,
        "%s is not an address of this node (%s): its container subnets are "
        "%s, its mesh address is %s. Register the instance on the node that "
        "it runs on, or correct the address",
        address_text(&service->address, address), certificate->name,
        len > 0 ? subnets : "none", mesh);
}

int services_validate_port(const struct core *core,
                           const struct body_service *service,
                           char **ret_problem)
{
    char address[ADDRESS_TEXT_SIZE];
    const char *port;

    if (core->worker == NULL || service->port_name[0] == '\0') {
        return 0;
    }
    port = worker_link_neighbor_port(core->worker, &service->address);
    if (port[0] == '\0' || strcmp(port, service->port_name) == 0) {
        return 0;
    }
    return services_refuse(
        ret_problem,
        "%s lives behind the port %s of this host, not behind %s: bound to "
        "%s it would be cut off. Name %s as its port, or none",
        address_text(&service->address, address), port, service->port_name,
        service->port_name, port);
}

int services_validate(const struct core *core,
                      const struct registration *registration,
                      char **ret_problem)
{
    const struct body_certificate *certificate = &core->identity->body;
    int error = services_valid_function(
        certificate, registration->service.function, ret_problem);

    return error != 0 ? error
                      : services_valid_address(
                            certificate, &registration->service, ret_problem);
}
