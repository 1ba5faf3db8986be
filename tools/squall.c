/* The program: picks the subcommand, and tells what there is. */
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "kernels/base/text.h"
#include "kernels/cpu/processor.h"
#include "supernet/train/signals.h"
#include "supernet/ranks/launcher.h"
#include "tools/commands/command.h"
#include "tools/commands/manual.h"

static const sq_command *const commands[] = {
    &sq_command_pack,  &sq_command_train,  &sq_command_search, &sq_command_evaluate,
    &sq_command_rank,  &sq_command_export, &sq_command_report, &sq_command_draw,
    &sq_command_watch, &sq_command_lut,    &sq_command_select, &sq_command_info,
    &sq_command_bench, &sq_command_doctor, &sq_command_plan,   NULL};

enum { MOST_COMMANDS = 32 };

static const sq_command *find(const sq_command *const *list, const char *name)
{
    for (; *list; list++)
        if (strcmp((*list)->name, name) == 0)
            return *list;
    return NULL;
}

static const char purpose[] =
    "Squall trains one-shot supernets, searches them under a device's limits, and exports the network it finds.\n\n";
static const char exit_codes[] =
    "\nExit codes: 0 done, 1 error, 2 usage or configuration, 3 data, 4 non-finite loss, 5 communication,\n"
    "75 checkpointed after a signal (start it again with --resume auto).\n";

static void help_all(void)
{
    (void)printf("%susage: squall COMMAND [arguments]\n\n", purpose);
    for (const sq_command *const *c = commands; *c; c++)
        (void)printf("  %-10s %s\n", (*c)->name, (*c)->summary);
    (void)printf(
        "  %-10s %s\n  %-10s %s\n", "help",
        "this text, squall help COMMAND, help config (every key), or help manual FOLDER (man pages, completions)",
        "--version", "the version");
    (void)fputs(exit_codes, stdout);
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
    for (const sq_command *const *part = c->parts; part && *part; part++)
        (void)printf("  %-10s %s\n", (*part)->name, (*part)->summary);
    if (c->parts)
        (void)printf("\nsquall %s PART --help says more.\n", c->name);
}

/* "squall: unknown command 'trian', did you mean 'train'?" */
static int unknown(const char *of, const sq_command *const *list, const char *name)
{
    const char *names[MOST_COMMANDS];
    char hint[SQ_TEXT_SUGGESTION];
    int count = 0;
    for (; *list && count < MOST_COMMANDS - 1; list++)
        names[count++] = (*list)->name;
    names[count++] = "help";
    (void)sq_text_suggestion(hint, sizeof hint, name, names, count);
    if (sq_command_is_silent())
        return 2;
    (void)fprintf(stderr, "squall%s%s: unknown command '%s'%s; see squall help%s%s\n", *of ? " " : "", of, name, hint,
                  *of ? " " : "", of);
    return 2;
}

/* The command that the words name: "train", or "lut measure". *used: how many words it took. NULL after telling why. */
static const sq_command *find_command(int count, char **words, int *used)
{
    const sq_command *c = find(commands, words[0]);
    *used = 1;
    if (!c)
        (void)unknown("", commands, words[0]);
    if (!c || !c->parts || count < 2 || words[1][0] == '-')
        return c;
    const sq_command *part = find(c->parts, words[1]);
    *used = 2;
    if (!part)
        (void)unknown(c->name, c->parts, words[1]);
    return part;
}

/* squall help manual FOLDER: what the build installs. */
static int write_manual(const char *folder)
{
    char overview[1024];
    (void)snprintf(overview, sizeof overview, "%s%s", purpose, exit_codes);
    const sq_status status = sq_manual_write(folder, commands, overview);
    return status == SQ_OK ? 0 : sq_command_fail("help", status);
}

static int help(int count, char **words)
{
    int used;
    if (count == 0) {
        help_all();
        return 0;
    }
    if (strcmp(words[0], "config") == 0) {
        help_config();
        return 0;
    }
    if (strcmp(words[0], "manual") == 0)
        return count == 2 ? write_manual(words[1]) : sq_command_usage("help", "manual: wanted a folder");
    const sq_command *c = find_command(count, words, &used);
    if (!c)
        return 2;
    help_command(c);
    return 0;
}

int main(int argc, char **argv)
{
    int used;
    sq_cpu_choose_kernels(argv);
    (void)prctl(PR_SET_NAME, "squall"); /* what is run again as /proc/self/exe is called exe by top and pgrep */
    sq_signals_listen();
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        const int code = help(argc > 2 ? argc - 2 : 0, argv + 2);
        return argc < 2 ? 2 : code;
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)printf("squall %s\n", SQUALL_VERSION);
        return 0;
    }
    const sq_command *c = find_command(argc - 1, argv + 1, &used);
    if (!c)
        return 2;
    for (int i = 2; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            help_command(c);
            return 0;
        }
    if (!c->run) {
        help_command(c);
        return 2;
    }
    if (!c->works_in_several && sq_launcher_rank_count() > 1)
        return sq_command_usage(c->name, "started as one of several processes, and only train, search, doctor and plan "
                                         "work in several");
    return c->run(argc - used, argv + used);
}
