/*
 * What this node may register.  Peers refuse a record that its certificate
 * does not allow; saying so here, in words, saves the person the search.
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
    return 1;
}

static const char *const services_name_rule =
    "names are DNS labels: letters, digits, '-' and '_', not at an end, 1 to "
    "63 of them";

static int services_name_function(const struct body_certificate *certificate,
                                  struct body_service *service,
                                  char **ret_problem)
{
    char patterns[LIMIT_CERT_FUNCTIONS * (BODY_NAME_SIZE + 2) + 1] = "";
    char canonical[BODY_NAME_SIZE];
    size_t len = 0;

    if (body_name_canonical(service->function, canonical) != 0) {
        return services_refuse(ret_problem, "\"%.80s\" is not a name: %s",
                               service->function, services_name_rule);
    }
    memcpy(service->function, canonical, sizeof(canonical));
    if (body_certificate_allows_function(certificate, canonical)) {
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
        certificate->name, canonical, len > 0 ? patterns : "none", canonical);
}

static int services_name_instance(const struct body_certificate *certificate,
                                  struct body_service *service,
                                  char **ret_problem)
{
    const char *fallback = body_name_valid(service->port_name)
                               ? service->port_name
                               : certificate->name;

    if (service->instance[0] == '\0') {
        memcpy(service->instance, fallback, strlen(fallback) + 1);
    }
    if (!body_name_valid(service->instance)) {
        return services_refuse(ret_problem,
                               "\"%.80s\" is not an instance's name: %s",
                               service->instance, services_name_rule);
    }
    return 0;
}

static int services_check_address(const struct body_certificate *certificate,
                                  const struct body_service *service,
                                  char **ret_problem)
{
    char subnets[LIMIT_CERT_SUBNETS * (PREFIX_TEXT_SIZE + 2) + 1] = "";
    char address[ADDRESS_TEXT_SIZE];
    char mesh[ADDRESS_TEXT_SIZE] = "none";
    char text[PREFIX_TEXT_SIZE];
    size_t len = 0;

    if (service->address.family == 0) {
        return services_refuse(ret_problem,
                               "an address is missing: give the one that %s "
                               "listens on",
                               service->function);
    }
    if (body_certificate_allows_address(certificate, &service->address)) {
        return 0;
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

/* As the kernel judges a device's name (dev_valid_name). */
static bool services_is_port_name(const char *name)
{
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return false;
    }
    for (; *name != '\0'; name++) {
        if (*name == '/' || *name == ':' || *name <= ' ' || *name == 0x7f) {
            return false;
        }
    }
    return true;
}

static int services_check_numbers(const struct services_spec *spec,
                                  char **ret_problem)
{
    const struct body_service *service = &spec->service;

    if (service->port == 0) {
        return services_refuse(ret_problem,
                               "port 0 is no port: give the one that %s "
                               "listens at, 1 to 65535",
                               service->function);
    }
    if (service->protocol != 6 && service->protocol != 17) {
        return services_refuse(ret_problem,
                               "protocol %u is neither tcp nor udp",
                               service->protocol);
    }
    if (service->weight < 1 || service->weight > 1000) {
        return services_refuse(ret_problem,
                               "weight %u is not in 1..1000 (100 is usual)",
                               service->weight);
    }
    if (!services_is_port_name(service->port_name)) {
        return services_refuse(ret_problem, "\"%s\" is not the name of a port",
                               service->port_name);
    }
    if (spec->check.type == SERVICES_CHECK_TCP && service->protocol == 17 &&
        spec->check.port == 0) {
        return services_refuse(ret_problem,
                               "a tcp check cannot ask the udp port %u: give "
                               "the check a port of its own",
                               service->port);
    }
    return 0;
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

int services_validate(const struct core *core, struct services_spec *spec,
                      char **ret_problem)
{
    const struct body_certificate *certificate = &core->identity->body;
    struct body_service *service = &spec->service;
    struct services_check *check = &spec->check;

    service->protocol = service->protocol == 0 ? 6 : service->protocol;
    service->weight = service->weight == 0 ? 100 : service->weight;
    if (check->type == SERVICES_CHECK_NONE) {
        *check = (struct services_check){0};
    } else {
        check->interval_ms =
            check->interval_ms == 0 ? 10000 : check->interval_ms;
        check->timeout_ms = check->timeout_ms == 0 ? 2000 : check->timeout_ms;
        check->pass = check->pass == 0 ? 1 : check->pass;
        check->fail = check->fail == 0 ? 3 : check->fail;
    }
    if (services_name_function(certificate, service, ret_problem) != 0 ||
        services_name_instance(certificate, service, ret_problem) != 0 ||
        services_check_numbers(spec, ret_problem) != 0) {
        return 1;
    }
    return services_check_address(certificate, service, ret_problem);
}
