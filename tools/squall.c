/* The main program: selects the subcommand and prints help. */
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "kernels/base/text.h"
#include "kernels/cpu/processor.h"
#include "supernet/ranks/launcher.h"
#include "supernet/train/signals.h"
#include "tools/commands/commands.h"
#include "tools/help/completions.h"
#include "tools/help/config_help.h"
#include "tools/help/help.h"
#include "tools/help/manual.h"

/* The subcommands, in the order of `squall help`. */
static const sq_command *const commands[] = {
    &sq_command_pack,  &sq_command_train,  &sq_command_search,   &sq_command_evaluate,
    &sq_command_rank,  &sq_command_export, &sq_command_report,   &sq_command_draw,
    &sq_command_watch, &sq_command_lut,    &sq_command_select,   &sq_command_info,
    &sq_command_bench, &sq_command_doctor, &sq_command_forecast, NULL};

/* Commands of version 0.1 that were renamed. */
static const struct {
    const char *old, *name;
} renamed[] = {{"plan", "forecast"}};

enum { MOST_COMMANDS = 32, NAME_BYTES = 64 };

static const sq_command *find(const sq_command *const *list, const char *name)
{
    for (; *list; list++)
        if (strcmp((*list)->name, name) == 0)
            return *list;
    return NULL;
}

/* Prints "squall: unknown command 'trian', did you mean 'train'?" and returns 2. of: the command whose part is unknown;
 * "" if the command itself is unknown. */
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

/* Returns the current name of a command. Prints a hint for a name of version 0.1. */
static const char *current_name(const char *name)
{
    for (size_t i = 0; i < sizeof renamed / sizeof *renamed; i++)
        if (strcmp(renamed[i].old, name) == 0) {
            if (sq_launcher_rank() == 0)
                (void)fprintf(stderr, "squall: the command %s is now %s; the old name is accepted in this version\n",
                              name, renamed[i].name);
            return renamed[i].name;
        }
    return name;
}

/* Finds the command that the words name: "train" or "lut measure". Writes the command's full name and the number of
 * used words. Prints an error and returns NULL if the command is unknown. */
static const sq_command *find_command(int count, char **words, char full_name[NAME_BYTES], int *used)
{
    const sq_command *c = find(commands, current_name(words[0]));
    *used = 1;
    if (!c)
        (void)unknown("", commands, words[0]);
    else
        (void)snprintf(full_name, NAME_BYTES, "%s", c->name);
    if (!c || !c->parts || count < 2 || words[1][0] == '-')
        return c;
    const sq_command *part = find(c->parts, words[1]);
    *used = 2;
    if (part)
        (void)snprintf(full_name, NAME_BYTES, "%s %s", c->name, part->name);
    else
        (void)unknown(c->name, c->parts, words[1]);
    return part;
}

/* squall help manual FOLDER: checks the help pages and writes the manual pages and completions that the build
 * installs. */
static int write_manual(const char *folder)
{
    char completions[4096];
    sq_status status = sq_manual_write(folder, commands);
    for (const sq_command *const *c = commands; status == SQ_OK && *c; c++)
        status = sq_help_check(*c, (*c)->name);
    if (status == SQ_OK)
        status = sq_text_path(completions, sizeof completions, folder, "completions");
    if (status == SQ_OK)
        status = sq_completions_write(completions, commands);
    return status == SQ_OK ? 0 : sq_command_fail("help", status);
}

static int help_config(int count, char **words)
{
    const bool is_markdown = count == 2 && strcmp(words[1], "--markdown") == 0;
    if (count > 2 || (count == 2 && !is_markdown))
        return sq_command_usage("help", "config: expected no argument or --markdown");
    if (is_markdown)
        sq_config_help_markdown(stdout);
    else
        sq_config_help(stdout);
    return 0;
}

static int help(int count, char **words)
{
    char full_name[NAME_BYTES];
    int used;
    if (count == 0) {
        sq_help_print_overview(stdout, commands);
        return 0;
    }
    if (strcmp(words[0], "config") == 0)
        return help_config(count, words);
    if (strcmp(words[0], "manual") == 0)
        return count == 2 ? write_manual(words[1]) : sq_command_usage("help", "manual: expected a folder");
    const sq_command *c = find_command(count, words, full_name, &used);
    if (!c)
        return 2;
    sq_help_print(stdout, c, full_name);
    return 0;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static int run(int argc, char **argv)
{
    char full_name[NAME_BYTES];
    int used;
    const sq_command *c = find_command(argc - 1, argv + 1, full_name, &used);
    bool wants_help = false;
    if (!c)
        return 2;
    for (int i = 2; i < argc; i++)
        wants_help = wants_help || is_help(argv[i]);
    if (wants_help || !c->run) {
        sq_help_print(stdout, c, full_name);
        return wants_help ? 0 : 2;
    }
    if (!c->works_on_ranks && sq_launcher_rank_count() > 1)
        return sq_command_usage(full_name,
                                "started by mpirun or srun with several processes; only train, search, doctor "
                                "and forecast work on several");
    return sq_command_run(c, full_name, argc - used, argv + used);
}

int main(int argc, char **argv)
{
    sq_cpu_choose_kernels(argv);
    (void)prctl(PR_SET_NAME, "squall"); /* a program that is executed again as /proc/self/exe would be called exe */
    sq_signals_listen();
    if (argc < 2 || is_help(argv[1]) || strcmp(argv[1], "help") == 0) {
        const int code = help(argc > 2 ? argc - 2 : 0, argv + 2);
        return argc < 2 ? 2 : code;
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)printf("squall %s\n", SQUALL_VERSION);
        return 0;
    }
    return run(argc, argv);
}
