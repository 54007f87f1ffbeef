/*
 * Help texts of agentctl, made from the table of commands.
 */
#include "agent/ctl/ctl_internal.h"

#include <string.h>

static void print_options(const struct args_option *options, FILE *out)
{
    for (; options->name != NULL; options++) {
        char left[40];

        (void)snprintf(left, sizeof(left), "%s%c%s%s%s%s",
                       options->letter != '\0' ? "-" : "",
                       options->letter != '\0' ? options->letter : ' ',
                       options->letter != '\0' ? ", " : "   ", options->name,
                       options->value != NULL ? " " : "",
                       options->value != NULL ? options->value : "");
        (void)fprintf(out, "  %-26s %s%s\n", left, options->help,
                      options->is_repeated ? " (may be repeated)" : "");
    }
}

void ctl_help(const struct ctl_command *command, FILE *out)
{
    (void)fprintf(out, "Usage: agentctl %s%s%s\n\n%s.\n", command->name,
                  command->arguments[0] != '\0' ? " " : "", command->arguments,
                  command->summary);
    if (command->details != NULL) {
        (void)fprintf(out, "%s\n", command->details);
    }
    if (command->options->name != NULL) {
        (void)fprintf(out, "\nOptions:\n");
        print_options(command->options, out);
    }
    (void)fprintf(out, "\nOptions of every command:\n");
    print_options(ctl_globals, out);
}

static void print_command(const struct ctl_command *command, FILE *out)
{
    (void)fprintf(out, "  %-20s %s\n", command->name, command->summary);
}

void ctl_help_all(FILE *out)
{
    (void)fprintf(out, "Usage: agentctl COMMAND [ARGUMENT...] [OPTION...]\n\n"
                       "Asks the agent that runs on this host.\n\nCommands:\n");
    for (const struct ctl_command *c = ctl_commands; c->name != NULL; c++) {
        print_command(c, out);
    }
    (void)fprintf(out, "\nOptions of every command:\n");
    print_options(ctl_globals, out);
    (void)fprintf(
        out, "\nExit status: 0 done, 1 failed or unhealthy, 2 usage, 3 no "
             "agent there,\n4 not found, 5 denied, 6 accepted and not yet in "
             "place.\nMore: agentctl COMMAND --help, man agentctl.\n");
}

bool ctl_help_group(const char *group, FILE *out)
{
    size_t len = strlen(group);
    bool is_found = false;

    for (const struct ctl_command *c = ctl_commands; c->name != NULL; c++) {
        if (strncmp(c->name, group, len) == 0 && c->name[len] == ' ') {
            if (!is_found) {
                (void)fprintf(out, "Usage: agentctl %s COMMAND\n\nCommands:\n",
                              group);
            }
            is_found = true;
            print_command(c, out);
        }
    }
    return is_found;
}
