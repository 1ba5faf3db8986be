/* The program: picks the subcommand, and tells what there is. */
#include <stdio.h>
#include <string.h>

#include "kernels/base/text.h"
#include "kernels/cpu/cpu_kernels.h"
#include "supernet/interrupt.h"
#include "tools/command.h"

static const sq_command *const commands[] = {&sq_command_train,  &sq_command_search,  &sq_command_evaluate,
                                             &sq_command_export, &sq_command_measure, &sq_command_info,
                                             &sq_command_bench};

enum { COMMANDS = sizeof commands / sizeof *commands };

static const sq_command *find(const char *name)
{
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static void help_all(void)
{
    (void)printf(
        "Squall trains one-shot supernets, searches them under a device's limits, and exports the network it finds.\n\n"
        "usage: squall COMMAND [arguments]\n\n");
    for (int i = 0; i < COMMANDS; i++)
        (void)printf("  %-10s %s\n", commands[i]->name, commands[i]->summary);
    (void)printf("  %-10s %s\n  %-10s %s\n", "help",
                 "this text, squall help COMMAND, or squall help config (every key)", "--version", "the version");
    (void)printf(
        "\nExit codes: 0 done, 1 error, 2 usage or configuration, 3 data, 4 non-finite loss, 5 communication,\n"
        "75 checkpointed after a signal (start it again with --resume auto).\n");
}

static void help_config(void)
{
    const char *key, *initial, *meaning;
    (void)printf("Keys of a configuration file (YAML; a.b stands for b under a), and of --set key=value:\n\n");
    for (int i = 0; sq_config_describe(i, &key, &initial, &meaning); i++)
        (void)printf("  %-28s %-26s %s\n", key, *initial ? initial : "(empty)", meaning);
}

static void help_command(const sq_command *c)
{
    (void)printf("usage: %s\n\n%s", c->usage, c->help);
}

static int unknown(const char *name)
{
    const char *names[COMMANDS + 1];
    for (int i = 0; i < COMMANDS; i++)
        names[i] = commands[i]->name;
    names[COMMANDS] = "help";
    const char *nearest = sq_text_nearest(name, names, COMMANDS + 1);
    (void)fprintf(stderr, "squall: unknown command '%s'%s%s%s; see squall help\n", name,
                  nearest ? ", did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
    return 2;
}

static int help(const char *topic)
{
    const sq_command *c = topic ? find(topic) : NULL;
    if (!topic)
        help_all();
    else if (strcmp(topic, "config") == 0)
        help_config();
    else if (c)
        help_command(c);
    else
        return unknown(topic);
    return 0;
}

int main(int argc, char **argv)
{
    sq_cpu_choose_kernels(argv);
    sq_interrupt_listen();
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        const int code = help(argc > 2 ? argv[2] : NULL);
        return argc < 2 ? 2 : code;
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)printf("squall %s\n", SQUALL_VERSION);
        return 0;
    }
    const sq_command *c = find(argv[1]);
    if (!c)
        return unknown(argv[1]);
    for (int i = 2; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            help_command(c);
            return 0;
        }
    return c->run(argc - 1, argv + 1);
}
