/*
 * Help texts, made from the table of commands.
 */
#include "agent/args/program_internal.h"

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

static void print_globals(const struct program *program, FILE *out)
{
    (void)fprintf(out, "\nOptions of every command:\n");
    print_options(program->globals, out);
}

void program_help(const struct program *program,
                  const struct program_command *command, FILE *out)
{
    (void)fprintf(out, "Usage: %s %s%s%s\n\n", program->name, command->name,
                  command->arguments != NULL ? " " : "",
                  command->arguments != NULL ? command->arguments : "");
    if (command->summary != NULL) {
        (void)fprintf(out, "%s.\n", command->summary);
    }
    if (command->details != NULL) {
        (void)fprintf(out, "%s\n", command->details);
    }
    if (command->options != NULL) {
        (void)fprintf(out, "\nOptions:\n");
        print_options(command->options, out);
    }
    print_globals(program, out);
}

static void print_command(const struct program_command *command, FILE *out)
{
    (void)fprintf(out, "  %-20s %s\n", command->name, command->summary);
}

void program_help_all(const struct program *program, FILE *out)
{
    (void)fprintf(out, "Usage: %s COMMAND [ARGUMENT...] [OPTION...]\n\n%s\n",
                  program->name, program->about);
    (void)fprintf(out, "\nCommands:\n");
    for (const struct program_command *c = program->commands; c->name != NULL;
         c++) {
        if (c->summary != NULL) {
            print_command(c, out);
        }
    }
    (void)fprintf(out, "  %-20s %s\n", "version", "print the version");
    print_globals(program, out);
    (void)fprintf(out, "\n%s", program->more);
}

bool program_help_group(const struct program *program, const char *group,
                        FILE *out)
{
    bool is_found = false;

    for (const struct program_command *c = program->commands; c->name != NULL;
         c++) {
        if (!program_is_in_group(c, group)) {
            continue;
        }
        if (!is_found) {
            (void)fprintf(out, "Usage: %s %s COMMAND\n\nCommands:\n",
                          program->name, group);
        }
        is_found = true;
        print_command(c, out);
    }
    return is_found;
}
